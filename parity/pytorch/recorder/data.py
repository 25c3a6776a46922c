"""What a recording consists of. Numpy only: whoever reads a recording needs no torch."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from parity.pytorch.recorder.compiled import CompiledRegion

Values: TypeAlias = NDArray[np.generic]


class Identity(NamedTuple):
    """One state of one storage: a new state begins whenever an operation writes to the storage."""

    storage: int
    state: int


class Recorded:
    """The values of a tensor in one state of its storage.

    Calls that use the same tensor in the same state share one object. Two objects of one identity
    are views of the same memory: `offset` and `strides`, in elements, say which part.
    """

    __slots__ = (
        "__weakref__", "_array", "_read", "dtype", "identity", "layout", "offset", "shape", "strides"
    )  # fmt: skip

    def __init__(
        self,
        identity: Identity,
        dtype: str,
        shape: tuple[int, ...],
        strides: tuple[int, ...],
        offset: int,
        read: Callable[[], Values],
        layout: str = "strided",
    ) -> None:
        self.identity, self.dtype, self.layout = identity, dtype, layout
        self.shape, self.strides, self.offset = shape, strides, offset
        self._read: Callable[[], Values] | None = read
        self._array: Values | None = None

    @classmethod
    def of(cls, values: Values, dtype: str) -> Recorded:
        """Values that nobody recorded, as those of a gradient that autograd leaves out."""
        strides = tuple(stride // values.itemsize for stride in values.strides)
        made = cls(Identity(-1, 0), dtype, values.shape, strides, 0, lambda: values)
        made.freeze(values)
        return made

    @property
    def array(self) -> Values:
        """The values, not writeable; bfloat16 and float16 as float32. Keep the object, not the array:
        until the storage is written to, the array is PyTorch's own memory.
        """
        if self._array is not None:
            return self._array
        assert self._read is not None
        return self._read()

    def freeze(self, values: Values) -> None:
        """The values, from now on independent of PyTorch's memory."""
        values.flags.writeable = False
        self._array, self._read = values, None

    @property
    def frozen(self) -> bool:
        """Whether the values are independent of PyTorch's memory."""
        return self._array is not None

    @property
    def nbytes(self) -> int:
        """Bytes of the values that are held here and not in PyTorch's memory."""
        return 0 if self._array is None else self._array.nbytes

    def __reduce__(self) -> tuple[object, ...]:
        return _thawed, (tuple(self.identity), self.dtype, self.shape, self.strides, self.offset,
                         np.array(self.array), self.layout)  # fmt: skip

    def __repr__(self) -> str:
        storage, state = self.identity
        return f"Recorded({self.dtype}{list(self.shape)}, storage {storage}.{state})"


def _thawed(
    identity: tuple[int, int],
    dtype: str,
    shape: tuple[int, ...],
    strides: tuple[int, ...],
    offset: int,
    values: Values,
    layout: str,
) -> Recorded:
    again = Recorded(Identity(*identity), dtype, shape, strides, offset, lambda: values, layout)
    again.freeze(values)
    return again


Argument: TypeAlias = "Recorded | tuple[Argument, ...] | bool | int | float | complex | str | None"


class Output(NamedTuple):
    """Where a tensor comes from: an output of an autograd node."""

    node: int
    slot: int


@dataclass(frozen=True)
class Geometry:
    """A view of a base, in elements: what an operation in place on the view wrote to."""

    base_shape: tuple[int, ...]
    base_strides: tuple[int, ...]
    shape: tuple[int, ...]
    strides: tuple[int, ...]
    offset: int  # from the base's first element


@dataclass(frozen=True, eq=False)
class Call:
    """One operation that PyTorch ran."""

    index: int
    operation: str  # "aten.addmm.default"
    arguments: Mapping[str, Argument]  # by the schema's names, in its order, defaults included
    results: tuple[Argument, ...]
    written: Mapping[str, Argument]  # what the operation wrote to: its values after the call
    phase: str  # forward | backward-with-grad | update | no_grad
    module: str = ""  # path of the module that ran it; the root is ""
    module_class: str = ""
    source: str = ""  # "model.py:31", the first frame outside PyTorch
    sequence: int = 0  # autograd's counter before the call
    outputs: tuple[Output | None, ...] = ()  # of the tensors among the results; None carries no gradient
    geometry: Geometry | None = None  # of an operation in place on a view
    compiled: bool = False  # a region that ran compiled
    lowered: str = ""  # how its device computed it outside of the contract
    region: CompiledRegion | None = None  # what is known of it, while it is there
    buffers: Mapping[str, Recorded] = field(default_factory=dict)  # its module's, of one of several ranks

    def tensors(self) -> Iterator[Recorded]:
        """The tensors among the results, flat, in the order of `outputs`."""
        return flat(self.results)


def flat(values: Argument | Sequence[Argument]) -> Iterator[Recorded]:
    """The tensors in arguments or results, in order."""
    if isinstance(values, Recorded):
        yield values
    elif isinstance(values, tuple):
        for value in values:
            yield from flat(value)


@dataclass(frozen=True)
class UserFunction:
    """A `torch.autograd.Function` written in Python: its name, its module and where it is defined."""

    name: str
    module: str
    source: str


@dataclass(eq=False)
class Application:
    """One call of a `torch.autograd.Function`. `outputs` are those that carry a gradient, by their slot."""

    given: tuple[Argument, ...]
    calls: list[Call] = field(default_factory=list)  # the operations that ran inside
    outputs: dict[int, Argument] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class AutogradNode:
    """A node of autograd's graph: the vector-Jacobian product of the call that made it."""

    id: int
    name: str  # "AddmmBackward0"
    sequence: int
    call: Call | None
    next: tuple[Output | None, ...]  # one for each edge
    parameter: str | None = None  # of a leaf: where its gradient is accumulated
    custom: UserFunction | None = None
    application: Application | None = None  # of a custom one, where operations ran inside
    compiled: bool = False
    geometry: Geometry | None = None  # of a view that is seen again after its base was written to
    hooks: tuple[str, ...] = ()  # the user's own, where PyTorch shows them


@dataclass(eq=False)
class Leaf:
    """`.grad` of a leaf before and after a backward pass. None: there is none."""

    name: str
    before: Recorded | None = None
    after: Recorded | None = None


@dataclass(frozen=True)
class Root:
    """What is differentiated, and its gradient as the caller gave it. None: PyTorch puts 1."""

    output: Output
    seed: Recorded | None


class ReplicaState(NamedTuple):
    """Every parameter that is known, and its `.grad`."""

    parameters: Mapping[str, Recorded]
    gradients: Mapping[str, Recorded]  # without those that are None
    averaging: tuple[str, ...]  # what makes something else of their average than the mean of all ranks


@dataclass(eq=False)
class Backward:
    """One run of autograd: `backward()` or `autograd.grad()`."""

    nodes: dict[int, AutogradNode]
    roots: tuple[Root, ...]
    inputs: tuple[Output, ...] | None  # what alone was asked for; None: all leaves
    source: str
    retained: bool  # the graph may run again
    needed: frozenset[int]  # nodes on the way to what was asked for
    grad_out: dict[int, list[Recorded | None]] = field(default_factory=dict)  # in the order they ran
    grad_in: dict[int, list[Recorded | None]] = field(default_factory=dict)
    leaves: dict[int, Leaf] = field(default_factory=dict)
    found: tuple[Recorded | None, ...] = ()  # what autograd.grad returned, one for each of `inputs`
    senders: Mapping[Output, tuple[tuple[int, int], ...]] = field(default_factory=dict)  # (node, edge)
    replica: tuple[ReplicaState, ReplicaState] | None = None  # before and after, of one of several ranks

    def asked(self, node: int, edge: int) -> bool:
        """Whether a gradient was asked for on an edge. Where it was and `grad_in` is None, it is zero."""
        target = self.nodes[node].next[edge]
        return target is not None and target.node in self.needed

    def shares(self, output: Output, without: frozenset[int] = frozenset()) -> list[Recorded]:
        """What arrived at an output: from its users, in the order they ran, and from the caller."""
        ran = self.grad_in.keys() - without
        users = [sent for sent in self.senders.get(output, ()) if sent[0] in ran]
        if len(users) > 1:
            order = {node: place for place, node in enumerate(self.grad_in)}
            users.sort(key=lambda sent: order[sent[0]])
        found = [self.grad_in[node][edge] for node, edge in users]
        seeds = [root.seed for root in self.roots if root.output == output]
        return [share for share in (*seeds, *found) if share is not None]

    def forget(self, node: int) -> None:
        """Let go of the call and of the gradients that only this node needed, once it is dealt with."""
        self.nodes[node] = replace(self.nodes[node], call=None, application=None)
        self.grad_out[node] = [None] * len(self.grad_out[node])
        for slot in range(len(self.grad_out[node])):
            for user, edge in self.senders.get(Output(node, slot), ()):
                if user in self.grad_in:
                    self.grad_in[user][edge] = None


@dataclass(eq=False)
class ParameterUpdate:
    """One parameter in one step of an optimizer; the hyperparameters are its group's."""

    name: str
    hyperparameters: Mapping[str, Argument]
    before: Recorded
    gradient: Recorded | None
    state_before: Mapping[str, Argument]
    after: Recorded | None = None
    state_after: Mapping[str, Argument] = field(default_factory=dict)


@dataclass(eq=False)
class Update:
    """One call of `optimizer.step()`."""

    optimizer: str
    count: int  # how many steps this optimizer made while it was recorded, this one included
    parameters: tuple[ParameterUpdate, ...]
    first: int  # index of the first call inside, and of the first one after it
    last: int
    inner: bool = False  # another optimizer made it, as a part of its own step


@dataclass(eq=False)
class Step:
    """A backward pass that reaches a parameter, what led to it, and the updates that followed."""

    index: int
    calls: tuple[Call, ...] = ()
    backwards: tuple[Backward, ...] = ()
    updates: tuple[Update, ...] = ()
    module_hooks: tuple[tuple[str, str], ...] = ()  # path of a module, kind of the user's hook
    remarks: tuple[str, ...] = ()  # what happened and could not be recorded
