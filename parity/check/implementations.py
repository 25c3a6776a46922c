"""Where a subject is: a Python function or an executable, called on every case, and what came back."""

from __future__ import annotations

import ast
import json
import shlex
import shutil
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Protocol

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

from parity.check.cases import SubjectCall
from parity.check.process import Ending, Limits, run
from parity.errors import UsageError
from parity.render.texts.message import Message
from reference.arrays import Array

WORKER = Path(__file__).with_name("worker.py")


@dataclass
class Answers:
    """What a subject gave back: raw tensors by call, why there are none, and what it printed."""

    tensors: dict[int, dict[str, Array]] = field(default_factory=dict)
    failures: dict[int, Message] = field(default_factory=dict)
    layout: str = "columns"
    declared: bool = False  # whether the subject said its layout, or is taken to mean the deck's
    output: str = ""


@dataclass
class FollowedCall:
    """One call, followed line by line.

    `lines` has, by tensor, the line that made it; `shown` the tensors; `made` every array on the way,
    oldest first, with its line.
    """

    lines: Mapping[str, int] = field(default_factory=dict)
    shown: Mapping[str, Array] = field(default_factory=dict)
    made: Sequence[tuple[int, Array]] = ()


class Subject(Protocol):
    """Anybody's implementation of one training step."""

    @property
    def name(self) -> str: ...

    def answer(self, calls: Sequence[SubjectCall], limits: Limits) -> Answers: ...

    def in_rows(self) -> Subject | None:
        """The same, called as if it had said that it works in rows; None where that cannot be."""


@dataclass(frozen=True)
class PythonSubject:
    """A function in a file or a module."""

    name: str
    folder: Path
    file: Path | None
    module: str
    function: str
    layout: str = ""  # asked for, whatever the module says

    def in_rows(self) -> PythonSubject:
        return replace(self, layout="rows")

    def answer(self, calls: Sequence[SubjectCall], limits: Limits) -> Answers:
        """All calls in one process, in order, so that what it keeps between steps is seen."""
        with tempfile.TemporaryDirectory(prefix="parity-") as place:
            ending = self._asked(calls, limits, WORKER, place)
            answers = Answers(output=ending.output)
            broken = self._sentence(Path(place, "failed.json"))
            said = _json(Path(place, "layout.json"))
            answers.layout = str(said.get("layout", "columns"))
            answers.declared = bool(said.get("declared"))
            for number in range(len(calls)):
                answer = Path(place, f"answer{number}.safetensors")
                wrong = self._sentence(Path(place, f"answer{number}.json"))
                if answer.exists():
                    _read(answer, number, answers, limits)
                else:
                    answers.failures[number] = broken or wrong or ending.failure or Message("no_answer")
            return answers

    def traced(self, calls: Sequence[SubjectCall], limits: Limits, tracer: Path) -> list[FollowedCall]:
        """Each call, followed; of one that does not come back, nothing."""
        with tempfile.TemporaryDirectory(prefix="parity-") as place:
            self._asked(calls, limits, tracer, place)
            answers, made, found = Answers(), Answers(), []
            for number in range(len(calls)):
                lines = _json(Path(place, f"lines{number}.json"))
                for name, kept in (("answer", answers), ("made", made)):
                    file = Path(place, f"{name}{number}.safetensors")
                    if file.exists():
                        _read(file, number, kept, limits)
                whole = {name: line for name, line in lines.items() if isinstance(line, int)}
                on_the_way = _by_line(made.tensors.get(number, {}))
                found.append(FollowedCall(whole, answers.tensors.get(number, {}), on_the_way))
            return found

    def _asked(self, calls: Sequence[SubjectCall], limits: Limits, program: Path, place: str) -> Ending:
        """All calls, asked by a program in the folder `place`."""
        for number, call in enumerate(calls):
            _write(Path(place, f"call{number}.safetensors"), call)
        request = {
            "folder": str(self.folder),
            "file": str(self.file) if self.file else "",
            "module": self.module,
            "function": self.function,
            "layout": self.layout,
            "calls": len(calls),
        }
        command = [sys.executable, "-P", str(program), place, json.dumps(request)]
        return run(command, self.folder, limits)

    @property
    def source(self) -> Path | None:
        """The file, also of a module that is found from the folder; None for one that is installed."""
        where = self.folder.joinpath(*self.module.split("."))
        files = (self.file or where.with_suffix(".py"), where / "__init__.py")
        return next((file for file in files if file.is_file()), None)

    @property
    def line(self) -> int:
        """Where in its file the function stands; 0 where that is not to be seen."""
        try:
            tree = ast.parse(self.source.read_text(encoding="utf-8")) if self.source else None
        except (OSError, SyntaxError, ValueError):
            return 0
        body = tree.body if tree else []
        return next((d.lineno for d in body if getattr(d, "name", None) == self.function), 0)

    def _sentence(self, path: Path) -> Message | None:
        """What the runner says went wrong, with the line."""
        facts = _json(path)
        return raised(facts) if "error" in facts else None


def _by_line(made: Mapping[str, Array]) -> list[tuple[int, Array]]:
    """Arrays that are called by their place and their line, `12:34`, in the order of their places."""
    places = {tuple(map(int, name.split(":"))): array for name, array in made.items()}
    return [(line, places[place, line]) for place, line in sorted(places)]


def raised(facts: Mapping[str, object]) -> Message:
    """What the runner says went wrong, with the line."""
    text, inserted, line = facts.get("text"), facts.get("facts"), facts.get("line")
    known = Message.known(text, inserted) if isinstance(text, str) and isinstance(inserted, dict) else None
    words = known or Message("own_words", failure=facts["error"])
    return Message("at_line", number=line, failure=words) if line else words


@dataclass(frozen=True)
class ExecutableSubject:
    """Any program: the path of a file to read, the path of one to write."""

    name: str
    command: tuple[str, ...]

    def in_rows(self) -> None:
        return None

    def answer(self, calls: Sequence[SubjectCall], limits: Limits) -> Answers:
        """One process a call."""
        answers = Answers()
        with tempfile.TemporaryDirectory(prefix="parity-") as place:
            for number, call in enumerate(calls):
                asked, answer = (Path(place, f"{what}{number}.safetensors") for what in ("call", "answer"))
                _write(asked, call)
                try:
                    ending = run([*self.command, str(asked), str(answer)], Path.cwd(), limits)
                except OSError as error:
                    raise UsageError(Message("exec_failed", command=self.name, reason=error)) from None
                answers.output = answers.output or ending.output
                if ending.failure:
                    answers.failures[number] = ending.failure
                    if ending.failure.key == "no_return":  # it would hang as long every time
                        answers.failures |= dict.fromkeys(range(number, len(calls)), ending.failure)
                        break
                elif not answer.exists():
                    answers.failures[number] = Message("no_file")
                else:
                    _read(answer, number, answers, limits)
        return answers


def python_subject(spec: str) -> PythonSubject:
    """`file.py`, `file.py:function` or `package.module:function`. Raises UsageError."""
    where, _, function = spec.rpartition(":") if ":" in spec else (spec, "", "step")
    path = Path(where)
    if where.endswith(".py") or path.exists():
        if not path.is_file():
            raise UsageError(Message("no_such_file", file=where))
        full = path.resolve()
        return PythonSubject(spec, full.parent, full, full.stem, function or "step")
    if not all(part.isidentifier() for part in where.split(".")):
        raise UsageError(Message("no_module", spec=spec))
    return PythonSubject(spec, Path.cwd(), None, where, function or "step")


def executable_subject(command: str) -> ExecutableSubject:
    """A command line. Raises UsageError where there is no such program."""
    words = shlex.split(command)
    program = shutil.which(words[0]) if words else None
    if program is None:
        raise UsageError(Message("no_program", command=command))
    return ExecutableSubject(command, (str(Path(program).resolve()), *words[1:]))


def _write(path: Path, call: SubjectCall) -> None:
    lr: Array = np.asarray(call.lr, dtype=call.architecture.dtype)
    tensors = {name: np.array(tensor, order="C") for name, tensor in call.given.items()}
    names = ",".join(f.name for f in call.architecture.activations)
    save_file({**tensors, "lr": lr}, path, metadata={"activation": names})


def _read(path: Path, number: int, answers: Answers, limits: Limits) -> None:
    """An answer's tensors, or why they cannot be read."""
    if path.is_symlink() or not path.is_file() or path.stat().st_size > limits.file:
        answers.failures[number] = Message("answer_size")
        return
    try:
        tensors = load_file(path)
    except (SafetensorError, OSError, ValueError, TypeError) as error:
        answers.failures[number] = Message("answer_format", failure=error)
    except (KeyError, AttributeError) as error:  # a number format that numpy has not
        answers.failures[number] = Message("answer_numbers", failure=error)
    else:
        kinds = {name: tensor.dtype for name, tensor in tensors.items() if tensor.dtype.kind not in "fiub"}
        if kinds:
            name, kind = next(iter(kinds.items()))
            answers.failures[number] = Message("no_floats", name=name, found=kind)
        else:
            answers.tensors[number] = tensors


def _json(path: Path) -> dict[str, object]:
    try:
        facts = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return facts if isinstance(facts, dict) else {}
