"""How a tensor or a node is written in a picture: `delta2` is δ⁽²⁾, the gradient of `W1` is dW⁽¹⁾."""

from __future__ import annotations

from reference.chain import GRADIENTS
from reference.trace import split

SUPERSCRIPT = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")
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
    if layer is None or base not in {*GRADIENTS, *GRADIENTS.values()}:
        return name
    superscript = f"⁽{layer}⁾".translate(SUPERSCRIPT)
    return LETTERS.get(base, base) + superscript + (" ←" if after else "")


def gradient_name(name: str) -> str:
    """The trace's name of ∂L/∂(node `name`): `delta1` for `z1`; "" where a trace has none."""
    try:
        quantity, layer = split(name)
    except ValueError:
        return ""
    return f"{GRADIENTS[quantity]}{layer}" if quantity in GRADIENTS and layer is not None else ""


def gradient_written(name: str) -> str:
    """∂L/∂(node `name`) as the deck writes it, or spelt out: ∂L/∂r."""
    known = gradient_name(name)
    return written(known) if known else f"∂L/∂{written(name)}"
