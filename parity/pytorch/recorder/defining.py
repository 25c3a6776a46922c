"""The eager definition of a compiled region: its own Python code, run once beside the program.

It takes the program's own tensors, so that what it takes from outside is in autograd's graph where the
compiled code takes it from too. What it changes is put back, and what it prints is not shown.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass

import torch
from torch.utils import _pytree

from parity.pytorch.recorder import graph, internals
from parity.pytorch.recorder.calls import Calls, UndefinedError
from parity.pytorch.recorder.compiled import EagerDefinition, RegionEnd
from parity.pytorch.recorder.data import AutogradNode, Backward, Call, Output, flat
from parity.pytorch.recorder.snapshots import StorageState
from parity.pytorch.recorder.untouched import untouched
from parity.render.texts.message import Message


@dataclass(frozen=True)
class Defined:
    """What was recorded, the tensors that it wrote to, and autograd's leaves that must live as long."""

    definition: EagerDefinition
    targets: list[torch.Tensor]
    kept: list[object]


def defined(
    calls: Calls,
    own: Callable[..., object],
    function: Callable[..., object],
    args: tuple[object, ...],
    kwargs: Mapping[str, object],
    given: Mapping[str, object],
) -> Defined:
    """The definition of a region that is about to run.

    `own` is the function without what `torch.compile` wraps it in, `given` are its arguments by name.
    Raises UndefinedError for what cannot be done beside the program, and whatever the function raises.
    """
    since, writing, kept = internals.next_sequence(), _Writing(calls), list[object]()
    try:
        with untouched(calls.snapshots, own, args, kwargs), calls.apart(writing) as made:
            writing.made = made
            found = function(*args, **kwargs)
            calls.settle()
            ends = tuple(end_of(calls, one, kept) for one in tensors_of(found))
            roots = [one.grad_fn for one in tensors_of(found) if one.grad_fn is not None]
            inside, outside = internals.made_since(since, roots)
            names = dict(_names(calls, given, kept))
            nodes = {calls.tag(node).id: graph.described(node, calls) for node in inside}
            labels: dict[Output, str] = {}
            for (_, slot), node in outside.items():
                tag, variable = calls.tag(node).id, internals.variable(node)
                if variable is not None:
                    kept.append(node)
                place = Output(tag, slot)
                own_name = node.name() if variable is None else calls.places.parameter(variable)
                labels[place] = names.get(place, own_name)
                nodes[tag] = AutogradNode(tag, node.name(), 0, None, (), parameter=own_name)
            written = tuple(map(calls.snapshots.take, writing.targets))
            del found, roots
    finally:
        writing.undo()
    passed = Backward(nodes, (), None, "", retained=False, needed=frozenset())
    definition = EagerDefinition(tuple(made), passed, ends, labels, written)
    return Defined(definition, writing.targets, kept)


def end_of(calls: Calls, tensor: torch.Tensor, kept: list[object]) -> RegionEnd:
    """A tensor that a region gives. What of autograd's graph would be made anew each time is kept."""
    made = calls.snapshots.take(tensor)
    if not tensor.requires_grad:
        return RegionEnd(made, None)
    with calls.snapshots.quietly():
        node, slot = graph.edge(tensor)
    if internals.variable(node) is not None:
        kept.append(node)
    return RegionEnd(made, Output(calls.tag(node).id, slot))


def tensors_of(value: object) -> Iterator[torch.Tensor]:
    """The tensors in an argument or a result, in order: in containers, and in fields of dataclasses."""
    for leaf in _pytree.tree_leaves(value):
        if isinstance(leaf, torch.Tensor):
            yield leaf
        elif is_dataclass(leaf) and not isinstance(leaf, type):
            yield from tensors_of([getattr(leaf, part.name) for part in fields(leaf)])


def _names(calls: Calls, given: Mapping[str, object], kept: list[object]) -> Iterator[tuple[Output, str]]:
    """Where the arguments are in autograd's graph, and what they are called."""
    for name, value in given.items():
        tensors = list(tensors_of(value))
        for place, tensor in enumerate(tensors):
            end = end_of(calls, tensor, kept)
            if end.output is not None:
                yield end.output, name if len(tensors) == 1 else f"{name}[{place}]"


class _Writing:
    """Hears of what is about to be written to, and puts back what was there before."""

    def __init__(self, calls: Calls) -> None:
        self._calls, self.made = calls, list[Call]()
        self.targets: list[torch.Tensor] = []
        self._before: dict[int, tuple[torch.UntypedStorage, torch.UntypedStorage]] = {}

    def __call__(self, targets: Sequence[torch.Tensor]) -> None:
        """Raises UndefinedError for a tensor that carries a gradient and was there before."""
        with self._calls.snapshots.quietly():
            for target in targets:
                if self._is_own(target):
                    continue
                if target.requires_grad:
                    raise UndefinedError(Message("region_writes"))
                storage = target.untyped_storage()
                if storage.data_ptr() not in self._before:
                    self._before[storage.data_ptr()] = storage, storage.clone()  # type: ignore[no-untyped-call]
                if not any(one is target for one in self.targets):
                    self.targets.append(target)

    def _is_own(self, target: torch.Tensor) -> bool:
        """Whether the definition itself made the memory that a tensor is in."""
        number = self._calls.snapshots.take(target).identity.storage
        for call in self.made:
            taken = {tensor.identity.storage for tensor in flat(tuple(call.arguments.values()))}
            if number in {tensor.identity.storage for tensor in call.tensors()} - taken:
                return True
        return False

    def undo(self) -> None:
        """Everything as it was; snapshots of what the definition left stay."""
        held: list[StorageState] = self._calls.snapshots.before_write(self.targets)
        with self._calls.snapshots.quietly():
            for storage, before in self._before.values():
                storage.copy_(before)
        del held
