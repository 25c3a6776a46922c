"""Rounding bounds of variances and of moving averages."""

from __future__ import annotations

import numpy as np

from parity.bounds.branches import array_of, somewhere
from parity.bounds.number import Bounded, rule
from parity.bounds.overflow import guarded
from parity.bounds.sums import Axes, largest, terms_along


@rule("variance (vectorized)", data=(1, 3))
def variance(x: Bounded, axis: Axes, mean: Bounded, n: float) -> Bounded:
    """γ_{k+4}(V + C) + 4η + C, C = Σ(2|x − m|e + e²)/n, e = B_m + B_x: Σ(x − m)²/n of k terms.

    Two passes: the mean's error is at most e, so that of each square is 2|x − m|e + e²; then a
    subtraction that the square counts twice, a square, k − 1 additions and a division (two roundings).
    With m = Σx/k computed, B_m is γ_k Σ|x|/k, and C is first order in it. Updating means (Welford's,
    and blocks joined pairwise) err by about k κ u V, κ² = 1 + m²/V, which C covers. E[x²] − E[x]² errs
    by k κ² u V and is not accepted.

    Source: Higham (2002), §1.9 and problem 1.10; Chan, Golub and LeVeque (1983); PyTorch's
    RowwiseMoments and WelfordOps.
    """
    arithmetic, k = x.arithmetic, terms_along(x, axis)
    d = x.value - mean.value
    value = array_of(np.square(d).sum(axis=axis, keepdims=True) / arithmetic.lift(float(n)))
    apart = x.carried + mean.carried
    spread = apart * (2 * arithmetic.lower(np.abs(d)) + apart)
    carried = array_of(spread.sum(axis=axis, keepdims=True) / n)
    magnitude = arithmetic.lower(value) + carried
    bound = carried + arithmetic.gamma(k + 4) * magnitude + 2 * (k / n + 1) * arithmetic.eta
    limit = arithmetic.largest / (n * (1 + arithmetic.gamma(k + 4)))
    return Bounded(arithmetic, value, guarded(magnitude, limit, bound))


@rule("blend (vectorized)")
def blend(old: Bounded, new: Bounded, beta: Bounded) -> Bounded:
    """γ_4 (β|old| + (1 − β)|new|), 0 ≤ β ≤ 1: as two products and a sum, or by `torch.lerp`.

    β old + (1 − β) new: the factor of each product, the product and the sum are rounded: 3 roundings.
    lerp, with w = min(β, 1 − β) and p the other one: 3u w|new − old| + u|result|, at most
    3u w(|old| + |new|) + u(β|old| + (1 − β)|new|), and w is no larger than β or 1 − β: 4 roundings.
    A computed β carries its own error, B_β |new − old|. lerp takes 1 − β; if that is the larger one and
    rounded, its 1 − (1 − β) has an error of u(1 − β), multiplied by |new − old|.

    Source: Higham (2002), §3.1, lemma 3.1; `torch.lerp`'s two forms, ATen/native/Lerp.h.
    """
    arithmetic = old.arithmetic
    weight = beta.arithmetic.lower(beta.value)
    value = beta.value * old.value + (1 - beta.value) * new.value
    size_old, size_new = largest(old), largest(new)
    magnitude, farthest = weight * size_old + (1 - weight) * size_new, size_old + size_new
    carried = weight * old.carried + (1 - weight) * new.carried
    larger = (weight < 0.5) & (((1 - weight).astype(arithmetic.dtype) != 1 - weight) | (beta.carried > 0))
    if not beta.is_exact or somewhere(larger):
        apart = arithmetic.lower(np.abs(new.value - old.value)) + old.carried + new.carried
        off = beta.carried + np.where(larger, arithmetic.unit * (1 - weight), 0.0)
        carried = carried + off * apart
    bound = carried + arithmetic.gamma(4) * magnitude + 8 * arithmetic.eta
    return Bounded(arithmetic, value, guarded(farthest * (1 + arithmetic.unit), arithmetic.largest, bound))
