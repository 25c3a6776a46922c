"""Subjects of this process: a function, a module, an object, or a side that keeps its own weights.

These are the caller's own, so they are not held at arm's length; what they show is judged like any other.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from types import TracebackType

import numpy as np

from parity.check.calls import MOST_STEPS, asked_calls
from parity.check.cases import SubjectCall
from parity.check.implementations import Answers, FollowedCall, Subject, python_subject, raised
from parity.check.process import Limits
from parity.check.tracer import LineTracer
from parity.check.worker import UnusableError, as_array, call, layout_of, reason
from parity.config.case import Case, build
from parity.config.options import read_config
from parity.errors import UsageError
from parity.lockstep.lockstep import Side
from parity.render.texts.message import Message
from reference.arrays import Array
from reference.trace import Trace


@dataclass
class OwnSubject:
    """A `step` function, called here. `errors` keeps what it raised, by call."""

    name: str
    function: Callable[..., object]
    layout: str
    file: Path | None = None
    line: int | None = None
    errors: dict[int, BaseException] = field(default_factory=dict)
    declared: bool = False

    def in_rows(self) -> OwnSubject:
        return replace(self, layout="rows", declared=True)

    def answer(self, calls: Sequence[SubjectCall], limits: Limits) -> Answers:
        """Every call, in order and with fresh arrays; one that raises does not stop the next."""
        answers = Answers(layout=self.layout, declared=self.declared)
        for number, one in enumerate(calls):
            try:
                shown = self._shown(self.function, one)
            except (Exception, SystemExit) as error:
                self.errors[number] = error.with_traceback(_from(error.__traceback__, self.file))
                answers.failures[number] = raised(reason(error, str(self.file)))
            else:
                answers.tensors[number] = shown
        return answers

    @property
    def source(self) -> Path | None:
        """The file in which the function stands."""
        return self.file

    def traced(self, calls: Sequence[SubjectCall]) -> list[FollowedCall]:
        """Each call, followed line by line; up to one that raises."""
        found: list[FollowedCall] = []
        for one in calls:
            tracer = LineTracer(str(self.file))
            try:
                shown = self._shown(partial(tracer.call, self.function), one)
            except (Exception, SystemExit):
                break
            made: list[tuple[int, Array]] = []
            for line, value in tracer.made():
                with suppress(UnusableError):
                    made.append((line, np.array(as_array(value, "", one.given["x"].dtype))))
            found.append(FollowedCall(tracer.lines, shown, made))
        return found

    def _shown(self, function: Callable[..., object], one: SubjectCall) -> dict[str, Array]:
        """What a function shows of one call. Copies: it may show buffers that the next call overwrites."""
        given = {name: np.array(tensor, order="C") for name, tensor in one.given.items()}
        given["lr"] = np.asarray(one.lr, dtype=one.architecture.dtype)
        names = [f.name for f in one.architecture.activations]
        with np.errstate(all="ignore"):
            shown = call(function, self.layout, given, names)  # type: ignore[arg-type]
        return {name: np.array(tensor) for name, tensor in shown.items()}

    def address(self, root: Path) -> str | None:
        """What `parity check` calls it when run in `root`, or None where no name leads to it."""
        module = sys.modules.get(getattr(self.function, "__module__", None) or "")
        name = getattr(self.function, "__qualname__", "<unknown>")
        if module is None or self.file is None or getattr(module, name, None) is not self.function:
            return None
        inside = self.file.relative_to(root) if self.file.is_relative_to(root) else None
        if not getattr(module, "__package__", ""):
            return f"{inside or self.file}:{name}"
        where = Path(*module.__name__.split("."))
        here = inside in (where.with_suffix(".py"), where / "__init__.py")
        return f"{module.__name__}:{name}" if here else None


@dataclass(frozen=True)
class Shown:
    """What a side showed of itself, as a subject's answers."""

    name: str
    traces: tuple[Trace, ...]

    def in_rows(self) -> None:
        return None

    def answer(self, calls: Sequence[SubjectCall], limits: Limits) -> Answers:
        return Answers(tensors={number: dict(trace) for number, trace in enumerate(self.traces)})


def own_subject(asked: object) -> OwnSubject:
    """A function, or the `step` of a module or an object. Raises UsageError for anything else."""
    owner = asked
    function = getattr(asked, "step", None)
    if function is None:
        function = asked
        owner = sys.modules.get(getattr(asked, "__module__", None) or "")
    if not callable(function) or isinstance(function, type):
        raise UsageError(Message("no_step_function", name=_shown(asked)))
    try:
        layout = layout_of(owner)
    except UnusableError as error:
        raise UsageError(Message("check_failed", reason=error)) from None
    plain = inspect.unwrap(function)
    code = getattr(plain, "__code__", None)
    file = Path(code.co_filename) if code else None
    name = f"{file.name}:{plain.__qualname__}" if file else _shown(asked)
    line = code.co_firstlineno if code else None
    return OwnSubject(name, function, layout, file, line, declared=hasattr(owner, "LAYOUT"))


def asked_subject(
    asked: object, config: Path | Mapping[str, object] | None, activation: str | None, dtype: str | None
) -> tuple[Subject, Sequence[SubjectCall]]:
    """Who is judged, and on which calls: a path runs in a process of its own, all else in this one.

    Raises UsageError for what is no subject, and for a side without a config: it keeps its own weights.
    """
    if isinstance(asked, str | Path):
        return python_subject(str(asked)), asked_calls(config, activation, dtype)
    if not is_side(asked):
        return own_subject(asked), asked_calls(config, activation, dtype)
    if config is None:
        raise UsageError(Message("side_needs_config"))
    case = build(read_config(config, {"activation": activation, "dtype": dtype}))
    calls, shown = walked(asked, case)  # type: ignore[arg-type] # is_side says so
    return shown, calls


def is_side(asked: object) -> bool:
    """Whether it is a side of a lockstep: its `step` takes x and y, and the weights are its own."""
    step = getattr(asked, "step", None)
    if step is None or isinstance(asked, type) or inspect.ismodule(asked):
        return False
    kinds = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    try:
        parameters = inspect.signature(step).parameters.values()
    except (TypeError, ValueError):
        return False
    return sum(p.kind in kinds and p.default is p.empty for p in parameters) == 2


def walked(side: Side, case: Case) -> tuple[list[SubjectCall], Shown]:
    """A side's first steps, as calls and the answers to them: each step is judged from where it stood.

    Raises UsageError where the side does not start from the case's weights, or a step not from where
    the one before ended: then there is no one training to judge.
    """
    calls: list[SubjectCall] = []
    traces: list[Trace] = []
    stood: Mapping[str, Array] = case.parameters
    for step, (x, y) in zip(range(min(case.steps, MOST_STEPS)), case.batches(), strict=False):
        trace = Trace({name: np.array(tensor) for name, tensor in side.step(x, y).items()})
        for name, expected in stood.items():
            if name in trace and trace[name].tobytes() != expected.tobytes():
                raise UsageError(Message("side_moved" if step else "side_starts", name=name, step=step))
        given = Trace({**stood, "x": np.array(x, order="C"), "y": np.array(y, order="C")})
        calls.append(SubjectCall("config", step, case.architecture, case.lr, given))
        traces.append(Trace({name: t for name, t in trace.items() if name not in given}))
        missing = [f"{name}_next" for name in stood if f"{name}_next" not in trace]
        if missing:
            break  # without the weights after it, nobody knows where the next step starts
        stood = {name: trace[f"{name}_next"] for name in stood}
    return calls, Shown(str(getattr(side, "name", type(side).__name__)), tuple(traces))


def _from(trace: TracebackType | None, file: Path | None) -> TracebackType | None:
    """A traceback from the subject's own first frame on, if there is one."""
    begins = trace
    while begins is not None and begins.tb_frame.f_code.co_filename != str(file):
        begins = begins.tb_next
    return begins or trace


def _shown(asked: object) -> str:
    return getattr(asked, "__qualname__", None) or type(asked).__name__
