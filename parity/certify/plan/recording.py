"""Numbers that record what numpy does with them, for the rules of the bounded arithmetic to run on."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
from numpy.lib.mixins import NDArrayOperatorsMixin

from parity.bounds import Bounded, sliced
from parity.certify.plan.node import Making, TapeNode, Values
from parity.certify.plan.tape import CallTape, UnplannableError
from reference.arrays import PRIMITIVES


class RecordingArray(NDArrayOperatorsMixin):
    """An array of a tape. It implements numpy's functions by recording them.

    Shapes are those of one side, also where the node holds both sides' arrays. A `bool` of it is a
    decision that every replay must repeat.
    """

    __slots__ = ("node", "tape")

    def __init__(self, tape: CallTape, node: TapeNode) -> None:
        self.tape, self.node = tape, node

    @property
    def shape(self) -> tuple[int, ...]:
        return self.node.shape

    @property
    def ndim(self) -> int:
        return len(self.node.shape)

    @property
    def size(self) -> int:
        return int(np.prod(self.node.shape, dtype=int))

    @property
    def dtype(self) -> np.dtype[Any]:
        dtype: np.dtype[Any] = self.node.value.dtype
        return dtype

    @property
    def T(self) -> RecordingArray:
        return self.transpose()

    def transpose(self, *axes: Any) -> RecordingArray:
        """As `numpy.ndarray.transpose`."""
        order = axes[0] if len(axes) == 1 and not isinstance(axes[0], int) else axes
        return self._turned(tuple(order or reversed(range(self.ndim))))

    def swapaxes(self, one: int, other: int) -> RecordingArray:
        """As `numpy.ndarray.swapaxes`."""
        order = list(range(self.ndim))
        order[one], order[other] = order[other], order[one]
        return self._turned(tuple(order))

    def reshape(self, *shape: Any) -> RecordingArray:
        """As `numpy.ndarray.reshape`, but a copy."""
        if not self.node.stacked:
            key = ("reshape", repr(shape))
            node = self.tape.made(
                Making.CALL, "reshape", lambda array: array.reshape(*shape), (self.node,), key, view=key
            )
            return RecordingArray(self.tape, node)
        return self._called("reshape", lambda array: array.reshape(*shape), (self,), repr(shape))

    def __getitem__(self, index: Any) -> RecordingArray:
        parts = index if isinstance(index, tuple) else (index,)
        if not self.node.stacked and all(isinstance(part, _BASIC) for part in parts):
            return self._seen("getitem", lambda array: array[index], repr(index))
        return self._called("getitem", lambda array, at: array[at], (self, index))

    def astype(self, dtype: npt.DTypeLike, *, copy: bool = True) -> RecordingArray:
        """As `numpy.ndarray.astype`."""
        wanted = np.dtype(dtype)
        node = self.tape.made(
            Making.CAST, "cast", lambda array: array.astype(wanted), (self.node,), wanted.str, dtype=wanted
        )
        return RecordingArray(self.tape, node)

    def sum(self, axis: Any = None, *, keepdims: bool = False) -> RecordingArray:
        """As `numpy.ndarray.sum`."""
        return self._reduced(np.add, axis, keepdims=keepdims)

    def max(self, axis: Any = None, *, keepdims: bool = False) -> RecordingArray:
        """As `numpy.ndarray.max`."""
        return self._reduced(np.maximum, axis, keepdims=keepdims)

    def min(self, axis: Any = None, *, keepdims: bool = False) -> RecordingArray:
        """As `numpy.ndarray.min`."""
        return self._reduced(np.minimum, axis, keepdims=keepdims)

    def __bool__(self) -> bool:
        return self.tape.require(self.node)

    def __len__(self) -> int:
        return self.shape[0]

    def __iter__(self) -> Iterator[RecordingArray]:
        return (self[place] for place in range(len(self)))

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        raise UnplannableError(f"numpy.ndarray.{name}")

    def __float__(self) -> float:
        raise UnplannableError("a number was read")

    def __array__(self, *_: Any, **__: Any) -> Values:
        raise UnplannableError("an array was read")

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **options: Any) -> Any:
        options.pop("out", None)
        if any(isinstance(value, Bounded) for value in inputs):
            return NotImplemented
        if ufunc.__name__ in ("everywhere (vectorized)", "somewhere (vectorized)"):
            special = ufunc.__name__.startswith("everywhere")
            return self.tape.decided(self.node, special=special)
        if ufunc.__name__ in PRIMITIVES:
            return self._called(ufunc.__name__, PRIMITIVES[ufunc.__name__], inputs)
        if method == "reduce" and set(options) <= {"axis", "keepdims", "initial"}:
            return self._reduced(ufunc, **{"axis": 0, "keepdims": False, **options})
        if method != "__call__" or options:
            raise UnplannableError(f"numpy.{ufunc.__name__} ({method})")
        return self._applied(ufunc, inputs)

    def __array_function__(
        self, function: Callable[..., Any], types: Any, inputs: Any, options: Any
    ) -> Any:
        name = function.__name__
        if name == "reshape":
            return self.reshape(*inputs[1:])
        if name == "where":
            return self._chosen(*inputs)
        if name in _REDUCTIONS:
            settled = {"axis": None, "keepdims": False, **options}
            return self._reduced(_REDUCTIONS[name], *inputs[1:], **settled)
        if name == "broadcast_to":
            return self._spread(*inputs)
        if name in ("shape", "ndim", "size"):
            return getattr(self, name)
        if name == "broadcast_arrays":
            shape = np.broadcast_shapes(*(np.shape(part) for part in inputs))
            return tuple(np.broadcast_to(part, shape) for part in inputs)
        options = {
            key: value[()] if isinstance(value, np.ndarray) and not value.ndim else value
            for key, value in options.items()
        }
        if not all(map(_simple, options.values())):
            raise UnplannableError(f"numpy.{name} with an option that is not simple")
        if name in _VIEWS and not self.node.stacked and inputs[0] is self:
            rest = inputs[1:]
            return self._seen(name, lambda array: function(array, *rest, **options), repr((rest, options)))
        return self._called(name, lambda *parts: function(*parts, **options), inputs, repr(options))

    # --- Recording ---

    def _nodes(self, values: tuple[Any, ...]) -> tuple[TapeNode, ...]:
        return tuple(v.node if isinstance(v, RecordingArray) else self.tape.constant(v) for v in values)

    def _applied(self, ufunc: np.ufunc, inputs: tuple[Any, ...]) -> RecordingArray:
        nodes = self._nodes(inputs)
        number = all(
            isinstance(value, int | float) or node.number for value, node in zip(inputs, nodes, strict=True)
        )
        if number and ufunc is np.power:
            power = self._called("power", _power, inputs)
            power.node.number = True
            return power
        if ufunc is np.matmul and min(len(node.shape) for node in nodes) < 2:
            return self._called("matmul", np.matmul, inputs)
        function = _product if ufunc is np.matmul else ufunc
        made = self.tape.elementwise(Making.UFUNC, ufunc.__name__, function, nodes)
        made.number = number
        return RecordingArray(self.tape, made)

    def _reduced(self, ufunc: np.ufunc, axis: Any = None, **options: Any) -> RecordingArray:
        if self.node.stacked:
            axes = range(self.ndim) if axis is None else (axis,) if isinstance(axis, int) else axis
            axis = tuple(1 + place % self.ndim for place in axes)
        settled = {"axis": axis, **options}
        made = self.tape.made(
            Making.REDUCE,
            f"{ufunc.__name__}.reduce",
            lambda array: ufunc.reduce(array, **settled),
            (self.node,),
            repr(sorted(settled.items())),
            ufunc=ufunc,
            **settled,
        )
        return RecordingArray(self.tape, made)

    def _chosen(self, *inputs: Any) -> RecordingArray:
        nodes = self._nodes(inputs)
        return RecordingArray(self.tape, self.tape.elementwise(Making.WHERE, "where", np.where, nodes))

    def _spread(self, array: Any, shape: Any) -> RecordingArray:
        wanted = (shape,) if isinstance(shape, int) else tuple(shape)
        if not isinstance(array, RecordingArray):
            raise UnplannableError("a shape was computed")
        return (
            array
            if array.shape == wanted
            else RecordingArray(self.tape, self.tape.spread(array.node, wanted))
        )

    def _turned(self, order: tuple[int, ...]) -> RecordingArray:
        if order == tuple(range(self.ndim)):
            return self
        whole = (0, *(1 + place % self.ndim for place in order)) if self.node.stacked else order
        node = self.tape.view("transpose", lambda array: array.transpose(whole), self.node, whole)
        return RecordingArray(self.tape, node)

    def _seen(self, name: str, move: Callable[[Values], Values], key: Hashable) -> RecordingArray:
        """A view of the array."""
        return RecordingArray(self.tape, self.tape.view(name, move, self.node, (name, key)))

    def _called(
        self, name: str, function: Callable[..., Any], inputs: Any, key: Hashable = ()
    ) -> RecordingArray:
        """Any other function, of each side in turn."""
        found: list[TapeNode] = []
        template = self._taken_out(inputs, found)
        stacked = [node.stacked for node in found]

        def call(*arrays: Values) -> Any:
            return function(*_put_back(template, iter(arrays)))

        def both(*arrays: Values) -> Any:
            sides = ([a[i] if s else a for a, s in zip(arrays, stacked, strict=True)] for i in (0, 1))
            return np.stack([call(*side) for side in sides])

        made = self.tape.made(
            Making.CALL, name, both if any(stacked) else call, tuple(found), (key, repr(template))
        )
        return RecordingArray(self.tape, made)

    def _taken_out(self, value: Any, found: list[TapeNode]) -> Any:
        """A function's arguments, with a place in the order of `found` for each array."""
        if isinstance(value, RecordingArray | np.ndarray):
            found.append(*self._nodes((value,)))
            return _PLACE
        if isinstance(value, list | tuple):
            return type(value)(self._taken_out(part, found) for part in value)
        if not isinstance(value, _SIMPLE):
            raise UnplannableError(f"an argument that is {type(value).__name__}")
        return value


_REDUCTIONS: dict[str, np.ufunc] = {
    "max": np.maximum,
    "amax": np.maximum,
    "min": np.minimum,
    "amin": np.minimum,
    "any": np.logical_or,
    "all": np.logical_and,
}
_VIEWS = {"sliding_window_view", "expand_dims", "moveaxis", "flip"}
_BASIC = (int, slice, type(None), type(...))
_PLACE = type("Place", (), {"__repr__": lambda self: "place"})()
_SIMPLE = (int, float, str, slice, type(None), type(...), np.generic, type, np.dtype)


def _simple(value: Any) -> bool:
    """Whether a value is written in full by its `repr`."""
    return all(map(_simple, value)) if isinstance(value, tuple | list) else isinstance(value, _SIMPLE)


def _put_back(template: Any, arrays: Iterator[Values]) -> Any:
    if template is _PLACE:
        return next(arrays)
    if isinstance(template, list | tuple):
        return type(template)(_put_back(part, arrays) for part in template)
    return template


def _power(base: Any, exponent: Any) -> float:
    """As Python has it, which combines numbers that are no arrays."""
    return float(float(base) ** float(exponent))


def _product(x: Values, y: Values) -> Values:
    """x @ y in the memory layout of y, whose columns or rows are contiguous for a reason."""
    made = sliced.product(x, y)
    turned = abs(y.strides[-1]) > abs(y.strides[-2])
    return np.ascontiguousarray(made.swapaxes(-1, -2)).swapaxes(-1, -2) if turned else made
