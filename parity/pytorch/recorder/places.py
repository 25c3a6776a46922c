"""Where in the user's program an operation runs, read off the interpreter's frames.

A module's own hooks would be seen by `torch.compile` and by the module's fast path; frames are not.
"""

from __future__ import annotations

import contextlib
import inspect
import sys
import weakref
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import CodeType, FrameType

import torch

from parity.errors import UsageError
from parity.pytorch.recorder.data import UserFunction
from parity.pytorch.recorder.internals import APPLY, CALL_IMPL, module_hooks
from parity.render.texts.message import Message

TORCH = str(Path(torch.__file__).parent) + "/"
OURS = str(Path(__file__).parent) + "/"
SKIPPED = (TORCH, OURS, "<", contextlib.__file__)  # our own frames may lie below contextlib's
SHARDED = TORCH + "distributed/fsdp/"
COMPILED = (TORCH + "_inductor/", TORCH + "_functorch/_aot_autograd/")


@dataclass(frozen=True)
class Applied:
    """A `torch.autograd.Function` that is running, and its arguments."""

    function: type
    given: tuple[object, ...]


@dataclass(frozen=True)
class Location:
    """The module that runs, the line of the user's program, whether compiled code runs it, and inside of
    which `torch.autograd.Function`.
    """

    module: str
    module_class: str
    source: str
    compiled: bool
    applied: Applied | None = None
    running: torch.nn.Module | None = None


class Places:
    """The names of the user's modules and parameters, and where in them something happens."""

    def __init__(self, modules: Iterable[torch.nn.Module]) -> None:
        self.modules: dict[int, tuple[weakref.ref[torch.nn.Module], str]] = {}
        self._parameters: dict[int, tuple[weakref.ref[torch.Tensor], str]] = {}
        given = list(modules)
        for number, module in enumerate(given):
            self._learn(module, "" if len(given) == 1 else str(number))
        self.knows_parameters = bool(given)
        self._unnamed = 0
        self._classes: Counter[str] = Counter()

    def _learn(self, module: torch.nn.Module, prefix: str) -> None:
        for name, part in module.named_modules():
            self.modules[id(part)] = weakref.ref(part), _path(prefix, name)
        for name, parameter in module.named_parameters():
            path = _path(prefix, name)
            self._parameters[id(parameter)] = weakref.ref(parameter), path

    def parameters(self) -> Iterator[tuple[str, torch.Tensor]]:
        """Every parameter that is known, with its name."""
        for reference, name in self._parameters.values():
            parameter = reference()
            if parameter is not None:
                yield name, parameter

    def is_parameter(self, leaf: torch.Tensor) -> bool:
        """Whether a leaf is a parameter of the given modules; where none were given, any leaf is."""
        return not self.knows_parameters or self._known(leaf) is not None

    def _known(self, leaf: torch.Tensor) -> str | None:
        reference, name = self._parameters.get(id(leaf), (None, ""))
        return name if reference is not None and reference() is leaf else None

    def parameter(self, leaf: torch.Tensor) -> str:
        """The name of a leaf: its module's, or a number with its shape."""
        known = self._known(leaf)
        if known is None:
            shape = "×".join(map(str, leaf.shape)) or "scalar"
            known = f"parameter {self._unnamed} ({shape})"
            self._unnamed += 1
            self._parameters[id(leaf)] = weakref.ref(leaf), known
        return known

    def module(self, module: torch.nn.Module, outermost: torch.nn.Module) -> str:
        """The path of a module: from the given ones, or from the outermost that runs, by its class."""
        reference, path = self.modules.get(id(module), (None, ""))
        if reference is None or reference() is not module:
            self._learn_modules(outermost)
            reference, path = self.modules.get(id(module), (None, type(module).__name__))
        return path

    def module_hooks(self) -> tuple[tuple[str, str], ...]:
        """The hooks that the user has on modules: path and kind."""
        alive = [(reference(), path) for reference, path in self.modules.values()]
        return tuple(
            (path, kind) for module, path in alive if module is not None for kind in module_hooks(module)
        )

    def _learn_modules(self, outermost: torch.nn.Module) -> None:
        """Name what is inside a module by its class; of several of one class, the later ones by number."""
        root = type(outermost).__name__
        self._classes[root] += 1
        if self._classes[root] > 1:
            root += f"#{self._classes[root]}"
        for name, part in outermost.named_modules():
            known, _ = self.modules.get(id(part), (None, ""))
            if known is None or known() is not part:
                self.modules[id(part)] = weakref.ref(part), _path(root, name)
        for name, parameter in () if self.knows_parameters else outermost.named_parameters():
            if self._known(parameter) is None:
                self._parameters[id(parameter)] = weakref.ref(parameter), _path(root, name)

    def here(self) -> Location:
        """Where the operation that is being dispatched comes from.

        Raises UsageError inside of FSDP, which takes memory away from tensors that have been recorded.
        """
        frame: FrameType | None = sys._getframe(1)
        source, compiled, applied = "", False, None
        module: torch.nn.Module | None = None
        outermost: torch.nn.Module | None = None
        while frame is not None and not (source and module is not None):
            code = frame.f_code
            if code is CALL_IMPL:
                outermost = frame.f_locals["self"]
                module = outermost if module is None else module
            if code is APPLY:
                applied = Applied(frame.f_locals["cls"], frame.f_locals["args"])
            if not source:
                name = _user_file(code.co_filename)
                if name:
                    source = f"{name}:{frame.f_lineno}"
                elif code.co_filename.startswith(SHARDED):
                    raise UsageError(Message("recording_fsdp"))
                else:
                    compiled = compiled or code.co_filename.startswith(COMPILED)
            if source and module is not None:
                break
            frame = frame.f_back
        if module is None:
            return Location("", "", source, compiled, applied)
        reference, path = self.modules.get(id(module), (None, ""))
        if reference is None or reference() is not module:
            known = (_outermost(frame), outermost)  # a module may be false: an empty list of others is
            path = self.module(module, next((one for one in known if one is not None), module))
        return Location(path, type(module).__name__, source, compiled, applied, module)


def _path(*parts: str) -> str:
    """A path of names, without what `torch.compile` puts in between."""
    names = (name for part in parts for name in part.split("."))
    return ".".join(name for name in names if name and name != "_orig_mod")


@cache
def _user_file(path: str) -> str:
    """The name of a file of the user's program; of PyTorch's, ours or none, nothing."""
    return "" if path.startswith(SKIPPED) else Path(path).name


def _outermost(frame: FrameType | None) -> torch.nn.Module | None:
    found: torch.nn.Module | None = None
    while frame is not None:
        if frame.f_code is CALL_IMPL:
            found = frame.f_locals["self"]
        frame = frame.f_back
    return found


def calling(codes: Iterable[CodeType]) -> Mapping[str, object] | None:
    """The local variables of the innermost running function that has one of these codes."""
    wanted = frozenset(codes)
    frame: FrameType | None = sys._getframe(1)
    while frame is not None:
        if frame.f_code in wanted:
            return dict(frame.f_locals)
        frame = frame.f_back
    return None


def user_function(made_by: type) -> UserFunction:
    """The name and the source of a `torch.autograd.Function`."""
    try:
        file = Path(inspect.getsourcefile(made_by) or "?").name
        source = f"{file}:{inspect.getsourcelines(made_by)[1]}"
    except (OSError, TypeError):  # typed in an interactive session, or made by a program
        source = ""
    return UserFunction(made_by.__qualname__, made_by.__module__, source)
