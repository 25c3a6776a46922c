"""Every single edit of a formula's tree: a part exchanged, left out or changed, a constant put in."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from parity.check.diagnosis.readings import ids
from parity.check.diagnosis.readings.forms import reference_names, symbol, tensor
from parity.check.diagnosis.readings.site import Site, Tag
from parity.check.diagnosis.readings.tables import (
    ADDED,
    COMPARISONS,
    CONNECTIVES,
    COUNTS,
    CURVED,
    EARLIER,
    FACTORS,
    FUNCTIONS,
    PAIRS,
    QUANTITIES,
    REDUCTIONS,
    SHIFTS,
    SPELT,
    TRANSFORMS,
    TRIED,
)
from parity.check.diagnosis.readings.tree import (
    BINARY,
    Path,
    Tree,
    node,
    nodes,
    number_of,
    put,
    tree,
    written,
)

HOLE = node("c")
"""Where a constant is still to be read off."""


@dataclass(frozen=True)
class Edit:
    """A formula with one edit: what it is now, what the edit is called, and what is said of it."""

    tree: Tree
    id: str
    detail: str
    facts: Mapping[str, str] = field(default_factory=dict)
    cost: float = 1.0
    hole: Path | None = None  # the way to a constant that is still to be read off
    neutral: float | None = None  # the constant that would be no edit at all
    scope: tuple[Tag, ...] = ()  # where it can have been made: in the slope of one activation


class Editor:
    """The edits of the formulas of one kind."""

    def __init__(self, place: Site) -> None:
        self.names = {**reference_names(place), **SPELT}
        self.kind = place.equation.formula.name
        self.place = place
        self.tensors = dict(self._surroundings())

    def _surroundings(self) -> Iterator[tuple[Tree, str]]:
        for quantity in QUANTITIES:
            for where in SHIFTS:
                if where.endswith("x") and quantity != "a":
                    continue
                leaf = tensor(quantity, where)
                text = symbol(quantity, where)
                self.names[leaf.head] = text
                yield leaf, text
                if quantity in EARLIER and where in ("+0", "-1", "+1"):
                    leaf = tensor(quantity, where, earlier=True)
                    self.names[leaf.head] = f"{text}(t−1)"
                    yield leaf, f"{text}(t−1)"
        for name in ("x", "y", "x'", "y'"):
            leaf = node(name.replace("'", "@+0'") if "'" in name else f"{name}@+0")
            self.names[leaf.head] = name.replace("'", "(t−1)")
            yield leaf, self.names[leaf.head]

    def said(self, part: Tree) -> str:
        """As the deck writes it."""
        return written(part, self.names)

    def edits(self, whole: Tree, *, inside: str = "") -> Iterator[Edit]:
        """Every edit of a formula; `inside` names the family of all of them, of a slope say."""
        own = {self.place.operands.get(part.head) for _, part in nodes(whole)}
        for path, part in nodes(whole):
            yield from self._operator(whole, path, part, inside)
            yield from self._leaf(whole, path, part, inside, own)
            yield from self._transformed(whole, path, part, inside)
            yield from self._constant(whole, path, part, inside)

    def _instead(self, whole: Tree, path: Path, new: Tree, id: str, cost: float) -> Edit:
        part = _at(whole, path)
        facts = {"used": self.said(new), "meant": self.said(part)}
        return Edit(put(whole, path, new), id, "in_place", facts, cost)

    def _operator(self, whole: Tree, path: Path, part: Tree, inside: str) -> Iterator[Edit]:
        name = inside or ("wrong-loss" if self.kind == "loss" else "wrong-operator")
        if part.head in BINARY:
            left, right = part.of
            others = CONNECTIVES if part.head in CONNECTIVES else COMPARISONS
            threshold = name if part.head in CONNECTIVES else "wrong-threshold"
            for other in others:
                if other != part.head:
                    yield self._instead(whole, path, node(other, left, right), threshold, 1.0)
                yield self._instead(whole, path, node(other, right, left), inside or ids.turned(part), 1.1)
            if part.head in CONNECTIVES:
                for stays, goes in ((left, right), (right, left)):
                    facts = {"meant": self.said(goes)}
                    yield Edit(
                        put(whole, path, stays),
                        ids.left_out(self.kind, goes, inside),
                        "left_out",
                        facts,
                        0.8,
                    )
        elif part.head in REDUCTIONS:
            for other in REDUCTIONS:
                if other != part.head:
                    summed = (
                        "sum-over-wrong-axis" if other.startswith(("over", "sum")) else "wrong-operator"
                    )
                    id = inside or ("wrong-loss" if self.kind == "loss" else summed)
                    yield self._instead(whole, path, node(other, *part.of), id, 1.0)
            facts = {"meant": "Σ"}
            yield Edit(put(whole, path, part.of[0]), inside or "not-accumulated", "left_out", facts, 0.9)
        elif part.head == "power":
            for other in ("+", "-", "*", "/"):
                yield self._instead(whole, path, node(other, *part.of), name, 1.2)
        elif part.head in PAIRS:
            for other in PAIRS:
                yield self._instead(whole, path, node(other, *part.of), name, 1.0)
            yield self._instead(whole, path, node("+", *part.of), name, 1.1)
        elif part.head == "T":
            facts = {"used": self.said(part.of[0]), "meant": self.said(part)}
            id = "not-transposed" if self.kind == "hidden_delta" else "transposed"
            yield Edit(put(whole, path, part.of[0]), id, "in_place", facts, 0.8)
        elif len(part.of) == 1:
            yield self._instead(whole, path, part.of[0], name, 0.9)
            for other in FUNCTIONS:
                if other != part.head:
                    yield self._instead(whole, path, node(other, *part.of), name, 1.0)

    def regrouped(self, whole: Tree, path: Path, slope: Tree) -> Iterator[Edit]:
        """s f′, where f′ = p q, taken as (s p) q: with another operator between s and p."""
        if slope.head == "*":
            (p, q), s = slope.of, _at(whole, path[:-1]).of[0]
            for other in CONNECTIVES:
                if other != "*":
                    new = node("*", node(other, s, p), q)
                    facts = {"used": self.said(new), "meant": self.said(node("*", s, slope))}
                    yield Edit(put(whole, path[:-1], new), "wrong-operator", "in_place", facts, 1.3)

    def _leaf(
        self, whole: Tree, path: Path, part: Tree, inside: str, own: set[str | None]
    ) -> Iterator[Edit]:
        if part.of:
            if self.kind.endswith("delta") and path == (0,):  # the first factor, s
                for leaf, text in self.tensors.items():
                    id = "wrong-operand"
                    yield Edit(
                        put(whole, path, leaf),
                        id,
                        "in_place",
                        {"used": text, "meant": self.said(part)},
                        1.9,
                    )
            return
        meant = self.place.operands.get(part.head, "slope" if part.head == "slope" else None)
        if meant is None:
            if number_of(part) is None and part.head in COUNTS:
                for other in COUNTS:
                    if other != part.head:
                        yield self._instead(whole, path, node(other), inside or "wrong-constant", 1.4)
                for leaf in self.tensors if part.head in ("lr", "n") else ():
                    yield self._instead(whole, path, leaf, "wrong-operand", 1.8)
            return
        quantity, where = ids.home(self.place, part.head)
        for leaf, text in self.tensors.items():
            other, _, place = leaf.head.partition("@")
            if (other, place) == (quantity, where):
                continue
            id = inside or ids.exchanged(quantity, where, other, place)
            cost = (
                1.2
                + 0.2 * (other != quantity)
                + 0.2 * place.endswith("'")
                + 0.1 * SHIFTS.index(place.removesuffix("'"))
            )
            facts = {"used": text, "meant": self.said(part)}
            yield Edit(put(whole, path, leaf), id, "in_place", facts, cost)
            if other[0] in "Wd" and "T" not in _above(whole, path):
                turned = node("T", leaf)
                facts = {"used": self.said(turned), "meant": self.said(part)}
                yield Edit(put(whole, path, turned), id, "in_place", facts, cost + 0.4)
        for count in COUNTS:
            yield self._instead(whole, path, node(count), inside or "wrong-operand", 1.8)

    def _transformed(self, whole: Tree, path: Path, part: Tree, inside: str) -> Iterator[Edit]:
        if number_of(part) is not None or (part.head in COUNTS and part.head != "lr"):
            return
        for head, id in TRANSFORMS.items():
            new = node(head, part)
            if head == part.head:
                continue
            called = inside or ids.called(self.kind, id, part, path)
            yield self._instead(whole, path, new, called, 1.2 + 0.1 * len(path) + 0.3 * bool(part.of))
        for cut in ("0.5", "1", "0.05") if inside else ():
            new = node("maximum", node("minimum", part, tree(cut)), tree(f"-{cut}"))
            yield self._instead(whole, path, new, inside, 1.7)
        if path == () or part.head not in self.place.operands:
            for comparison in (">", "<"):
                masked = node("*", part, node(comparison, part, node("0")))
                id = inside or ("masked-by-sign" if "delta" in self.kind else "wrong-operator")
                yield self._instead(whole, path, masked, id, 1.6)

    def _constant(self, whole: Tree, path: Path, part: Tree, inside: str) -> Iterator[Edit]:
        """A constant instead of a number, before a part, or added to it."""
        number = number_of(part)
        what = {"what": self.said(part)}
        if number is not None:
            above = _above(whole, path)
            id = inside or ("wrong-loss" if above == "power" else "wrong-constant")
            if any(_at(whole, path[:k]).head in ("exp", "expm1", "abs") for k in range(len(path))):
                for factor in ("1", "3", "0", "-2", "2.2", "1.8", "2.01", "0.5", "-0.5"):
                    yield self._instead(whole, path, tree(factor), id, 1.4)
            facts = {"meant": self.said(part)}
            if above in ("power", *COMPARISONS, *PAIRS):  # nothing that can be solved for: tried
                id = "wrong-threshold" if above in (*COMPARISONS, *PAIRS) else id
                for other in TRIED:
                    changed = put(_at(whole, path[:-1]), path[-1:], tree(other))
                    yield self._instead(whole, path[:-1], changed, id, 1.0)
                return
            yield Edit(put(whole, path, HOLE), id, "constant_for", facts, 0.9, path, number)
            return
        scaled = put(whole, path, node("*", HOLE, part))
        detail = "constant" if path == () else "constant_before"
        yield Edit(
            scaled, inside or "wrong-constant", detail, what, 1.1 + bool(path) * 0.3, (*path, 0), 1.0
        )
        added = put(whole, path, node("+", part, HOLE))
        cost = 1.6 - 0.1 * len(path)
        yield Edit(added, inside or "epsilon-added", "constant_added", what, cost, (*path, 1), 0.0)
        if any(_at(whole, path[:k]).head in CURVED for k in range(len(path))):  # tried, not solved for
            for factor in FACTORS:
                yield Edit(
                    put(whole, path, node("*", tree(factor), part)),
                    inside or "wrong-constant",
                    "constant_before",
                    {**what, "constant": factor.replace("-", "−")},
                    1.6,
                )
            for term in ADDED:
                facts = {**what, "constant": term.replace("-", "−")}
                new = put(whole, path, node("+", part, tree(term)))
                yield Edit(new, inside or "epsilon-added", "constant_added", facts, 1.7)

    def residuals(self, whole: Tree) -> Iterator[Edit]:
        """c times another tensor, added to the formula or to the gradient in it."""
        for path, part in nodes(whole):
            if path and part.head not in ("dW", "db"):
                continue
            for leaf in self.tensors:
                for head in ("", "sign", "abs"):
                    term = node(head, leaf) if head else leaf
                    new = node("+", part, node("*", HOLE, term))
                    facts = {"what": self.said(term)}
                    yield Edit(
                        put(whole, path, new),
                        ids.added(self.kind, leaf),
                        "added",
                        facts,
                        1.5 + 0.3 * bool(head) + 0.2 * ("+0" not in leaf.head) + 0.1 * (not path),
                        (*path, 1, 0),
                        0.0,
                    )


def _at(whole: Tree, path: Path) -> Tree:
    for place in path:
        whole = whole.of[place]
    return whole


def _above(whole: Tree, path: Path) -> str:
    """The head of the node above."""
    return _at(whole, path[:-1]).head if path else ""
