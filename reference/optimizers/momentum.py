"""SGD (slide 6) with momentum, Nesterov momentum and weight decay, ASGD (averaging), and Rprop."""

from __future__ import annotations

import numpy as np

from reference.arrays import Array, full_like, select
from reference.optimizers.rule import Derived, Hyper, OptimizerFamily, Options, Rule, State
from reference.refusal import OptionError


def gradient(options: Options, g: Array, p: Array, c: Hyper) -> Array:
    """g, or −g to maximise the loss, plus λp with coupled weight decay."""
    g = -g if options.get("maximize") else g
    if options.get("weight_decay") and not options.get("decoupled_weight_decay"):
        g = g + c.weight_decay * p
    return g


def sgd(o: Options) -> tuple[Rule, ...]:
    """g ← ∇L + λp; v ← μv + (1 − τ)g, at the first step v ← g; p ← p − η v (Nesterov: g + μv)."""

    def velocity(v: Array, g: Array, p: Array, c: Hyper) -> Array:
        g = gradient(o, g, p, c)
        return g if c.t == 1 else c.momentum * v + (1 - c.dampening) * g

    def moved(p: Array, g: Array, v: Array, c: Hyper) -> Array:
        step = gradient(o, g, p, c) + c.momentum * v if o["nesterov"] else v
        return p - c.lr * step

    def slid(p: Array, g: Array, c: Hyper) -> Array:
        return p - c.lr * gradient(o, g, p, c)

    if o["nesterov"] and (not o["momentum"] or o["dampening"]):
        raise OptionError("sgd: nesterov needs a momentum, and no dampening")
    decay = r" + \lambda p" if o["weight_decay"] else ""
    if not o["momentum"]:
        slope = f"(g{decay})" if decay else "g"
        return (Rule("p", "update", ("p", "g"), slid, rf"p \leftarrow p - \eta {slope}"),)
    ahead = r"(g + \mu v)" if o["nesterov"] else "v"
    return (
        Rule(
            "v",
            "velocity",
            ("v", "g", "p"),
            velocity,
            rf"v \leftarrow \mu v + (1 - \tau)(g{decay}), \; v_1 = g",
        ),
        Rule("p", "update", ("p", "g", "v_next"), moved, rf"p \leftarrow p - \eta {ahead}"),
    )


def asgd(o: Options) -> tuple[Rule, ...]:
    """p ← (1 − λη_t)p − η_t g with η_t = η/(1 + λη(t − 1))^α; ax ← ax + (p − ax)/max(1, t − 1 − t₀)."""

    def moved(p: Array, g: Array, c: Hyper) -> Array:
        return p * (1 - c.lambd * c.eta) - c.eta * gradient(o, g, p, c)

    def averaged(ax: Array, p: Array, c: Hyper) -> Array:
        if c.t == 1 or c.t - 1 - float(o["t0"] or 0) <= 1:
            return np.positive(p)
        return ax + (p - ax) * c.mu

    return (
        Rule(
            "p",
            "update",
            ("p", "g"),
            moved,
            r"p \leftarrow (1 - \lambda \eta_t) p - \eta_t g, \; "
            r"\eta_t = \frac{\eta}{(1 + \lambda \eta (t - 1))^{\alpha}}",
        ),
        Rule(
            "ax",
            "average",
            ("ax", "p_next"),
            averaged,
            r"\bar{p} \leftarrow \bar{p} + \frac{p - \bar{p}}{\max(1, t - 1 - t_0)}",
        ),
    )


def asgd_rates(c: Hyper) -> dict[str, Derived]:
    """η_t and μ_t, which PyTorch keeps as states."""
    eta = c.lr / (1 + c.lambd * c.lr * (c.t - 1)) ** c.alpha
    return {"eta": Derived(eta, 16), "mu": Derived(1 / max(1.0, c.t - 1 - c.t0), 2)}


def rprop(o: Options) -> tuple[Rule, ...]:
    """Individual step sizes: increased while the gradient keeps its sign, decreased when it changes."""

    def same(g: Array, last: Array) -> Array:
        return (-g if o["maximize"] else g) * last

    def size(h: Array, g: Array, last: Array, c: Hyper) -> Array:
        sign = same(g, last)
        factor = select(sign > 0, full_like(h, c.etaplus), select(sign < 0, full_like(h, c.etaminus), 1.0))
        return _clamped(h * factor, c)

    def turned(g: Array, last: Array, c: Hyper) -> Array:
        return select(same(g, last) < 0, 0.0, -g if o["maximize"] else g)

    def moved(p: Array, h: Array, last: Array, c: Hyper) -> Array:
        return p - np.sign(last) * h

    return (
        Rule(
            "h",
            "step_size",
            ("h", "g", "last"),
            size,
            r"h \leftarrow \operatorname{clip}(h \cdot \begin{cases} \eta^+ & g\, g_{-} > 0 \\ "
            r"\eta^- & g\, g_{-} < 0 \\ 1 & \end{cases})",
        ),
        Rule("last", "last_gradient", ("g", "last"), turned, r"g_{-} \leftarrow g \, [g\, g_{-} \ge 0]"),
        Rule(
            "p", "update", ("p", "h_next", "last_next"), moved, r"p \leftarrow p - h \operatorname{sign} g"
        ),
    )


def _clamped(h: Array, c: Hyper) -> Array:
    return np.minimum(np.maximum(h, c.step_size_min), c.step_size_max)


def _sgd_states(o: Options) -> dict[str, State]:
    return {"v": State("momentum_buffer")} if o["momentum"] else {}


MOMENTUM = (
    OptimizerFamily(
        "sgd",
        "torch.optim.SGD",
        sgd,
        _sgd_states,
        {"momentum": 0.0, "dampening": 0.0, "weight_decay": 0.0, "nesterov": False, "maximize": False},
        lr=1e-3,
        remark="The textbook's velocity has η inside; PyTorch's has it outside, and starts at g, undamped.",
    ),
    OptimizerFamily(
        "asgd",
        "torch.optim.ASGD",
        asgd,
        lambda o: {"ax": State("ax")},
        {"lambd": 1e-4, "alpha": 0.75, "t0": 1e6, "weight_decay": 0.0, "maximize": False},
        lr=1e-2,
        derived=asgd_rates,
    ),
    OptimizerFamily(
        "rprop",
        "torch.optim.Rprop",
        rprop,
        lambda o: {"h": State("step_size", lambda p, lr: np.full_like(p, lr)), "last": State("prev")},
        {"etaminus": 0.5, "etaplus": 1.2, "step_size_min": 1e-6, "step_size_max": 50.0, "maximize": False},
        lr=1e-2,
        remark="PyTorch's etas and step sizes are pairs: etas = (etaminus, etaplus).",
    ),
)
