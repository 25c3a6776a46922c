"""What people leave in from elsewhere: another optimizer's step, clipping, dropout, another loss."""

from __future__ import annotations

from collections.abc import Iterator

from parity.check.diagnosis.readings.edits import HOLE, Edit, Editor
from parity.check.diagnosis.readings.tree import Tree, node, nodes, number_of, put, tree

CUTS = ("0.01", "0.05", "0.1", "0.5", "1", "2", "3", "5", "6", "10", "20", "50", "100", "500")
"""Where people cut off; what else a number may be cut off at is read from the largest."""

EPSILONS = (
    "0",
    "1e-08",
    "1e-07",
    "1e-06",
    "1e-05",
    "1e-10",
    "1e-12",
    "0.0001",
    "0.001",
    "0.01",
    "0.1",
    "1",
)

LOSSES = {
    "sum(abs(y_hat - y)) / n": "L1",
    "sqrt(sum(square(y_hat - y)) / n)": "RMSE",
    "sum(y_hat - y) / n": "Σ (ŷ − y)/n",
    "neg(sum(y * log(y_hat))) / batch": "cross-entropy",
    "neg(sum(y * log(y_hat) + (1 - y) * log(1 - y_hat))) / n": "BCE",
}
LOSS_DELTAS = {
    "(y_hat - y)": "cross-entropy",
    "(y_hat - y) / batch": "cross-entropy",
    "(y_hat - y) / n": "cross-entropy",
}
SCALED_DELTAS = {
    "sign(y_hat - y) * slope": "L1",
    "(y_hat - y) / (n * sqrt(sum(square(y_hat - y)) / n)) * slope": "RMSE",
    "neg(y / y_hat - (1 - y) / (1 - y_hat)) * slope": "BCE",
}
"""Other losses that people have, and what their δ is; that of some with any constant in front."""

NORMS = {
    "norm": "",
    "norm_of_gradients": "dW, db",
    "norm_of_weight_gradients": "dW",
}
"""What a gradient is made shorter by: its own norm, or that of all layers' together."""


def left_in(editor: Editor, form: Tree) -> Iterator[Edit]:
    """The edits that have a name of their own, of a formula in its first form."""
    kind = editor.kind
    for text, name in {"loss": LOSSES, "output_delta": LOSS_DELTAS}.get(kind, {}).items():
        yield Edit(tree(text), "wrong-loss", "other_loss", {"used": name}, 0.5)
    for text, name in SCALED_DELTAS.items() if kind == "output_delta" else ():
        scaled = node("*", HOLE, tree(text))
        yield Edit(scaled, "wrong-loss", "other_loss", {"used": name}, 0.6, (0,))
    for path, part in nodes(form):
        if part.head in ("dW", "db") or (kind.endswith("gradient") and not path):
            for new, id, facts in _gradients(part):
                facts = {
                    "meant": editor.said(part),
                    "used": editor.said(new),
                    "what": editor.said(part),
                    **facts,
                }
                together = "clipped_by_all_norms" if facts.get("of") else "clipped_by_norm"
                detail = together if "constant" in facts else "in_place"
                yield Edit(put(form, path, new), id, detail, facts, 1.4)
        elif kind.endswith("update") and part.head in (
            "W",
            "b",
        ):  # (1 − ηλ) W: rounded otherwise than a sum
            kept = node("*", node("-", tree("1"), HOLE), part)
            facts = {"what": editor.said(part)}
            yield Edit(
                put(form, path, kept), "weight-decay-left-in", "subtracted", facts, 1.8, (*path, 0, 1), 0.0
            )
    if kind in ("activation", "affine", "hidden_delta"):
        yield Edit(
            node("*", HOLE, node("*", node("it"), node("shown_nonzero"))),
            "dropout-left-in",
            "dropout",
            {},
            2.5,
            (0,),
            1.0,
        )
    if kind in ("affine", "activation"):
        for epsilon in ("1e-05", "1e-08", "0.001", "0"):
            new = node("standardised", node("it"), tree(epsilon))
            yield Edit(new, "batch-norm-left-in", "batch_norm", {"constant": epsilon}, 1.5)
    if kind.endswith("update"):
        moved = node("moved'")
        facts = {"what": editor.said(moved)}
        tree_of = node("+", form, node("*", HOLE, moved))
        yield Edit(tree_of, "momentum-left-in", "added", facts, 1.5, (1, 0), 0.0)
    yield from _clipped(editor, form)


def _gradients(g: Tree) -> Iterator[tuple[Tree, str, dict[str, str]]]:
    """Another optimizer's gradient, or one that is made shorter."""
    for epsilon in EPSILONS:
        size = node("+", node("abs", g), tree(epsilon))
        yield node("/", g, size if epsilon != "0" else node("abs", g)), "adaptive-step", {}
        length = node("+", node("norm", g), tree(epsilon))
        yield node("/", g, length if epsilon != "0" else node("norm", g)), "normalised-gradient", {}
    yield node("/", g, node("largest", node("abs", g))), "normalised-gradient", {}
    for head, of in NORMS.items():
        norm = node(head) if of else node(head, g)
        if of:
            yield node("/", g, norm), "normalised-gradient", {}
        for length in (norm, node("+", norm, tree("1e-06")), node("+", norm, tree("1e-08"))):
            for cut in CUTS:
                shorter = node("minimum", tree("1"), node("/", tree(cut), length))
                yield node("*", g, shorter), "gradient-clipping-left-in", {"constant": cut, "of": of}


def _clipped(editor: Editor, form: Tree) -> Iterator[Edit]:
    """A part of the formula cut off at ± a number: of the whole, at the largest that was shown."""
    largest = repr(float(abs(editor.place.observed).max(initial=0)))
    for path, part in nodes(form):
        if number_of(part) is not None or part.head == "n":
            continue
        for cut in CUTS if path else (*CUTS, largest):
            facts = {"what": editor.said(part), "constant": f"{float(cut):.6g}"}
            yield Edit(
                put(form, path, cut_off(part, cut)),
                _cut(editor, part),
                "clipped",
                facts,
                1.6 + 0.1 * len(path),
            )
    if editor.kind == "activation":
        z = node("z")
        for cut in CUTS:
            facts = {"what": editor.said(z), "constant": cut}
            yield Edit(node("f", cut_off(z, cut)), "input-clipped", "clipped", facts, 1.5)


def cut_off(part: Tree, cut: str) -> Tree:
    """max(min(part, c), −c)."""
    return node("maximum", node("minimum", part, tree(cut)), tree(f"-{cut}"))


def _cut(editor: Editor, part: Tree) -> str:
    """What it is called: of a gradient, or of what goes into a function."""
    if part.head in ("lr", "W", "b", "y"):
        return "input-clipped"
    backwards = editor.kind.endswith(("delta", "gradient", "update"))
    return (
        "gradient-clipping-left-in"
        if backwards and part.head not in ("z", "a", "y_hat")
        else "input-clipped"
    )
