"""The calls of a program: every ATen operation with its real inputs and outputs."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol
from weakref import WeakSet, ref

import torch

from parity.pytorch.devices import lowered
from parity.pytorch.recorder import internals
from parity.pytorch.recorder.compiled import CompiledRegion
from parity.pytorch.recorder.data import Application, Argument, Call, Geometry, Output
from parity.pytorch.recorder.functions import Functions
from parity.pytorch.recorder.places import Location, Places
from parity.pytorch.recorder.signatures import signature, tensors
from parity.pytorch.recorder.snapshots import Snapshots

if TYPE_CHECKING:
    from torch.autograd.graph import Node as GradNode


class CallListener(Protocol):
    """Who hears of a call once its outputs are final."""

    def __call__(self, call: Call, *, begins: bool) -> None:
        """`begins`: the call is part of a forward pass, not of what follows a backward pass."""


@dataclass(frozen=True, eq=False)
class Tag:
    """What is written on a node of autograd's graph: it lives, and ends, with the node."""

    id: int
    call: Call | None = None
    made: tuple[ref[torch.Tensor], ...] = ()


@dataclass
class PendingCall:
    """A call whose outputs autograd has not wrapped yet: it will have, at the next event."""

    fields: dict[str, object]
    outputs: list[torch.Tensor]
    base: torch.Tensor | None
    grad: bool
    begins: bool
    before: list[GradNode] = field(default_factory=list)  # nodes of what the call writes to
    inside: Application | None = None
    since: int = 0  # of a region: the number of the first node that is its own


class UndefinedError(Exception):
    """A definition does what cannot be done beside the program; the text says what.

    `steps`: it is part of a training's step, a backward pass or an update.
    """

    def __init__(self, what: str, *, steps: bool = False) -> None:
        super().__init__(what)
        self.what, self.steps = what, steps


class Calls:
    """Records the calls that are dispatched to it."""

    def __init__(
        self, places: Places, snapshots: Snapshots, listener: CallListener, *, inside_updates: bool
    ) -> None:
        """`inside_updates`: the calls inside of an optimizer's step are recorded too."""
        self._inside_updates = inside_updates
        self.places, self.snapshots, self._listener = places, snapshots, listener
        self.updating = False  # an optimizer's step is running
        self.opaque = False  # a compiled region is running
        self.aside = False  # what runs is no part of the program
        self._on_write: Callable[[Sequence[torch.Tensor]], None] | None = None
        self.averaging: WeakSet[torch.nn.parallel.DistributedDataParallel] = WeakSet()  # that have run
        self.count = 0
        self._pending: PendingCall | None = None
        self._key = object()
        self._ids = itertools.count()
        self.functions = Functions(self.value)
        self.on_node: Callable[[GradNode, Tag], None] | None = None  # told of each node that a call made

    # --- Nodes --------------------------------------------------------------------------------------

    def tag(self, node: GradNode) -> Tag:
        """What is known of a node of autograd's graph."""
        known = internals.notes(node).get(self._key)
        return known if isinstance(known, Tag) else self._mark(node, None, ())

    def _mark(self, node: GradNode, call: Call | None, made: Sequence[torch.Tensor]) -> Tag:
        notes = internals.notes(node)
        known = notes.get(self._key)
        number = known.id if isinstance(known, Tag) else next(self._ids)
        tag = notes[self._key] = Tag(number, call, tuple(ref(tensor) for tensor in made))
        return tag

    def untag(self, node: GradNode) -> None:
        """Let go of the call that made a node: its graph will not run again."""
        internals.notes(node).pop(self._key, None)
        self.functions.forget(node)

    # --- Calls --------------------------------------------------------------------------------------

    def run(
        self, operation: torch._ops.OpOverload, args: Sequence[object], kwargs: Mapping[str, object]
    ) -> object:
        """Run an operation, recorded. In a backward pass only what can itself be differentiated is."""
        self.settle()
        schema = signature(operation)
        backward, grad = internals.in_backward(), torch.is_grad_enabled()
        seen = (grad or not backward) and (grad or self._inside_updates or not self.updating)
        if not (seen or schema.written):
            return operation(*args, **kwargs)
        named = schema.named(args, kwargs)
        trains = named.get("training") is not False  # batch norm writes its statistics in training only
        written = [name for name in schema.written if trains and named.get(name) is not None]
        targets = [tensor for name in written for tensor in tensors(named[name])]
        location = self.places.here() if seen else None
        if location is None or location.compiled or self.opaque:
            held = self.snapshots.before_write(targets)
            found = operation(*args, **kwargs)
            internals.await_collective(operation, found)
            del held
            return found
        pending = self._begin(str(operation), named, location, backward=backward, grad=grad)
        if self._on_write is not None and targets:
            self._on_write(targets)
        pending.inside = self.functions.inside(location.applied)
        if grad and targets:
            pending.base, pending.fields["geometry"] = _in_place_on_view(targets[0])
            nodes = [internals.owner(target).grad_fn for target in targets]
            pending.before = [node for node in nodes if node is not None]
        held = self.snapshots.before_write(targets)
        found = operation(*args, **kwargs)
        internals.await_collective(operation, found)
        self._end(pending, found, {name: named[name] for name in written})
        del held
        return found

    def _begin(
        self, name: str, named: Mapping[str, object], where: Location, *, backward: bool, grad: bool
    ) -> PendingCall:
        phase = "backward-with-grad" if backward else "forward" if grad else "no_grad"
        if self.updating and not grad:
            phase = "update"
        fields: dict[str, object] = {
            "index": self.count, "operation": name, "phase": phase, "module": where.module,
            "module_class": where.module_class, "source": where.source,
            "sequence": internals.next_sequence(),
            "arguments": {key: self.value(value) for key, value in named.items()},
        }  # fmt: skip
        if where.running is not None and phase == "forward" and internals.ranks()[1] > 1:
            averaging = internals.averaging()
            if averaging is not None:
                self.averaging.add(averaging)
            fields["buffers"] = {
                ".".join(filter(None, (where.module, key))): self.snapshots.take(buffer)
                for key, buffer in where.running.named_buffers(recurse=False)
            }
        self.count += 1
        in_module = bool(where.module_class) and phase in ("forward", "no_grad")
        return PendingCall(fields, [], None, grad, in_module)

    def _end(self, pending: PendingCall, found: object, written: Mapping[str, object]) -> None:
        results = tuple(found) if isinstance(found, (tuple, list)) else (found,)
        pending.fields["results"] = tuple(self.value(result) for result in results)
        pending.fields["written"] = {name: self.value(value) for name, value in written.items()}
        pending.outputs = list(tensors(results))
        if self.snapshots.devices - {"cpu"} and pending.outputs:
            made = pending.outputs[0]
            kind, format_ = made.device.type, str(made.dtype).removeprefix("torch.")
            pending.fields["lowered"] = lowered(str(pending.fields["operation"]), kind, format_)
        self._pending = pending

    def settle(self) -> Call | None:
        """Autograd has wrapped the outputs of the last call by now: note who made them, and tell."""
        pending, self._pending = self._pending, None
        if pending is None:
            return None
        makers: dict[int, tuple[GradNode, list[torch.Tensor]]] = {}
        outputs: list[Output | None] = []
        for tensor in [pending.base] if pending.base is not None else pending.outputs:
            node = tensor.grad_fn if pending.grad and tensor.requires_grad else None
            if node is None:
                outputs.append(None)
                continue
            outputs.append(Output(self.tag(node).id, tensor.output_nr))
            # a value that was saved and is handed out again, or that a region hands on
            older = self.tag(node).call is not None or internals.sequence(node) < pending.since
            if not older and not any(node is old for old in pending.before):
                makers.setdefault(id(node), (node, []))[1].append(tensor)
        call = Call(outputs=tuple(outputs), **pending.fields)  # type: ignore[arg-type]
        if pending.inside is not None:
            self.functions.saw(pending.inside, call, pending.outputs)
        for node, made in makers.values():
            tag = self._mark(node, call, made)
            if self.on_node is not None:
                self.on_node(node, tag)
        forward = call.phase == "forward" and any(output is not None for output in outputs)
        self._listener(call, begins=pending.begins or forward)
        return call

    # --- Compiled regions -----------------------------------------------------------------------------

    @contextmanager
    def apart(self, on_write: Callable[[Sequence[torch.Tensor]], None]) -> Iterator[list[Call]]:
        """Record calls that are no part of the program; `on_write` hears what one is about to write to."""
        self.settle()
        found: list[Call] = []
        listener, self._listener = self._listener, lambda call, *, begins: found.append(call)
        self.aside, self._on_write = True, on_write
        try:
            yield found
        finally:
            self.settle()
            self.functions.leave()
            self._listener, self.aside, self._on_write = listener, False, None

    def refuse_apart(self, what: str) -> None:
        """A part of a training's step begins. Raises UndefinedError inside of `apart`."""
        if self.aside:
            raise UndefinedError(what, steps=True)

    def begin_region(
        self, region: CompiledRegion, where: Location, given: Mapping[str, object]
    ) -> PendingCall:
        """A compiled region is about to run: one call, which tells nothing of what is inside."""
        self.settle()
        name = f"compiled {region.name}"
        pending = self._begin(name, given, where, backward=False, grad=torch.is_grad_enabled())
        pending.fields |= {"compiled": True, "region": region}
        pending.since = internals.next_sequence()
        self.opaque = True
        return pending

    def abandon_region(self) -> None:
        """The region raised: it gave nothing."""
        self.opaque = False

    def end_region(
        self, pending: PendingCall, results: Sequence[torch.Tensor], written: Mapping[str, torch.Tensor]
    ) -> None:
        """The region has run. What it made in autograd's graph is its own."""
        self.opaque = False
        self._end(pending, tuple(results), written)
        call = self.settle()
        roots = [tensor.grad_fn for tensor in results if tensor.grad_fn is not None]
        for node in internals.made_since(pending.since, roots)[0]:
            if self.tag(node).call is None:
                self._mark(node, call, ())

    # --- Values -------------------------------------------------------------------------------------

    def value(self, value: object) -> Argument:
        """An argument or a result as plain data: tensors recorded, PyTorch's own objects by name."""
        if isinstance(value, torch.Tensor):
            return self.snapshots.take(value)
        if value is None or isinstance(value, (bool, int, float, complex, str)):
            return value
        if isinstance(value, (tuple, list)):
            return tuple(self.value(part) for part in value)
        if isinstance(value, dict):
            return tuple((str(key), self.value(part)) for key, part in value.items())
        if isinstance(value, torch.Generator):
            return "generator"
        if isinstance(value, torch.ScriptObject):
            return internals.scripted(value)
        return str(value).removeprefix("torch.")


def _in_place_on_view(tensor: torch.Tensor) -> tuple[torch.Tensor | None, Geometry | None]:
    """The base and the geometry of a view that an operation writes to. Asking the view itself for its
    node would make one, and so change the order in which autograd runs them.
    """
    base = internals.owner(tensor)
    if base is tensor:
        return None, None
    offset = int(tensor.storage_offset()) - int(base.storage_offset())
    return base, Geometry(tuple(base.shape), base.stride(), tuple(tensor.shape), tensor.stride(), offset)
