"""The names of tensors and nodes in pictures: `delta2` is δ⁽²⁾, the gradient of `W1` is dW⁽¹⁾."""

from __future__ import annotations

from reference.graph import Node
from reference.trace import split

SUPERSCRIPT = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")
DECK = {"W", "b", "alpha", "z", "a", "dW", "db", "dalpha", "delta", "s"}
"""Quantities that the deck writes with a layer above."""

LETTERS = {"delta": "δ", "loss": "L", "squares": "r²"}


def written(name: str) -> str:
    """A tensor's name as the deck writes it, in characters: ``written("delta2") == "δ⁽²⁾"``.

    A name that is not a trace's stays as it is.
    """
    if name in LETTERS:
        return LETTERS[name]
    state, _, parameter = name.removesuffix("_next").rpartition("_")
    if state:
        return f"{state}_{written(parameter)}" + (" ←" if name.endswith("_next") else "")
    try:
        quantity, layer = split(name)
    except ValueError:
        return name
    base, after, _ = quantity.partition("_next")
    if layer is None or base not in DECK:
        return name
    superscript = f"⁽{layer}⁾".translate(SUPERSCRIPT)
    return LETTERS.get(base, base) + superscript + (" ←" if after else "")


def gradient_written(node: Node) -> str:
    """∂L/∂(a node's value) as the deck writes it, or spelt out: ∂L/∂r."""
    known = split(node.gradient)[0] in DECK if node.layer else False
    return written(node.gradient) if known else f"∂L/∂{written(node.name)}"
