"""Which formulas can be evaluated block by block: those whose results each need only their own block.

A formula has no branch on values, since numbers with bounds cannot decide one. Run once on shapes alone,
it shows every function that it calls, and on what: a trace. Two rules make the blocks' results those of
the whole:

* numbers along the axis that is divided never meet: elementwise functions keep the axis in its place,
  sums and maxima run along others, movements carry it along, and a product of matrices has it among its
  rows, its columns or its batches;
* the trace of a block is the trace of the whole, so that no size of the divided axis has entered the
  formula as a number.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import numpy as np
from numpy.lib.mixins import NDArrayOperatorsMixin
from numpy.lib.stride_tricks import as_strided

Shape: TypeAlias = tuple[int, ...]

ELEMENTARY = (
    np.positive, np.negative, np.absolute, np.add, np.subtract, np.multiply, np.divide, np.square,
    np.reciprocal, np.sqrt, np.exp, np.expm1, np.log, np.log1p, np.tanh, np.sin, np.cos, np.power,
    np.maximum, np.minimum, np.fmax, np.greater, np.greater_equal, np.less, np.less_equal, np.equal,
    np.not_equal, np.logical_and, np.logical_or, np.logical_not, np.sign,
)  # fmt: skip
PRIMITIVES = ("select", "larger", "smaller", "root", "erf", "exp_u20", "blend", "accumulated", "full_like")
POINTWISE = {function.__name__ for function in ELEMENTARY} | {f"{name} (vectorized)" for name in PRIMITIVES}
"""Functions of which each result needs one number of each operand."""

CARRIED = frozenset(
    {"swapaxes", "transpose", "moveaxis", "expand_dims", "broadcast_to", "flip", "sliding_window_view"}
)
FILLED = frozenset({"where", "full_like", "zeros_like", "ones_like"})
REDUCTIONS = frozenset({"add", "maximum", "minimum"})
SUMMARIES = frozenset({"sum", "mean", "max", "min"})


class InseparableError(Exception):
    """Numbers of different blocks may meet."""


class CallTrace:
    """What a formula called: each function with its operands, by their number, and its constants."""

    def __init__(self, length: int) -> None:
        self.length = length  # of the axis that is divided
        self.calls: list[object] = []
        self.pointwise = True  # of every call, operands of one shape or single numbers
        self.shared = 0  # the size of the largest matrix that is not divided, among those in products

    def operand(self, shape: Shape, at: int) -> Traced:
        """A tensor that the formula takes."""
        self.calls.append("operand")
        return Traced(self, shape, at, len(self.calls))

    def call(
        self, name: str, operands: Sequence[object], constants: object, shape: Shape, at: int
    ) -> Traced:
        """Note a call."""
        self.calls.append((name, tuple(map(_noted, operands)), constants))
        return Traced(self, shape, at, len(self.calls))


def _noted(value: object) -> object:
    if isinstance(value, Traced):
        return value.name
    if isinstance(value, np.ndarray):
        return value.shape, value.dtype, value.tobytes()
    return repr(value)


class Traced(NDArrayOperatorsMixin):
    """A tensor without values. `at` says which axis is divided, counted from the last as 1; 0: none."""

    __slots__ = ("at", "name", "shape", "trace")

    def __init__(self, trace: CallTrace, shape: Shape, at: int, name: object) -> None:
        self.trace, self.shape, self.at, self.name = trace, shape, at, name

    @property
    def ndim(self) -> int:
        return len(self.shape)

    @property
    def size(self) -> int:
        return math.prod(self.shape)

    @property
    def T(self) -> Traced:
        return self._moved("T", np.transpose)

    def transpose(self, *axes: Any) -> Traced:
        """As numpy's."""
        return self._moved("transpose", lambda part: part.transpose(*axes), axes)

    def swapaxes(self, one: int, other: int) -> Traced:
        """As numpy's."""
        return self._moved("swapaxes", lambda part: part.swapaxes(one, other), one, other)

    def reshape(self, *shape: Any) -> Traced:
        """As numpy's; the divided axis keeps as many numbers in front of it, and may take in others."""
        given = tuple(shape[0]) if isinstance(shape[0], tuple | list) else shape
        known = math.prod(size for size in given if size != -1)
        sizes = tuple(self.size // max(known, 1) if size == -1 else size for size in given)
        if math.prod(sizes) != self.size:
            raise InseparableError("reshape")
        self.trace.pointwise = False
        if not self.at:
            return self.trace.call("reshape", (self,), sizes, sizes, 0)
        before, n = math.prod(self.shape[: self.ndim - self.at]), self.trace.length
        for place, size in enumerate(sizes):
            if size % n == 0 and math.prod(sizes[:place]) == before:
                rest = sizes[:place], size // n, sizes[place + 1 :]
                return self.trace.call("reshape", (self,), rest, sizes, len(sizes) - place)
        raise InseparableError("reshape")

    def __getitem__(self, index: Any) -> Traced:
        """As numpy's, with an index of slices, numbers and new axes."""
        parts = index if isinstance(index, tuple) else (index,)
        if not all(part is None or part is Ellipsis or isinstance(part, int | slice) for part in parts):
            raise InseparableError("an array as an index")
        return self._moved("getitem", lambda part: part[index], repr(index))

    def _moved(self, name: str, move: Callable[[Any], Any], *constants: object) -> Traced:
        """A movement of views, with the axis that is divided as the only one that has a stride."""
        self.trace.pointwise = False
        strides = [0] * self.ndim
        n = self.shape[-self.at] if self.at else 1
        if self.at:
            strides[-self.at] = 1
        base = np.zeros(n, np.int8)
        found = move(as_strided(base, self.shape, strides))
        places = [axis for axis, stride in enumerate(found.strides) if stride]
        if self.at and (len(places) != 1 or found.strides[places[0]] != 1 or found.shape[places[0]] != n):
            raise InseparableError(name)
        at = found.ndim - places[0] if self.at else 0
        return self.trace.call(name, (self,), constants, found.shape, at)

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **options: Any) -> Traced:
        """The result of an elementwise function, of a sum or maximum along axes, or of a product."""
        name = ufunc.__name__
        options.pop("out", None)
        if method == "reduce" and name in REDUCTIONS:
            return _reduced(name, inputs[0], **({"axis": 0} | options))
        if method == "__call__" and name == "matmul":
            return _product(*map(self._as_operand, inputs))
        if name in ("certain_nans (vectorized)", "any_order (vectorized)"):
            return inputs[0]  # type: ignore[no-any-return]  # its numbers are where their terms are
        if name == "variance (vectorized)":
            x, axis, mean, n = inputs
            return _reduced(
                name, self._elementwise("subtract", (x, mean)), axis, keepdims=True, also=repr(n)
            )
        if method != "__call__" or name not in POINTWISE or options:
            raise InseparableError(name)
        return self._elementwise(name, inputs)

    def __array_function__(
        self, function: Callable[..., Any], types: Any, inputs: tuple[Any, ...], options: dict[str, Any]
    ) -> Any:
        name = function.__name__
        if name in ("shape", "ndim", "size") and len(inputs) == 1:
            return getattr(inputs[0], name)
        if name in FILLED and (name != "where" or len(inputs) == 3) and not options:
            return self._elementwise(name, inputs)
        if name == "reshape":
            return inputs[0].reshape(*inputs[1:], **options)
        if name in SUMMARIES and isinstance(inputs[0], Traced):
            given = dict(zip(("axis",), inputs[1:], strict=True)) | options
            return _reduced(name, inputs[0], **({"axis": None} | given))
        if name == "pad" and isinstance(inputs[0], Traced):
            return _padded(inputs[0], *inputs[1:], **options)
        if name == "repeat" and inputs[1] == 1:
            return inputs[0]._moved(name, lambda part: part, options)
        if name in CARRIED and isinstance(inputs[0], Traced):
            moved = inputs[0]
            return moved._moved(
                name, lambda part: function(part, *inputs[1:], **options), *_sizes(inputs, moved)
            )
        raise InseparableError(name)

    def _as_operand(self, value: Any) -> Traced:
        if isinstance(value, Traced):
            return value
        return Traced(self.trace, tuple(np.shape(value)), 0, _noted(value))

    def _elementwise(self, name: str, inputs: Sequence[Any]) -> Traced:
        operands = [self._as_operand(value) for value in inputs]
        shape = np.broadcast_shapes(*(operand.shape for operand in operands))
        at = max(operand.at for operand in operands)
        for operand in operands:
            if operand.at not in (0, at) or (
                not operand.at and at <= operand.ndim and at and operand.shape[-at] != 1
            ):
                raise InseparableError(name)
            if operand.size != 1 and operand.shape != shape:
                self.trace.pointwise = False
        return self.trace.call(name, inputs, None, shape, at)


def _sizes(inputs: Sequence[Any], moved: Traced) -> list[object]:
    """The constants of a movement; a shape without the axis that is divided."""
    return [
        tuple(size for place, size in enumerate(value) if moved.at != len(value) - place)
        if isinstance(value, tuple | list) and moved.at
        else value
        for value in inputs[1:]
    ]


def _reduced(name: str, x: Any, axis: Any, *, keepdims: bool = False, also: object = None) -> Traced:
    axes = tuple(range(x.ndim)) if axis is None else axis if isinstance(axis, tuple) else (axis,)
    axes = tuple(sorted(one % x.ndim for one in axes))
    divided = x.ndim - x.at
    if x.at and divided in axes:
        raise InseparableError(name)
    shape = tuple(
        1 if place in axes else size for place, size in enumerate(x.shape) if keepdims or place not in axes
    )
    at = x.at if keepdims or not x.at else x.at - sum(place > divided for place in axes)
    trace: CallTrace = x.trace
    trace.pointwise = False
    return trace.call(name, (x,), ("reduce", axes, keepdims, also), shape, at)


def _padded(x: Traced, width: Sequence[tuple[int, int]], **options: Any) -> Traced:
    if options.keys() - {"constant_values"} or (x.at and tuple(width[-x.at]) != (0, 0)):
        raise InseparableError("pad")
    x.trace.pointwise = False
    shape = tuple(size + sum(pair) for size, pair in zip(x.shape, width, strict=True))
    return x.trace.call("pad", (x,), (repr(width), repr(options)), shape, x.at)


def _product(x: Traced, y: Traced) -> Traced:
    if x.ndim < 2 or y.ndim < 2 or x.at == 1 or y.at == 2:
        raise InseparableError("matmul")
    lead = np.broadcast_shapes(x.shape[:-2], y.shape[:-2])
    at = x.at or y.at
    if x.at and y.at and x.at != y.at:
        raise InseparableError("matmul")
    if at >= 3:
        for part in (x, y):
            if not part.at and part.ndim >= at and part.shape[-at] != 1:
                raise InseparableError("matmul")
    trace = x.trace
    trace.pointwise = False
    for part in (x, y):
        trace.shared = trace.shared if part.at else max(trace.shared, part.size)
    return trace.call("matmul", (x, y), None, (*lead, x.shape[-2], y.shape[-1]), at)
