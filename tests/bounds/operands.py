"""Hard operands: what makes rounding show, in any format, and the ends of what an operand may be."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import mpmath
import numpy as np

from parity.bounds import Bounded, exact
from parity.bounds.formats import Arithmetic

KINDS = ("normal", "cancelling", "tiny", "subnormal", "huge", "largest", "wide", "zeros", "ones")

to_mp = np.frompyfunc(lambda value: mpmath.mpf(float(value)), 1, 1)
mpmath.mp.prec = 300


def mp(values):
    """Floats of up to 106 bits as numbers of 300 bits; exact."""
    values = np.asarray(values)
    high = values.astype(np.float64)
    low = np.where(np.isfinite(high), values - high.astype(values.dtype), 0).astype(np.float64)
    return np.asarray(to_mp(high) + to_mp(low), dtype=object)


def drawn(random: np.random.Generator, dtype, kind: str, shape: tuple[int, ...]):
    """Floats of a kind, of both signs."""
    info = np.finfo(dtype)
    normal = random.normal(size=shape)
    if kind == "cancelling":  # two neighbours of opposite sign, and again
        flat = np.repeat(normal.ravel()[: (normal.size + 1) // 2], 2)[: normal.size]
        normal = (
            flat * (1 + random.normal(size=flat.size) * 2.0**-15) * (-1.0) ** np.arange(flat.size)
        ).reshape(shape)
    elif kind == "tiny":
        normal *= float(info.smallest_normal) ** 0.5
    elif kind == "subnormal":
        return (normal * float(info.smallest_normal) / 8).astype(dtype)
    elif kind == "huge":
        normal *= float(info.max) ** 0.5 / 8
    elif kind == "largest":  # half of it, a unit below it, and what meets it
        normal = (
            np.sign(normal) * float(info.max) * random.choice([0.5, 1 - float(info.eps), 1.0, 1e-8], shape)
        )
    elif kind == "wide":
        normal *= np.exp(random.normal(size=shape) * 0.1 * np.log(float(info.max)))
    elif kind == "zeros":
        zero = np.where(random.random(shape) < 0.5, 0.0, -0.0)
        normal = np.where(random.random(shape) < 0.5, zero, normal)
    elif kind == "ones":  # just above and below a power of two, where a unit is largest against the number
        normal = np.sign(normal) * (1 + random.integers(-4, 5, shape) * float(info.eps))
    with np.errstate(all="ignore"):
        return normal.astype(dtype)


def inexact(random: np.random.Generator, judge: Arithmetic, floats) -> Bounded:
    """The floats, each with a bound of a few units up to a hundredth of it."""
    size = np.abs(floats.astype(np.float64))
    width = 2.0 ** random.uniform(np.log2(8 * judge.u), -7, floats.shape)
    bound = size * width + 4 * judge.eta * (random.random(floats.shape) < 0.5)
    return Bounded(judge, judge.lift(floats), bound)


def within(random: np.random.Generator, numbers: tuple[Bounded, ...], dtype) -> Iterator[tuple]:
    """Floats that the numbers may be: both ends, ends at random, the middle, and anything between."""

    def places() -> Iterator[Callable[[tuple[int, ...]], object]]:
        for places in ((1, 1, 1), (-1, -1, -1), (1, -1, 1), (-1, 1, -1)):
            sides = iter(places)
            yield lambda shape, sides=sides: np.full(shape, next(sides, 1))
        for _ in range(3):
            yield lambda shape: random.choice([-1, 1], shape)
        yield lambda shape: random.uniform(-1, 1, shape)

    if all(number.is_exact for number in numbers):
        yield tuple(_floats(number, np.zeros(number.shape), dtype) for number in numbers)
        return
    for place in places():
        yield tuple(_floats(number, place(number.shape), dtype) for number in numbers)


def _floats(number: Bounded, place, dtype):
    """The float nearest to the place in [value − bound, value + bound], and inside it.

    Its distance from the value is taken, which is exact, where value ± bound would be rounded.
    """
    value, bound = number.lowered(), np.broadcast_to(number.bound, number.shape)
    with np.errstate(all="ignore"):
        found = (value + place * bound).astype(dtype)
        for _ in range(2):
            outside = np.abs(number.arithmetic.lift(found) - number.value) > bound
            found = np.where(outside, np.nextafter(found, value.astype(dtype)), found)
        outside = np.abs(number.arithmetic.lift(found) - number.value) > bound
        return np.where(outside, value.astype(dtype), found).astype(dtype)


def known(judge: Arithmetic, floats: tuple) -> tuple[Bounded, ...]:
    """The floats as exact numbers."""
    return tuple(exact(judge, part) for part in floats)
