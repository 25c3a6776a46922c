"""Rounding bounds of format conversions, inside a formula or from computation to storage."""

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
    """u|x| + η of the target format; 0 for a finer format, and for exact numbers of the target format.

    The conversion is one rounding to nearest. 16-bit formats are used for storage only: later operations
    are computed in float32, as in PyTorch.

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
    """2^-8 |x| + 2^-134, as cast: the numbers stay in x's format, with eight significant bits.

    Half a unit in the last place of eight bits is smaller than 2^-8 by a relative 2^-8, which covers an
    intermediate rounding to float32. The range of exponents is float32's.

    Source: as cast.
    """
    return out_to(FORMATS["bfloat16"], x)


def stored(x: Bounded) -> Bounded:
    """x rounded once to its storage format."""
    return out_to(x.arithmetic.storage, x)


def unstored(x: Bounded, storage: Format) -> Bounded:
    """What exact numbers of a 16-bit format are a rounding of: u(1 + 2u)|x| + η around each.

    Of a t with |x − t| ≤ u|t| + η, |t| is at most (|x| + η)/(1 − u). Other formats: x itself.
    """
    if storage.inside == storage.name:
        return x
    bound = storage.u * (1 + 2 * storage.u) * x.magnitude() + 2 * storage.eta
    return Bounded(x.arithmetic, x.value, bound, kink=x.kink)


def into(dtype: str, x: Bounded, truth: str | None = None) -> Bounded:
    """x, computed in any format, as a tensor of this format holds it; of other dtypes, x itself.

    Where nothing is rounded and the format of computation stays, an open sum stays open.
    """
    if dtype not in FORMATS:
        return x
    target = arithmetic(dtype, truth if dtype == "float64" else None)
    if target == x.arithmetic and target.storage.u <= target.u:
        return x
    if target.dtype != x.arithmetic.dtype:
        x = cast_to(target, x)
    return stored(Bounded(target, x.value, x.carried, kink=x.kink))


def out_to(storage: Format, x: Bounded) -> Bounded:
    """x with one rounding to `storage`, u|x| + η, if that is coarser than the format of computation."""
    if storage.u <= x.arithmetic.u:
        return x
    magnitude = x.magnitude() + x.carried
    # storage.u covers, relatively, the truth's own unit and a rounding to an intermediate format too.
    bound = x.carried + storage.u * magnitude + storage.eta
    return Bounded(x.arithmetic, x.value, guarded(magnitude, storage.largest, bound), kink=x.kink)


def _beside(judge: Arithmetic, storage: Format) -> Arithmetic:
    """The arithmetic of another format, with the same kind of truth if that is more precise."""
    if FORMATS[storage.inside].numpy == judge.dtype:
        return judge
    return arithmetic(storage.name, "ball" if judge.truth == "ball" else None)
