"""What an edit is called: by the formula, by what was edited, and by what was put in its place."""

from __future__ import annotations

from parity.check.diagnosis.readings.site import Site
from parity.check.diagnosis.readings.tables import COUNTS
from parity.check.diagnosis.readings.tree import Path, Tree, nodes, number_of

READ: tuple[str, ...] = (
    *("momentum-left-in", "weight-decay-left-in", "gradient-clipping-left-in", "normalised-gradient"),
    *("sign-of-gradient", "adaptive-step", "dropout-left-in", "batch-norm-left-in", "epsilon-added"),
    *("input-clipped", "wrong-threshold", "wrong-loss", "samples-permuted", "targets-changed"),
    *("absolute-weights", "not-updated", "all-zero", "not-a-number", "masked-by-sign", "wrong-operator"),
    *("wrong-index", "shown-as-another", "wrong-operand", "term-added"),
)
"""The names that only readings give, besides those of the catalogue."""


def turned(part: Tree) -> str:
    """Operands in the other order."""
    return {"-": "sign-flipped", "@": "swapped-operands"}.get(part.head, "wrong-operator")


def left_out(kind: str, part: Tree, inside: str) -> str:
    """An operand left out; `inside` names the family of all edits there."""
    if inside:
        return inside
    known = {"b": "missing-bias", "slope": "missing-derivative", "lr": "missing-learning-rate"}
    if kind.endswith("update") and part.head in ("W", "b"):
        return "not-accumulated"
    if kind.endswith("update") and part.head == "*":
        return "not-updated"
    if kind == "affine" or part.head in known:
        return known.get(part.head, "wrong-operator")
    return "wrong-constant" if plain(part) else "wrong-operator"


def called(kind: str, id: str, part: Tree, path: Path) -> str:
    """Something done to a part; `id` is what it is called elsewhere."""
    if kind == "loss" and part.of and id in ("wrong-operator", "absolute-value"):
        return "wrong-loss"
    if id in ("samples-permuted", "last-sample-only") and not _of_samples(kind, part, path):
        return "wrong-index"
    if id == "absolute-value":
        return "absolute-weights" if part.head == "W" else "wrong-operator"
    if id == "rounded":
        return "targets-changed" if part.head == "y" else "lower-precision"
    if id in ("lower-precision", "samples-permuted") and part.head == "y":
        return "targets-changed"
    if id == "sign-of":
        return "sign-of-gradient" if kind != "affine" else "wrong-operator"
    if id == "sign-flipped" and kind.endswith("update") and part.head not in ("W", "b"):
        return "wrong-sign-of-update" if path else id
    return id


def _of_samples(kind: str, part: Tree, path: Path) -> bool:
    """Whether the columns of a part are samples: those of W and dW are units."""
    turned = part.of[0] if part.head == "T" else part
    return turned.head not in ("W", "dW", "b", "db") and not (
        kind.startswith(("weight", "bias")) and not path
    )


def added(kind: str, leaf: Tree) -> str:
    """Another tensor, added to a formula or to the gradient in it."""
    gradient = kind.endswith(("update", "gradient"))
    quantity = leaf.head.partition("@")[0]
    own = kind.startswith(("weight", "bias")) and leaf.head in ("W@+0", "b@+0")
    if gradient and own:
        return "weight-decay-left-in"
    if gradient and leaf.head.endswith("'") and quantity in ("dW", "db", "W", "b", "delta"):
        return "momentum-left-in"
    return "term-added"


def home(place: Site, operand: str) -> tuple[str, str]:
    """The quantity that an operand is, and where it lies from here."""
    if operand == "slope":
        return "slope", "+0"
    name = place.operands[operand]
    if name in ("x", "y"):
        return ("a", "-1") if name == "x" else (name, "+0")
    quantity = name.partition("_")[0].rstrip("0123456789")
    return quantity, f"{int(name.partition('_')[0][len(quantity) :]) - place.layer:+d}"


def exchanged(quantity: str, where: str, other: str, place: str) -> str:
    """What it is called to use one tensor for another."""
    if place.endswith("'"):
        return "stale-value"
    if other == quantity:
        return "wrong-layer"
    if (quantity, other) == ("a", "z") and place == where:
        return "uses-z-for-a"
    if (quantity, other) == ("delta", "s"):
        return "missing-derivative"
    if other == f"{quantity}_next":
        return "updated-weights" if quantity == "W" else "stale-value"
    return "wrong-operand"


def plain(part: Tree) -> bool:
    """Whether it is made of numbers and counts only."""
    return all(p.of or number_of(p) is not None or p.head in COUNTS for _, p in nodes(part))
