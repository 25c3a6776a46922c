"""Formulas composed of primitives, as a table of operations writes them, and PyTorch's numbers for each."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import torch

from parity.bounds import SLACK, Bounded, exact
from parity.bounds.formats import arithmetic


def softmax(x):
    """e^(x − m)/Σ e^(x − m), m = max x."""
    e = np.exp(x - np.max(x, axis=-1, keepdims=True))
    return e / np.sum(e, axis=-1, keepdims=True)


def log_softmax(x):
    """(x − m) − log Σ e^(x − m), in this order, as PyTorch's kernels do."""
    d = x - np.max(x, axis=-1, keepdims=True)
    return d - np.log(np.sum(np.exp(d), axis=-1, keepdims=True))


def logsumexp(x):
    """m + log Σ e^(x − m)."""
    m = np.max(x, axis=-1, keepdims=True)
    return m + np.log(np.sum(np.exp(x - m), axis=-1, keepdims=True))


def softmax_of(x, lse):
    """e^(x − ℓ), ℓ recorded."""
    return np.exp(x - lse)


def log_softmax_of(x, lse):
    """x − ℓ, ℓ recorded."""
    return x - lse


def softmax_gradient(p, g):
    """p (g − Σ p g), p recorded."""
    dot = np.sum(p * g, axis=-1, keepdims=True)
    return p * (g - dot)


def log_softmax_gradient(y, g):
    """g − e^y Σ g, y recorded."""
    return g - np.exp(y) * np.sum(g, axis=-1, keepdims=True)


def logits(random: np.random.Generator, dtype, n: int) -> Iterator[tuple[str, np.ndarray]]:
    """What scores can be: ordinary, far apart, all alike, far from zero, masked by −∞ or by the lowest."""
    x = random.normal(size=(6, n))
    keep = np.arange(n) % 3 != 1
    yield "normal", x.astype(dtype)
    yield "far apart", (x * 60).astype(dtype)
    yield "alike", np.full((2, n), 0.1, dtype)
    yield "around 10,000", (x + 1e4).astype(dtype)
    yield "around −10,000", (x - 1e4).astype(dtype)
    yield "one far above", (x + 100 * (np.arange(n) == 0)).astype(dtype)
    yield "masked by −∞", np.where(keep, x, -np.inf).astype(dtype)
    yield "masked by the lowest", np.where(keep, x, np.finfo(dtype).min).astype(dtype)


@dataclass(frozen=True)
class Composed:
    """A formula, PyTorch's function, and which of PyTorch's results it is given beside x."""

    formula: Callable
    theirs: Callable[..., torch.Tensor]
    recorded: Callable[..., tuple[torch.Tensor, ...]] = lambda x, g: (x,)


def _gradient(function):
    def backward(x, g):
        x = x.clone().requires_grad_()
        return torch.autograd.grad(function(x, -1), x, g)[0]

    return backward


COMPOSED = {
    "softmax": Composed(softmax, lambda x, g: torch.softmax(x, -1)),
    "log_softmax": Composed(log_softmax, lambda x, g: torch.log_softmax(x, -1)),
    "logsumexp": Composed(logsumexp, lambda x, g: torch.logsumexp(x, -1, keepdim=True)),
    "softmax of ℓ": Composed(
        softmax_of,
        lambda x, g: torch.exp(x - torch.logsumexp(x, -1, keepdim=True)),
        lambda x, g: (x, torch.logsumexp(x, -1, keepdim=True)),
    ),
    "log_softmax of ℓ": Composed(
        log_softmax_of,
        lambda x, g: x - torch.logsumexp(x, -1, keepdim=True),
        lambda x, g: (x, torch.logsumexp(x, -1, keepdim=True)),
    ),
    "softmax, ∂/∂x": Composed(
        softmax_gradient, _gradient(torch.softmax), lambda x, g: (torch.softmax(x, -1), g)
    ),
    "log_softmax, ∂/∂x": Composed(
        log_softmax_gradient, _gradient(torch.log_softmax), lambda x, g: (torch.log_softmax(x, -1), g)
    ),
}


@dataclass
class Share:
    """How PyTorch's numbers stand in the bound of one formula on one kind of operand."""

    worst: float
    relative: float  # median of bound/|truth|
    undecided: int
    numbers: int


def share(composed: Composed, x: np.ndarray, g: np.ndarray, truth: str | None = None) -> Share:
    """PyTorch's results, held against the formula of its own recorded operands."""
    judge = arithmetic(x.dtype, truth)
    tensors = torch.from_numpy(x), torch.from_numpy(g)
    observed = composed.theirs(*tensors).numpy()
    with np.errstate(all="ignore"), judge.precision():
        operands = (exact(judge, part.numpy()) for part in composed.recorded(*tensors))
        return held(judge, observed, composed.formula(*operands))


def held(judge, observed, result: Bounded) -> Share:
    """The worst error in units of the bound; results without a finite bound are undecided."""
    value, bound = result.lowered(), np.broadcast_to(result.carried * SLACK, result.shape)
    error = judge.lower(np.abs(judge.lift(observed) - result.value))
    same = (error == 0) | (np.isinf(value) & (value == observed))
    told = np.isfinite(bound) & (np.isfinite(value) | (bound == 0))
    ratio = np.where(same, 0.0, np.where(told, error / bound, 0.0))
    ratio = np.where(np.isnan(ratio), np.inf, ratio)
    relative = (bound / np.abs(value))[told & (np.abs(value) > 0) & np.isfinite(value)]
    middle = float(np.median(relative)) if relative.size else 0.0
    return Share(float(ratio.max()), middle, int(np.count_nonzero(~told)), observed.size)
