"""What Python code can change, noted before it runs and put back after.

Random numbers, and whatever can be reached from a function and its arguments: attributes of objects,
contents of lists, dictionaries and sets, variables of closures, global variables that its code names.
What is reached through C code, or written to a file, is not put back.
"""

from __future__ import annotations

import copy
import io
import random
from collections import Counter, OrderedDict, defaultdict, deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stdout
from functools import partial
from types import BuiltinFunctionType, CodeType, FunctionType, MethodType, ModuleType
from typing import Any, cast

import numpy as np
import torch

from parity.pytorch.recorder.snapshots import Snapshots

CONTAINERS = (list, dict, set, deque, OrderedDict, defaultdict, Counter)
LEAVES = (str, bytes, int, float, complex, type(None), torch.Tensor, ModuleType, type, BuiltinFunctionType)
MOST = 50_000
"""Objects that are looked at; of a longer list only the length is looked at, not what is in it."""
LONG = 1000
MISSING = object()


@contextmanager
def untouched(snapshots: Snapshots, *reached: object) -> Iterator[None]:
    """Put back what is changed inside; show nothing, and leave autocast's memory of casts alone."""
    state, restore = _State(reached), _random(snapshots)
    casts = torch.is_autocast_cache_enabled()
    torch.set_autocast_cache_enabled(False)
    try:
        with (
            redirect_stdout(io.StringIO()),
            torch.autograd.graph.saved_tensors_hooks(lambda saved: saved, lambda saved: saved),
        ):
            yield
    finally:
        torch.set_autocast_cache_enabled(casts)
        restore()
        state.restore()


class _State:
    """What can be reached from some objects, as it is now."""

    def __init__(self, reached: object) -> None:
        self._undo: list[Callable[[], None]] = []
        self._seen: dict[int, object] = {}
        waiting = [reached]
        while waiting and len(self._seen) < MOST:
            one = waiting.pop()
            if id(one) not in self._seen and not isinstance(one, LEAVES):
                self._seen[id(one)] = one  # as long as it lives, so does its identity
                waiting += self._inside(one)

    def restore(self) -> None:
        """Everything as it was."""
        for undo in self._undo:
            undo()

    def _inside(self, one: object) -> list[object]:
        """What an object leads to; it is noted how to put it back."""
        if isinstance(one, FunctionType):
            return self._function(one)
        if isinstance(one, MethodType):
            return [one.__self__, one.__func__]
        if type(one) in CONTAINERS:
            return self._container(cast("Any", one))
        if isinstance(one, tuple | frozenset):
            return list(one)
        own = getattr(one, "__dict__", None)
        module = isinstance(one, torch.nn.Module)
        if not isinstance(own, dict) or (not module and _foreign(type(one).__module__)):
            return []
        self._note(own)
        called = [getattr(type(one), name, None) for name in ("forward", "__call__")]
        return [*own.values(), *(found for found in called if isinstance(found, FunctionType))]

    def _container(self, one: Any) -> list[object]:
        self._note(one)
        if len(one) > LONG:
            return []
        return list(one.values()) if isinstance(one, dict) else list(one)

    def _note(self, container: Any) -> None:
        before = copy.copy(container)

        def undo() -> None:
            if _same(container, before):
                return
            container.clear()
            container.extend(before) if isinstance(container, list | deque) else container.update(before)

        self._undo.append(undo)

    def _function(self, function: FunctionType) -> list[object]:
        if _foreign(function.__module__ or ""):
            return [function.__wrapped__] if hasattr(function, "__wrapped__") else []
        found: list[object] = [function.__defaults__ or (), function.__kwdefaults__ or {}]
        for cell in function.__closure__ or ():
            try:
                contents = cell.cell_contents
            except ValueError:  # nothing is in it yet
                continue
            self._undo.append(partial(setattr, cell, "cell_contents", contents))
            found.append(contents)
        known = function.__globals__
        for name in _names(function.__code__):
            value = known.get(name, MISSING)
            if value is not MISSING:
                self._undo.append(partial(known.__setitem__, name, value))
                found.append(value)
        return found


def _same(container: Any, before: Any) -> bool:
    """Whether two containers hold the same objects: tensors cannot be asked whether they are equal."""
    pairs = [container, before]
    if isinstance(container, dict):
        if list(map(id, container)) != list(map(id, before)):
            return False
        pairs = [container.values(), before.values()]
    return [id(one) for one in pairs[0]] == [id(one) for one in pairs[1]]


def _names(code: CodeType) -> Iterator[str]:
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _names(constant)


def _foreign(module: str) -> bool:
    """Whether code is of a library that keeps its own state."""
    return module.partition(".")[0] in ("torch", "numpy", "builtins", "parity", "reference")


def _random(snapshots: Snapshots) -> Callable[[], None]:
    """What puts back the state of random numbers: Python's, numpy's and PyTorch's."""
    python, numpy = random.getstate(), np.random.get_state()
    cuda = bool(torch.cuda.is_initialized())  # type: ignore[no-untyped-call]
    with snapshots.quietly():
        own, devices = torch.get_rng_state(), torch.cuda.get_rng_state_all() if cuda else []

    def restore() -> None:
        random.setstate(python)
        np.random.set_state(numpy)
        with snapshots.quietly():
            torch.set_rng_state(own)
            if cuda:
                torch.cuda.set_rng_state_all(devices)

    return restore
