"""Rounding bounds of a change of format: inside a formula, or out to storage once it is computed."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from parity.bounds.formats import FORMATS, Arithmetic, Format, arithmetic, format_of
from parity.bounds.number import Bounded, cast_to, rule
from parity.bounds.overflow import guarded

Kind: TypeAlias = npt.DTypeLike


@rule("cast (vectorized)", data=(1,))
def cast(x: Bounded, kind: Kind) -> Bounded:
    """u|x| + η of the format that x is cast to; into a finer one, and of exact numbers it has, 0.

    The conversion is one rounding to nearest. Sixteen bits are what a number is stored in: it goes on
    in float32 from there, as PyTorch computes.

    Source: IEEE 754-2019, §5.4.2; Higham (2002), §2.2; for 16 bits, PyTorch's `at::opmath_type`.
    """
    if x.is_exact and kind not in FORMATS and np.dtype(kind).kind in "iub":  # whole numbers are data
        return x.lowered().astype(kind)  # type: ignore[return-value]
    storage = format_of(kind)
    target = _beside(x.arithmetic, storage)
    if target.dtype != x.arithmetic.dtype:
        x = cast_to(target, x)
    return out_to(storage, Bounded(target, x.value, x.bound, floor=x.floor, kink=x.kink))


@rule("bfloat16 (vectorized)")
def bfloat16(x: Bounded) -> Bounded:
    """2^-8 |x| + 2^-134, as cast: the numbers stay in x's format and have eight significant bits.

    Half a unit in the last place of eight bits is less than 2^-8 by a relative 2^-8, which is room for
    a rounding to float32 on the way. The exponents are float32's.

    Source: as cast.
    """
    return out_to(FORMATS["bfloat16"], x)


def stored(x: Bounded) -> Bounded:
    """What was computed, rounded out once to the format that it is stored in."""
    return out_to(x.arithmetic.storage, x)


def out_to(storage: Format, x: Bounded) -> Bounded:
    """u|x| + η of a format that is coarser than the one x is computed in; x itself where it is not."""
    if storage.u <= x.arithmetic.u:
        return x
    magnitude = x.magnitude() + x.carried
    # To u of the format, a relative u: the truth's own unit, and a rounding to a format in between.
    bound = x.carried + storage.u * magnitude + storage.eta
    return Bounded(x.arithmetic, x.value, guarded(magnitude, storage.largest, bound), kink=x.kink)


def _beside(judge: Arithmetic, storage: Format) -> Arithmetic:
    """The arithmetic of another format, by the same kind of truth where that can judge it."""
    if FORMATS[storage.inside].numpy == judge.dtype:
        return judge
    return arithmetic(storage.name, "ball" if judge.truth == "ball" else None)
