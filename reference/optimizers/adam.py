"""Adam and its variants: running averages m of g and v of g², and an individual step for each number.

m̂ = m/(1 − β₁ᵗ) and v̂ = v/(1 − β₂ᵗ) correct the bias from initialising both with zero.
"""

from __future__ import annotations

import numpy as np

from reference.arrays import Array, blend
from reference.optimizers.momentum import gradient
from reference.optimizers.rule import Derived, Hyper, OptimizerFamily, Options, Rule, State

FIRST, SECOND = State("exp_avg"), State("exp_avg_sq")


def decayed(o: Options, p: Array, c: Hyper) -> Array:
    """p − ηλp for decoupled weight decay (AdamW), else p."""
    return p * (1 - c.lr * c.weight_decay) if o["weight_decay"] and o["decoupled_weight_decay"] else p


def first_moment(o: Options) -> Rule:
    """m ← β₁ m + (1 − β₁) g."""

    def moment(m: Array, g: Array, p: Array, c: Hyper) -> Array:
        return blend(m, gradient(o, g, p, c), c.beta1)

    return Rule("m", "first_moment", ("m", "g", "p"), moment, r"m \leftarrow \beta_1 m + (1 - \beta_1) g")


def second_moment(o: Options) -> Rule:
    """v ← β₂ v + (1 − β₂) g²."""

    def moment(v: Array, g: Array, p: Array, c: Hyper) -> Array:
        return blend(v, np.square(gradient(o, g, p, c)), c.beta2)

    return Rule(
        "v", "second_moment", ("v", "g", "p"), moment, r"v \leftarrow \beta_2 v + (1 - \beta_2) g^2"
    )


def adam(o: Options) -> tuple[Rule, ...]:
    """p ← p − η m̂/(√v̂ + ε); with `amsgrad`, v̂ from the largest v so far."""
    largest = "V" if o["amsgrad"] else "v"

    def highest(V: Array, v: Array, c: Hyper) -> Array:
        return np.maximum(V, v)

    def moved(p: Array, m: Array, v: Array, c: Hyper) -> Array:
        m_hat = m / (1 - c.beta1**c.t)
        root = np.sqrt(v) / (1 - c.beta2**c.t) ** 0.5
        return decayed(o, p, c) - c.lr * m_hat / (root + c.eps)

    peak = (Rule("V", "largest_moment", ("V", "v_next"), highest, r"V \leftarrow \max(V, v)"),)
    update = Rule(
        "p",
        "update",
        ("p", "m_next", f"{largest}_next"),
        moved,
        r"p \leftarrow p - \eta \frac{\hat{m}}{\sqrt{\hat{v}} + \epsilon}",
    )
    return (first_moment(o), second_moment(o), *(peak if o["amsgrad"] else ()), update)


def adamax(o: Options) -> tuple[Rule, ...]:
    """u ← max(β₂ u, |g| + ε); p ← p − η m/((1 − β₁ᵗ) u)."""

    def norm(n: Array, g: Array, p: Array, c: Hyper) -> Array:
        return np.maximum(c.beta2 * n, np.absolute(gradient(o, g, p, c)) + c.eps)

    def moved(p: Array, m: Array, n: Array, c: Hyper) -> Array:
        return p - c.lr / (1 - c.beta1**c.t) * m / n

    return (
        first_moment(o),
        Rule("n", "infinity_norm", ("n", "g", "p"), norm, r"u \leftarrow \max(\beta_2 u, |g| + \epsilon)"),
        Rule("p", "update", ("p", "m_next", "n_next"), moved, r"p \leftarrow p - \eta \hat{m} / u"),
    )


def nadam(o: Options) -> tuple[Rule, ...]:
    """μ_t = β₁(1 − ½ 0.96^(tψ)); p ← p − η (μ_{t+1} m/(1 − Πμ_{t+1}) + (1 − μ_t) g/(1 − Πμ_t))/(√v̂ + ε)."""

    def moved(p: Array, g: Array, m: Array, v: Array, c: Hyper) -> Array:
        now, ahead, product = _mu(c.t, c), _mu(c.t + 1, c), c.mu_product
        root = np.sqrt(v / (1 - c.beta2**c.t)) + c.eps
        ours = (1 - now) / (1 - product) * gradient(o, g, p, c) / root
        looked = ahead / (1 - product * ahead) * m / root
        return decayed(o, p, c) - c.lr * ours - c.lr * looked

    return (
        first_moment(o),
        second_moment(o),
        Rule(
            "p",
            "update",
            ("p", "g", "m_next", "v_next"),
            moved,
            r"p \leftarrow p - \eta \left(\frac{\mu_{t+1} m}{1 - \prod_{i \le t+1} \mu_i} + "
            r"\frac{(1 - \mu_t) g}{1 - \prod_{i \le t} \mu_i}\right) / (\sqrt{\hat{v}} + \epsilon)",
        ),
    )


def _mu(t: int, c: Hyper) -> float:
    return c.beta1 * (1 - 0.5 * 0.96 ** (t * c.momentum_decay))


def mu_product(c: Hyper) -> dict[str, Derived]:
    """Π_{i ≤ t} μ_i, a state in PyTorch: four roundings for each factor and one for each product."""
    known, product = _PRODUCTS.get((c.beta1, c.momentum_decay), (0, 1.0))
    if known > c.t:
        known, product = 0, 1.0
    for i in range(known + 1, c.t + 1):
        product *= _mu(i, c)
    _PRODUCTS[c.beta1, c.momentum_decay] = (c.t, product)
    return {"mu_product": Derived(product, 16 * c.t)}


_PRODUCTS: dict[tuple[float, float], tuple[int, float]] = {}
"""The last partial product by parameters, so that a step does not recompute it from the start."""


def radam(o: Options) -> tuple[Rule, ...]:
    """While ρ_t ≤ 5, p ← p − η m̂; then p ← p − η r_t m̂/√v̂, with the rectification r_t."""

    def moved(p: Array, m: Array, v: Array, c: Hyper) -> Array:
        correction = 1 - c.beta2**c.t
        rho_inf, rho = _rho(c.beta2, c.t)
        m_hat = m / (1 - c.beta1**c.t)
        if not _rho(float(o["beta2"] or 0), c.t)[1] > 5:
            return decayed(o, p, c) - c.lr * m_hat
        rectified = ((rho - 4) * (rho - 2) * rho_inf / ((rho_inf - 4) * (rho_inf - 2) * rho)) ** 0.5
        return decayed(o, p, c) - c.lr * m_hat * rectified * (correction**0.5 / (np.sqrt(v) + c.eps))

    return (
        first_moment(o),
        second_moment(o),
        Rule(
            "p",
            "update",
            ("p", "m_next", "v_next"),
            moved,
            r"p \leftarrow p - \eta\, r_t \hat{m} / \sqrt{\hat{v}}, \; r_t = \sqrt{\frac{(\rho_t - 4)"
            r"(\rho_t - 2) \rho_\infty}{(\rho_\infty - 4)(\rho_\infty - 2) \rho_t}}, \; \rho_t > 5",
        ),
    )


def _rho(beta2: float, t: int) -> tuple[float, float]:
    """ρ_∞ and ρ_t of RAdam."""
    rho_inf = 2 / (1 - beta2) - 1
    return rho_inf, rho_inf - 2 * t * beta2**t / (1 - beta2**t)


def _adam_states(o: Options) -> dict[str, State]:
    peak = {"V": State("max_exp_avg_sq")} if o["amsgrad"] else {}
    return {"m": FIRST, "v": SECOND, **peak}


BETAS = {"beta1": 0.9, "beta2": 0.999, "eps": 1e-8}
DECAY = {"weight_decay": 0.0, "maximize": False}

ADAM = (
    OptimizerFamily(
        "adam",
        "torch.optim.Adam",
        adam,
        _adam_states,
        {**BETAS, **DECAY, "amsgrad": False, "decoupled_weight_decay": False},
        lr=1e-3,
        remark="ε stands outside the root, and of amsgrad's V the bias is corrected; in the papers not.",
    ),
    OptimizerFamily(
        "adamw",
        "torch.optim.AdamW",
        adam,
        _adam_states,
        {**BETAS, **DECAY, "weight_decay": 0.01, "amsgrad": False, "decoupled_weight_decay": True},
        lr=1e-3,
        implied=("decoupled_weight_decay",),
        remark="Decay is multiplied by η, as in PyTorch; in the paper by a schedule of its own.",
    ),
    OptimizerFamily(
        "adamax",
        "torch.optim.Adamax",
        adamax,
        lambda o: {"m": FIRST, "n": State("exp_inf")},
        {**BETAS, **DECAY},
        lr=2e-3,
        remark="PyTorch adds ε to |g|; the paper has none.",
    ),
    OptimizerFamily(
        "nadam",
        "torch.optim.NAdam",
        nadam,
        lambda o: {"m": FIRST, "v": SECOND},
        {**BETAS, **DECAY, "momentum_decay": 4e-3, "decoupled_weight_decay": False},
        lr=2e-3,
        derived=mu_product,
    ),
    OptimizerFamily(
        "radam",
        "torch.optim.RAdam",
        radam,
        lambda o: {"m": FIRST, "v": SECOND},
        {**BETAS, **DECAY, "decoupled_weight_decay": False},
        lr=1e-3,
        remark="PyTorch adds ε to √v before the bias is corrected; the paper has no ε.",
    ),
)
