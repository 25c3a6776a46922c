"""Findings in PyTorch's numbers, torch 2.13.0 on a CPU: each with what is computed instead."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from parity.pytorch.deviations.deviation import Deviation, OwnForm
from reference.architecture import Architecture
from reference.arrays import Array, Scalar, bfloat16, full_like, select
from reference.equations import update_equations
from reference.formula import Constants, Equation
from reference.optimizers import Derived
from reference.optimizers.matrix import muon

DOUBLE_IN_SINGLE = 2**29
"""One rounding to float32, counted in roundings to float64."""


def _is_double(architecture: Architecture) -> bool:
    return np.dtype(architecture.dtype) == np.float64


def _uses(name: str) -> Callable[[Architecture], bool]:
    return lambda architecture: architecture.optimizer.name == name


def _in_single(*names: str) -> Callable[[Constants], Constants]:
    """These derived hyperparameters, known to float32 only, at every step up to this one."""

    def loosen(constants: Constants) -> Constants:
        found = dict(constants)
        for name in names:
            number = found.get(name)
            if isinstance(number, Derived):
                steps = int(constants["t"]) + 1
                found[name] = Derived(number, number.roundings + DOUBLE_IN_SINGLE * steps)
        return found

    return loosen


def _hardsigmoid(equation: Equation, architecture: Architecture) -> OwnForm | None:
    f = architecture.activations[equation.layer - 1]
    if f.name != "hardsigmoid" or equation.quantity != "delta":
        return None

    def form(s: Array, z: Array, a: Array) -> Array:
        inside = np.logical_and(np.greater(z, -3), np.less(z, 3))
        return s * select(inside, full_like(z, float(np.float32(1 / 6))), 0.0)

    return form


def _celu(equation: Equation, architecture: Architecture) -> OwnForm | None:
    f = architecture.activations[equation.layer - 1]
    if f.name != "celu" or equation.quantity != "delta":
        return None
    alpha, inverse = f.options["alpha"], 1 / float(np.float32(f.options["alpha"]))

    def form(s: Array, z: Array, a: Array) -> Array:
        return s * select(np.greater(z, 0), full_like(z, 1.0), alpha * inverse * np.exp(inverse * z))

    return form


def _bce(equation: Equation, architecture: Architecture) -> OwnForm | None:
    if equation.formula.name != "loss_gradient" or architecture.loss.name != "bce":
        return None

    def form(y_hat: Array, y: Array, n: Scalar) -> Array:
        return (y_hat - y) / np.maximum((1 - y_hat) * y_hat, float(np.float32(1e-12))) / n

    return form


def _soft_margin(equation: Equation, architecture: Architecture) -> OwnForm | None:
    if equation.formula.name != "loss_gradient" or architecture.loss.name != "soft_margin":
        return None

    def form(y_hat: Array, y: Array, n: Scalar) -> Array:
        e = np.exp(-y * y_hat)
        return -y * e / (1 + e) / n  # inf/inf where e overflows

    return form


def _margins(equation: Equation, architecture: Architecture) -> OwnForm | None:
    loss, name = architecture.reduced_loss, equation.formula.name
    if loss.name not in MARGINS or name not in ("loss", "loss_gradient"):
        return None
    function = loss.value if name == "loss" else loss.gradient
    return lambda y_hat, y, n: function(y_hat, y, n, larger=np.fmax)


MARGINS = ("multi_margin", "multilabel_margin")


def _l1(equation: Equation, architecture: Architecture) -> OwnForm | None:
    if equation.formula.name != "loss_gradient" or architecture.loss.name != "l1":
        return None

    def form(y_hat: Array, y: Array, n: Scalar) -> Array:
        sign = np.sign(y_hat - y)
        return (np.fmax(sign, 0) - np.fmax(-sign, 0)) / n  # of NaN and a number, the number

    return form


def _muon(equation: Equation, architecture: Architecture) -> OwnForm | None:
    if equation.formula.name != "weight_update" or architecture.optimizer.name != "muon":
        return None
    rules = muon(architecture.optimizer.options, rounded=bfloat16)
    found: Mapping[str, Equation] = {
        other.makes: other for other in update_equations(architecture, f"W{equation.layer}", rules)
    }
    return found[equation.makes].evaluate


NUMBERS = (
    Deviation(
        "hardsigmoid-float64",
        "numbers",
        "torch.nn.Hardsigmoid, backward, float64",
        "f′(z) = 1/6 between −3 and 3",
        "the float32 nearest to 1/6, in float64 too: 3e−8 relatively off, 2^28 times what rounding allows",
        """import torch
z = torch.zeros(1, dtype=torch.float64, requires_grad=True)
torch.nn.Hardsigmoid()(z).backward()
print(z.grad.item(), "instead of", 1 / 6)
""",
        applies=lambda a: _is_double(a) and any(f.name == "hardsigmoid" for f in a.activations),
        admits=_hardsigmoid,
    ),
    Deviation(
        "celu-float64",
        "numbers",
        "torch.nn.CELU, backward, float64, where α is not a float32",
        "f′(z) = e^(z/α) where z ≤ 0",
        "α c e^(c z), with c the reciprocal of the float32 nearest to α: 1e−8 relatively off, and more "
        "where −z/α is large. The forward divides by α itself",
        """import torch
z = torch.zeros(1, dtype=torch.float64, requires_grad=True)
torch.nn.CELU(alpha=0.3)(z).backward()
print(z.grad.item(), "instead of", 1.0)
""",
        applies=lambda a: _is_double(a) and any(f.name == "celu" for f in a.activations),
        admits=_celu,
    ),
    Deviation(
        "bce-epsilon-float64",
        "numbers",
        "torch.nn.BCELoss, backward, float64, where ŷ(1 − ŷ) < 1e−12",
        "only the logarithms are said to be held, above −100; nothing is said of the denominator",
        "the denominator is held above the float32 nearest to 1e−12, in float64 too",
        """import torch
y_hat = torch.tensor([1e-14], dtype=torch.float64, requires_grad=True)
torch.nn.BCELoss()(y_hat, torch.ones(1, dtype=torch.float64)).backward()
print(y_hat.grad.item(), "instead of", (1e-14 - 1) / 1e-12, "and mathematically", -1e14)
""",
        applies=lambda a: _is_double(a) and a.loss.name == "bce",
        admits=_bce,
    ),
    Deviation(
        "soft-margin-overflow",
        "numbers",
        "torch.nn.SoftMarginLoss, backward, where −y ŷ exceeds 88.7 (float32) or 709.8 (float64)",
        "the derivative of log(1 + e^(−yŷ)), which tends to −y",
        "e/(1 + e) with e = e^(−yŷ), which is inf/inf = NaN once e overflows",
        """import torch
y_hat = torch.tensor([-100.0], requires_grad=True)
torch.nn.SoftMarginLoss()(y_hat, torch.ones(1)).backward()
print(y_hat.grad.item(), "instead of", -1.0)
""",
        applies=lambda a: a.loss.name == "soft_margin",
        admits=_soft_margin,
    ),
    Deviation(
        "margin-nan",
        "numbers",
        "torch.nn.MultiMarginLoss and torch.nn.MultiLabelMarginLoss, where a margin is NaN",
        "max(0, m − ŷ_y + ŷ_k), which is NaN with ŷ, as `torch.clamp_min` has it",
        "0: a network whose outputs are NaN has no loss, and looks trained",
        """import torch
y_hat = torch.full((1, 3), float("nan"))
print(torch.nn.MultiMarginLoss()(y_hat, torch.tensor([0])).item(), "instead of", float("nan"))
print(torch.nn.MultiLabelMarginLoss()(y_hat, torch.tensor([[0, -1, 0]])).item())
print(torch.nn.HingeEmbeddingLoss()(y_hat, -torch.ones(1, 3)).item(), "as it should be")
""",
        applies=lambda a: a.loss.name in MARGINS,
        admits=_margins,
    ),
    Deviation(
        "l1-nan",
        "numbers",
        "torch.nn.L1Loss, backward, where ŷ or y is NaN",
        "sign(ŷ − y), of which nothing is known: NaN, as of every other loss of the family",
        "0, as `torch.sign` has it: a number that is NaN asks for no change, and the rest trains on",
        """import torch
y_hat = torch.full((3,), float("nan"), requires_grad=True)
for loss in (torch.nn.L1Loss(), torch.nn.SmoothL1Loss(), torch.nn.HuberLoss(), torch.nn.MSELoss()):
    print(loss, torch.autograd.grad(loss(y_hat, torch.zeros(3)), y_hat)[0].tolist())
""",
        applies=lambda a: a.loss.name == "l1",
        admits=_l1,
    ),
    Deviation(
        "gelu-infinity",
        "numbers",
        "torch.nn.GELU, forward, float32, oneDNN's kernel (three elements or more), z = ∞",
        "z Φ(z), which is ∞",
        "NaN; of one element, and in float64, ∞",
        """import torch
z = torch.full((16,), float("inf"))
print(torch.nn.GELU()(z)[0].item(), torch.nn.GELU()(z[:1])[0].item())
""",
    ),
    Deviation(
        "gelu-large",
        "numbers",
        "torch.nn.GELU, forward, float32, oneDNN's kernel (two elements or more), z above 2^127",
        "z Φ(z), which is z there, and finite",
        "∞: z (1 + erf(z/√2)), which is 2z, is formed before it is halved; of one element, z",
        """import torch
z = torch.full((16,), 2.5e38)
print(torch.nn.GELU()(z)[0].item(), torch.nn.GELU()(z[:1])[0].item())
""",
    ),
    Deviation(
        "nadam-float64",
        "numbers",
        "torch.optim.NAdam, float64 parameters",
        "the product of all μ_i, a hyperparameter",
        "kept as a float32 tensor (the default dtype), rounded to it at every step",
        """import torch
p = torch.nn.Parameter(torch.zeros(1, dtype=torch.float64))
optimizer = torch.optim.NAdam([p])
p.grad = torch.ones_like(p)
optimizer.step()
print(optimizer.state[p]["mu_product"].dtype, optimizer.state[p]["mu_product"].item())
print("instead of", 0.9 * (1 - 0.5 * 0.96**0.004))
""",
        applies=lambda a: _is_double(a) and _uses("nadam")(a),
        loosens=_in_single("mu_product"),
    ),
    Deviation(
        "asgd-float64",
        "numbers",
        "torch.optim.ASGD, float64 parameters",
        "η_t and μ_t, hyperparameters",
        "kept as float32 tensors (the default dtype), rounded to it",
        """import torch
p = torch.nn.Parameter(torch.zeros(1, dtype=torch.float64))
optimizer = torch.optim.ASGD([p], lr=0.1, lambd=0.0)
p.grad = torch.ones_like(p)
optimizer.step()
print(p.item(), "instead of", -0.1)
""",
        applies=lambda a: _is_double(a) and _uses("asgd")(a),
        loosens=_in_single("eta", "mu"),
    ),
    Deviation(
        "muon-bfloat16",
        "numbers",
        "torch.optim.Muon, its Newton–Schulz iterations",
        "NS_k of the momentum, with nothing said of its precision",
        "every result of the iteration is rounded to bfloat16 (8 significant bits), whatever the dtype",
        """import torch
torch.manual_seed(0)
p = torch.nn.Parameter(torch.zeros(2, 3, dtype=torch.float64))
p.grad = torch.randn(2, 3, dtype=torch.float64)
torch.optim.Muon([p], lr=1.0, weight_decay=0.0).step()
print(torch.equal(p, p.bfloat16().double()))
""",
        applies=_uses("muon"),
        admits=_muon,
    ),
)
