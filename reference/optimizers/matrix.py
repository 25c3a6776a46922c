"""Optimizers that treat a matrix as a whole, and a bias, a vector, differently.

W is (out, in). The states of Adafactor are the factors of v: R (out, 1) and C (1, in).
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from reference.arrays import Array, blend, epsilon, larger, smaller
from reference.optimizers.adam import ADAM
from reference.optimizers.rule import Hyper, Optimizer, OptimizerFamily, Options, Rule, State


def adafactor(o: Options) -> tuple[Rule, ...]:
    """V̂ = R C / mean R, where R and C are running means of g² over rows and columns."""

    def rows(R: Array, g: Array, c: Hyper) -> Array:
        return blend(R, _mean_square(g, axis=1), 1 - c.t**c.beta2_decay)

    def columns(C: Array, g: Array, c: Hyper) -> Array:
        return blend(C, _mean_square(g, axis=0), 1 - c.t**c.beta2_decay)

    def moved(p: Array, g: Array, R: Array, C: Array, c: Hyper) -> Array:
        mean = np.add.reduce(R, axis=0, keepdims=True) / R.shape[0]
        return _adafactor_step(o, p, g, np.matmul(R, C) / larger(mean, _epsilon(o, p, c)), c)

    return (
        Rule(
            "R",
            "row_factor",
            ("R", "g"),
            rows,
            r"R \leftarrow \hat\beta R + (1 - \hat\beta) \overline{g^2}^{\,\mathrm{row}}, \; "
            r"\hat\beta = 1 - t^{\tau}",
        ),
        Rule(
            "C",
            "column_factor",
            ("C", "g"),
            columns,
            r"C \leftarrow \hat\beta C + (1 - \hat\beta) \overline{g^2}^{\,\mathrm{column}}",
        ),
        Rule(
            "p", "update", ("p", "g", "R_next", "C_next"), moved, _ADAFACTOR.format(r"R C / \overline{R}")
        ),
    )


def adafactor_vector(o: Options) -> tuple[Rule, ...]:
    """Adafactor for a vector, whose v is not factored."""

    def squares(v: Array, g: Array, c: Hyper) -> Array:
        return blend(v, np.square(g), 1 - c.t**c.beta2_decay)

    def moved(p: Array, g: Array, v: Array, c: Hyper) -> Array:
        return _adafactor_step(o, p, g, v, c)

    return (
        Rule(
            "v",
            "second_moment",
            ("v", "g"),
            squares,
            r"v \leftarrow \hat\beta v + (1 - \hat\beta) g^2, \; \hat\beta = 1 - t^{\tau}",
        ),
        Rule("p", "update", ("p", "g", "v_next"), moved, _ADAFACTOR.format("v")),
    )


_ADAFACTOR = (
    r"p \leftarrow p - \max(\epsilon_2, \mathrm{{RMS}}(p)) \min(\eta, 1/\sqrt{{t}}) "
    r"\frac{{u}}{{\max(1, \mathrm{{RMS}}(u)/d)}}, \; u = g / \max(\sqrt{{V}}, \epsilon_1), \; V = {}"
)


def _adafactor_step(o: Options, p: Array, g: Array, V: Array, c: Hyper) -> Array:
    rho = smaller(c.lr, c.t**-0.5)
    alpha = larger(_rms(p), c.eps2) * rho
    u = (-g if o["maximize"] else g) / np.sqrt(larger(V, np.square(_epsilon(o, p, c))))
    clipped = alpha / larger(_rms(u) / c.d, 1.0) * u
    return p * (1 - c.lr * c.weight_decay) - clipped


def _epsilon(o: Options, p: Array, c: Hyper) -> Array:
    """ε₁, by default the machine epsilon of the format."""
    return epsilon(p) if o["eps1"] is None else c.eps1


def _rms(p: Array) -> Array:
    return np.sqrt(np.add.reduce(np.square(p), axis=None)) / math.sqrt(math.prod(p.shape))


def _mean_square(g: Array, axis: int) -> Array:
    """Mean of g² along an axis, computed like PyTorch from the square of a norm."""
    norm = np.sqrt(np.add.reduce(np.square(g), axis=axis, keepdims=True))
    return np.square(norm) / g.shape[axis]


def muon(o: Options, rounded: Callable[[Array], Array] = np.positive) -> tuple[Rule, ...]:
    """The momentum with its singular values moved towards 1 by Newton–Schulz iterations.

    `rounded` is applied to every result inside the iteration; by default it changes nothing, as
    PyTorch documents it.
    """

    def momentum(B: Array, g: Array, c: Hyper) -> Array:
        return blend(B, g, c.momentum)

    def moved(p: Array, g: Array, B: Array, c: Hyper) -> Array:
        direction = blend(B, g, c.momentum) if o["nesterov"] else B
        rows, columns = p.shape
        X = rounded(direction.T if rows > columns else direction)
        norm = rounded(np.sqrt(np.add.reduce(np.square(X), axis=None)))
        X = rounded(X / larger(norm, c.eps))
        for _ in range(int(float(o["ns_steps"] or 0))):
            A = rounded(np.matmul(X, X.T))
            A = rounded(rounded(np.matmul(c.ns_c * A, A)) + rounded(c.ns_b * A))
            X = rounded(rounded(np.matmul(A, X)) + rounded(c.ns_a * X))
        scale = {
            "match_rms_adamw": 0.2 * math.sqrt(max(rows, columns)),
            "original": math.sqrt(max(1.0, rows / columns)),
        }[str(o["adjust_lr_fn"] or "original")]
        return p * (1 - c.lr * c.weight_decay) - c.lr * scale * (X.T if rows > columns else X)

    return (
        Rule("B", "velocity", ("B", "g"), momentum, r"B \leftarrow \mu B + (1 - \mu) g"),
        Rule(
            "p",
            "update",
            ("p", "g", "B_next"),
            moved,
            r"p \leftarrow (1 - \eta\lambda) p - \eta' \mathrm{NS}_k((1 - \mu) g + \mu B), \; X \leftarrow "
            r"a X + (b A + c A^2) X, \; A = X X^T",
        ),
    )


def _adafactor_for_vectors(o: Options) -> Optimizer:
    return Optimizer(
        "adafactor",
        "torch.optim.Adafactor",
        adafactor_vector(o),
        {"v": State("variance")},
        o,
        1e-2,
        elementwise=False,
    )


_ADAMW = next(family for family in ADAM if family.name == "adamw")

MATRIX = (
    OptimizerFamily(
        "adafactor",
        "torch.optim.Adafactor",
        adafactor,
        lambda o: {
            "R": State("row_var", shape=lambda rows, columns: (rows, 1)),
            "C": State("col_var", shape=lambda rows, columns: (1, columns)),
        },
        {
            "beta2_decay": -0.8,
            "eps1": None,
            "eps2": 1e-3,
            "d": 1.0,
            "weight_decay": 0.0,
            "maximize": False,
        },
        lr=1e-2,
        elementwise=False,
        others=_adafactor_for_vectors,
        numbers=("eps1",),
        remark="PyTorch holds √V above ε₁, the paper adds ε₁ to g². R and C are means; both write sums.",
    ),
    OptimizerFamily(
        "muon",
        "torch.optim.Muon",
        muon,
        lambda o: {"B": State("momentum_buffer")},
        {
            "weight_decay": 0.1,
            "momentum": 0.95,
            "nesterov": True,
            "ns_a": 3.4445,
            "ns_b": -4.7750,
            "ns_c": 2.0315,
            "eps": 1e-7,
            "ns_steps": 5.0,
            "adjust_lr_fn": None,
        },
        lr=1e-3,
        elementwise=False,
        others=lambda o: _ADAMW.configured(),
        choices={"adjust_lr_fn": (None, "original", "match_rms_adamw")},
        integers=("ns_steps",),
        remark="For matrices only: biases go to AdamW, as PyTorch advises, with the same η.",
    ),
)
