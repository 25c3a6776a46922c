"""Optimizers that divide by the root of accumulated squared gradients: Adagrad, Adadelta, RMSprop."""

from __future__ import annotations

from typing import Any

import numpy as np

from reference.arrays import Array, blend, root
from reference.optimizers.momentum import gradient
from reference.optimizers.rule import Hyper, OptimizerFamily, Options, Rule, State

DECAY = {"weight_decay": 0.0, "maximize": False}


def adagrad(o: Options) -> tuple[Rule, ...]:
    """S ← S + g²; p ← p − η/(1 + (t − 1)λ_η) g/(√S + ε)."""

    def total(S: Array, g: Array, p: Array, c: Hyper) -> Array:
        return S + np.square(gradient(o, g, p, c))

    def moved(p: Array, g: Array, S: Array, c: Hyper) -> Array:
        rate = c.lr / (1 + (c.t - 1) * c.lr_decay)
        return p - rate * gradient(o, g, p, c) / (np.sqrt(S) + c.eps)

    return (
        Rule("S", "sum_of_squares", ("S", "g", "p"), total, r"S \leftarrow S + g^2"),
        Rule(
            "p",
            "update",
            ("p", "g", "S_next"),
            moved,
            r"p \leftarrow p - \frac{\eta}{1 + (t - 1) \lambda_\eta} \frac{g}{\sqrt{S} + \epsilon}",
        ),
    )


def adadelta(o: Options) -> tuple[Rule, ...]:
    """v ← ρv + (1 − ρ)g²; Δ = g √(u + ε)/√(v + ε); u ← ρu + (1 − ρ)Δ²; p ← p − ηΔ."""

    def squares(v: Array, g: Array, p: Array, c: Hyper) -> Array:
        return blend(v, np.square(gradient(o, g, p, c)), c.rho)

    def change(g: Array, v: Array, n: Array, p: Array, c: Hyper) -> Array:
        return np.sqrt(n + c.eps) / np.sqrt(v + c.eps) * gradient(o, g, p, c)

    def changes(n: Array, g: Array, v: Array, p: Array, c: Hyper) -> Array:
        return blend(n, np.square(change(g, v, n, p, c)), c.rho)

    def moved(p: Array, g: Array, v: Array, n: Array, c: Hyper) -> Array:
        return p - c.lr * change(g, v, n, p, c)

    return (
        Rule("v", "second_moment", ("v", "g", "p"), squares, r"v \leftarrow \rho v + (1 - \rho) g^2"),
        Rule(
            "n",
            "squared_changes",
            ("n", "g", "v_next", "p"),
            changes,
            r"u \leftarrow \rho u + (1 - \rho) \Delta^2, \; \Delta = \frac{\sqrt{u + \epsilon}}"
            r"{\sqrt{v + \epsilon}} g",
        ),
        Rule("p", "update", ("p", "g", "v_next", "n"), moved, r"p \leftarrow p - \eta \Delta"),
    )


def rmsprop(o: Options) -> tuple[Rule, ...]:
    """v ← αv + (1 − α)g²; p ← p − η g/(√v + ε); `centered`: v − ḡ² in place of v; optional momentum."""

    def squares(v: Array, g: Array, p: Array, c: Hyper) -> Array:
        return blend(v, np.square(gradient(o, g, p, c)), c.alpha)

    def mean(m: Array, g: Array, p: Array, c: Hyper) -> Array:
        return blend(m, gradient(o, g, p, c), c.alpha)

    def scaled(g: Array, p: Array, c: Hyper, v: Array, *m: Array) -> Array:
        deviation = root(v - np.square(m[0])) if m else np.sqrt(v)
        return gradient(o, g, p, c) / (deviation + c.eps)

    def pushed(b: Array, g: Array, p: Array, *rest: Any) -> Array:
        *moments, c = rest
        return c.momentum * b + scaled(g, p, c, *moments)

    def moved(p: Array, g: Array, *rest: Any) -> Array:
        *moments, c = rest
        return p - c.lr * scaled(g, p, c, *moments)

    def slid(p: Array, b: Array, c: Hyper) -> Array:
        return p - c.lr * b

    moments = ("v_next", "m_next") if o["centered"] else ("v_next",)
    fraction = r"\frac{g}{\sqrt{v - m^2} + \epsilon}" if o["centered"] else r"\frac{g}{\sqrt{v} + \epsilon}"
    rules = [
        Rule("v", "second_moment", ("v", "g", "p"), squares, r"v \leftarrow \alpha v + (1 - \alpha) g^2")
    ]
    if o["centered"]:
        rules.append(
            Rule("m", "first_moment", ("m", "g", "p"), mean, r"m \leftarrow \alpha m + (1 - \alpha) g")
        )
    if o["momentum"]:
        rules += [
            Rule("b", "velocity", ("b", "g", "p", *moments), pushed, rf"b \leftarrow \mu b + {fraction}"),
            Rule("p", "update", ("p", "b_next"), slid, r"p \leftarrow p - \eta b"),
        ]
    else:
        rules.append(Rule("p", "update", ("p", "g", *moments), moved, rf"p \leftarrow p - \eta {fraction}"))
    return tuple(rules)


def _rmsprop_states(o: Options) -> dict[str, State]:
    mean = {"m": State("grad_avg")} if o["centered"] else {}
    velocity = {"b": State("momentum_buffer")} if o["momentum"] else {}
    return {"v": State("square_avg"), **mean, **velocity}


SCALED = (
    OptimizerFamily(
        "adagrad",
        "torch.optim.Adagrad",
        adagrad,
        lambda o: {
            "S": State("sum", lambda p, lr: np.full_like(p, float(o["initial_accumulator_value"] or 0)))
        },
        {
            "lr_decay": 0.0,
            "weight_decay": 0.0,
            "initial_accumulator_value": 0.0,
            "eps": 1e-10,
            "maximize": False,
        },
        lr=1e-2,
    ),
    OptimizerFamily(
        "adadelta",
        "torch.optim.Adadelta",
        adadelta,
        lambda o: {"v": State("square_avg"), "n": State("acc_delta")},
        {"rho": 0.9, "eps": 1e-6, **DECAY},
        lr=1.0,
        remark="PyTorch multiplies the step by η; the paper has no η.",
    ),
    OptimizerFamily(
        "rmsprop",
        "torch.optim.RMSprop",
        rmsprop,
        _rmsprop_states,
        {"alpha": 0.99, "eps": 1e-8, "momentum": 0.0, "centered": False, **DECAY},
        lr=1e-2,
        remark="ε stands outside the root. Centered, rounding may make v − ḡ² negative, and its root NaN.",
    ),
)
