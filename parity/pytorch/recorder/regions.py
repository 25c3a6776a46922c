"""What `torch.compile` made: each call of it runs as it would have run, and is one call.

Beside it, and before, its own Python code runs eagerly once, recorded apart: its definition.
"""

from __future__ import annotations

import inspect
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import FrameType, MethodType

import torch

from parity.errors import quoted
from parity.pytorch.recorder import internals
from parity.pytorch.recorder.calls import Calls, PendingCall, UndefinedError
from parity.pytorch.recorder.compiled import CompiledRegion
from parity.pytorch.recorder.defining import Defined, defined, end_of, tensors_of
from parity.pytorch.recorder.places import Location
from parity.pytorch.recorder.snapshots import StorageState
from parity.render.texts.message import Message


@dataclass
class _Running:
    """A region that is running, in the frame that will hold its result."""

    frame: FrameType
    region: CompiledRegion
    pending: PendingCall
    beside: Defined | None
    held: list[StorageState]  # of what it may write to, which no operation tells


class Regions:
    """Records the calls of what `torch.compile` made, from when it is entered until it is left."""

    def __init__(self, calls: Calls, remark: Callable[[str], None]) -> None:
        self._calls, self._remark = calls, remark
        self._running: _Running | None = None
        self._thread: int | None = None  # the one that entered
        self._give_back: Callable[[], None] | None = None
        self.recording = False

    def enter(self) -> None:
        """From now on every call tells, whenever the function was compiled."""
        self._thread = threading.get_ident()
        self._give_back = internals.tell_of_compiled(self._begins, self._ends)

    def leave(self) -> None:
        """Nothing is told any more."""
        if self._give_back is not None:
            self._give_back()
        self._give_back = self._thread = None

    def _begins(self, frame: FrameType) -> bool:
        """Whether the function is to run compiled: not inside of a definition."""
        if threading.get_ident() != self._thread:
            return True
        if self._calls.aside:
            return False
        if not self.recording or self._calls.opaque:
            return True
        self._calls.settle()
        told = frame.f_locals
        function, args, kwargs = told["fn"], told["args"], told["kwargs"]
        own = inspect.unwrap(function)
        given = _named(own, args, kwargs)
        where = self._place(own)
        region = CompiledRegion(_called(own), backend=internals.backend_of(frame))
        beside = None
        try:
            beside = defined(self._calls, own, function, args, kwargs, given)
        except UndefinedError as refused:
            region.reason = refused.what
            if refused.steps:  # what of it is not compiled is recorded as ever
                if region.reason:
                    self._remark(
                        Message("region_refused", name=region.name, where=where.source, reason=refused.what)
                    )
                return True
        except Exception as error:  # the compiled code may do where this fails, and the program goes on
            said = quoted(f"{type(error).__name__}: {error}", 200)
            region.reason = Message("region_raised", error=said)
        if beside is not None:
            region.definition, region.kept = beside.definition, beside.kept
        pending = self._calls.begin_region(region, where, given)
        writes = [*tensors_of(given)] if beside is None else beside.targets
        held = self._calls.snapshots.before_write(writes)
        self._running = _Running(frame, region, pending, beside, held)
        return True

    def _ends(self, frame: FrameType) -> None:
        running = self._running
        if running is None or running.frame is not frame:
            return
        self._running = None
        if not frame.f_locals["call_succeeded"]:
            self._calls.abandon_region()
            return
        results = list(tensors_of(frame.f_locals.get("result")))
        targets = running.beside.targets if running.beside else []
        region = running.region
        region.ends = tuple(end_of(self._calls, one, region.kept) for one in results)
        region.written = tuple(map(self._calls.snapshots.take, targets))
        written = {str(place): target for place, target in enumerate(targets)}
        self._calls.end_region(running.pending, results, written)

    def _place(self, function: Callable[..., object]) -> Location:
        """The module that is compiled, and the line of the user's program that calls it."""
        here = self._calls.places.here()
        module = _owner(function)
        if module is None:
            return here
        path = self._calls.places.module(module, module)
        return Location(path, type(module).__name__, here.source, compiled=True)


def _owner(function: object) -> torch.nn.Module | None:
    """The module that a function is, or is a method of."""
    inside = function.__self__ if isinstance(function, MethodType) else function
    return internals.original(inside) if isinstance(inside, torch.nn.Module) else None


def _called(function: Callable[..., object]) -> str:
    module = _owner(function)
    return getattr(function, "__name__", "function") if module is None else type(module).__name__


def _named(
    function: Callable[..., object], args: tuple[object, ...], kwargs: Mapping[str, object]
) -> dict[str, object]:
    """The arguments by the names that the function has for them; those that it has none for, by place."""
    module = _owner(function)
    try:
        signature = inspect.signature(module.forward if module is not None else function)
        return dict(signature.bind(*args, **kwargs).arguments)
    except (TypeError, ValueError):
        return {**{str(place): value for place, value in enumerate(args)}, **kwargs}
