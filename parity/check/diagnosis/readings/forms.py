"""The deck's formulas as people write them: the trees whose edits are tried.

Operands have the names that `reference.formulas` gives them; `slope` is f′(z). Where people write a
formula in several ways, each way has other edits.
"""

from __future__ import annotations

from collections.abc import Mapping

from parity.check.diagnosis.readings.site import Site
from parity.check.diagnosis.readings.tree import Tree, node, tree

FORMS: Mapping[str, tuple[str, ...]] = {
    "affine": ("W @ a + b",),
    "loss": ("sum(power(y_hat - y, 2)) / n", "sum(power(y - y_hat, 2)) / n", "mean(power(y_hat - y, 2))"),
    "output_delta": ("2 / n * (y_hat - y) * slope", "(y_hat - y) * 2 / n * slope"),
    "hidden_delta": ("(W.T @ delta) * slope",),
    "weight_gradient": ("delta @ a.T",),
    "bias_gradient": ("over_batch(delta)",),
    "weight_update": ("W - lr * dW",),
    "bias_update": ("b - lr * db",),
}
SIGMOID = ("1 / (1 + exp(-z))", "exp(z) / (1 + exp(z))")
STABLE = "(z >= 0) * (1 / (1 + exp(-abs(z)))) + (z < 0) * (exp(-abs(z)) / (1 + exp(-abs(z))))"
TANH = "(exp(2 * z) - 1) / (exp(2 * z) + 1)"
CURVES: Mapping[str, tuple[str, ...]] = {
    "sigmoid": (*SIGMOID, STABLE),
    "tanh": ("tanh(z)", TANH),
    "relu": ("maximum(z, 0)", "z * (z > 0)"),
    "identity": ("z",),
}
"""Activations, as they are written."""

SLOPES: Mapping[str, tuple[str, ...]] = {
    "sigmoid": ("a * (1 - a)",),
    "tanh": ("1 - power(a, 2)", "1 - a * a"),
    "relu": ("z > 0", "a > 0"),
    "identity": ("1",),
}
"""Their slopes, as they are written."""


def forms(place: Site) -> tuple[Tree, ...]:
    """The formula of a place, in every way in which it is written."""
    name = place.equation.formula.name
    if name == "activation":
        return tuple(tree(text) for text in CURVES.get(place.activation, (f"{place.activation}(z)",)))
    if name in ("loss", "output_delta") and place.observation.architecture.reduced_loss.name != "mse":
        return ()
    return tuple(tree(text) for text in FORMS.get(name, ()))


def slope_forms(place: Site) -> tuple[Tree, ...]:
    """The slope of a place's activation, in every way in which it is written."""
    return tuple(tree(text) for text in SLOPES.get(place.activation, ()))


def reference_names(place: Site) -> dict[str, str]:
    """How the deck writes the operands: W is `W(l+1)` in a hidden δ."""
    moved = "Δ" + place.equation.quantity.removesuffix("_next") + "(l)(t−1)"
    found = {"lr": "η", "slope": "f′(z(l))", "ones": "1", "moved'": moved}
    for name, tensor in place.operands.items():
        if tensor in ("y", "loss"):
            found[name] = tensor
        else:
            quantity, layer = ("a", 0) if tensor == "x" else _split(tensor)
            found[name] = symbol(quantity, f"{layer - place.layer:+d}")
    return found | ({"y_hat": "ŷ"} if "y_hat" in found else {})


def _split(tensor: str) -> tuple[str, int]:
    base, after, _ = tensor.partition("_next")
    quantity = base.rstrip("0123456789")
    return quantity + after, int(base[len(quantity) :])


def symbol(quantity: str, where: str) -> str:
    """A tensor of another layer, as the deck writes it: `W(l+1)`, `δ(L)`."""
    quantity = quantity.removeprefix("right_")
    written = {"slope": "f′(z", "s": "∂L/∂a"}.get(quantity, quantity.replace("delta", "δ"))
    if quantity in ("x", "y"):
        return quantity
    shift = where.rstrip("wx")
    layer = {"top": "L", "first": "1", "+0": "l", "mirror": "L+1−l"}.get(shift, f"l{shift}").replace(
        "-", "−"
    )
    return f"{written}({layer})" + (")" if quantity == "slope" else "")


def tensor(quantity: str, where: str, *, earlier: bool = False) -> Tree:
    """A leaf for a tensor of the surroundings."""
    return node(f"{quantity}@{where}" + ("'" if earlier else ""))
