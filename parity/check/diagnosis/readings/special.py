"""Readings that are no edit of one node: the whole is another tensor, is cut off, or is no number."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np

from parity.check.diagnosis.readings.edits import HOLE, Edit, Editor
from parity.check.diagnosis.readings.forms import forms, symbol, tensor
from parity.check.diagnosis.readings.reading import Reading
from parity.check.diagnosis.readings.site import Site
from parity.check.diagnosis.readings.tables import OTHERS, SHIFTS
from parity.check.diagnosis.readings.tree import Tree, node, nodes, put, tree

SLOPE_GUESSES = (
    *(
        "a * (1 - a)",
        "1 - a * a",
        "z > 0",
        "a > 0",
        "z <= 0",
        "a",
        "1 - a",
        "1 + a",
        "a * a",
        "a * (1 + a)",
    ),
    *("a * a * (1 - a)", "a * (1 - a * a)", "z", "1 - z", "z * (1 - z)", "1 - z * z", "exp(-z)", "tanh(z)"),
    *("1 - tanh(z)", "1 - tanh(a)", "a / z"),
)
"""What people write for f′, of whatever activation."""

CURVES = ("sigmoid", "tanh", "relu", "softplus", "gelu", "silu", "leaky_relu", "elu")


def of_itself(order: Sequence[Site]) -> Iterator[Reading]:
    """No number at all."""
    if all(np.isnan(place.observed).all() for place in order):
        nothing = node("-", tree("0 * it"), node("nan"))
        yield Reading(nothing, "not-a-number", "not_a_number")


def nothing(order: Sequence[Site]) -> Iterator[Reading]:
    """Zeros everywhere: of what, nobody can tell."""
    zero = tree("0 * it")
    if all(place.proves(zero) for place in order):
        yield Reading(zero, "all-zero", "all_zero", written="0")


def whole_tensors(editor: Editor, place: Site) -> Iterator[Edit]:
    """Another tensor than the one that it is shown as; another loss; another function."""
    kind = place.equation.formula.name
    for quantity in ("W", "b", "z", "a", "delta", "dW", "db", "W_next", "b_next", "s", "slope"):
        for where in (*SHIFTS, "mirror"):
            leaves = [tensor(quantity, where)]
            if quantity not in ("s", "slope"):
                leaves += [tensor(f"right_{quantity}", where), tensor(quantity, where, earlier=True)]
            for leaf in leaves:
                text = symbol(quantity, where) + "(t−1)" * leaf.head.endswith("'")
                editor.names.setdefault(leaf.head, text)
                id = "shown-as-another"
                if leaf.head == f"{kind.partition('_')[0][0]}@+0" and kind.endswith("update"):
                    id = "not-updated"
                for shown in (leaf, node("T", leaf)):
                    facts = {"used": text + "ᵀ" * (shown is not leaf), "shown": place.equation.makes}
                    yield Edit(shown, id, "shown_as", facts, 2.0 + 0.1 * ("right" in leaf.head))
    for name in ("x", "y"):
        leaf = node(f"{name}@+0")
        yield Edit(leaf, "shown-as-another", "shown_as", {"used": name, "shown": place.equation.makes}, 2.0)
    for part in _functions(place):
        id = "wrong-activation" if kind == "activation" else "wrong-derivative"
        meant = "f(z(l))" if kind == "activation" else "f′(z(l))"
        for whole in [part] if kind == "activation" else _with_slope(place, part):
            yield Edit(whole, id, "in_place", {"used": editor.said(part), "meant": meant}, 2.1)


def _functions(place: Site) -> Iterator[Tree]:
    """Known functions, or their slopes, of z, of a, and of what people take for them."""
    kind = place.equation.formula.name
    z, a = node("z"), node("a")
    for where in OTHERS if kind == "activation" or kind.endswith("delta") else ():
        yield node(f"f@{where}", z) if kind == "activation" else node(f"f@{where}'", z, a)
    if kind == "activation":
        yield node("f", node("f", z))
        for where in SHIFTS:
            yield node("f", tensor("z", where))
            yield node("f", tensor("a", where))
    elif kind.endswith("delta"):
        yield node("f'", z, z)
        yield node("f'", a, node("f", a))
        for where in SHIFTS:
            yield node("f'", z, tensor("a", where))
            yield node("f'", tensor("z", where), a)
            yield node("f'", tensor("z", where), node("f", tensor("z", where)))
            yield node("f'", tensor("z", where), tensor("a", where))
    if kind == "activation":
        for name in CURVES:
            yield node(name, node("z"))
            yield node(name, node(name, node("z")))
    elif kind.endswith("delta"):
        for name in CURVES:
            yield node(f"{name}'", node("z"), node(name, node("z")))
            yield node(f"{name}'", node("z"), node("z"))
            yield node(f"{name}'", node("a"), node(name, node("a")))
            yield node(name, node("z"))
        for text in SLOPE_GUESSES:
            yield tree(text)


def _with_slope(place: Site, slope: Tree) -> Iterator[Tree]:
    for form in forms(place)[:1]:
        path = next(path for path, part in nodes(form) if part.head == "slope")
        yield put(form, path, slope)


def pairs(edit: Edit) -> Edit:
    """The same with a constant in front."""
    return replace(
        edit,
        tree=node("*", HOLE, edit.tree),
        hole=(0,),
        neutral=None,
        cost=edit.cost + 3,
        facts={**edit.facts, "front": ""},
    )
