"""Which formula with one edit gives every wrong number: read off the smallest place, proved on all.

Every edit of the formula's trees is held against the smallest wrong place in plain floats, which
discards nearly all; what comes near is evaluated with its bounds and must give every number of every
wrong place. Right places must not contradict it, or be set apart by a tag, which is then said. Last it
must hold on calls that it was not read from. The work is counted, never timed, so that a check says the
same on every machine: when it is used up, nothing is said.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import cached_property

import numpy as np

from parity.check.diagnosis.judge import Instance, Judge
from parity.check.diagnosis.readings.constants import Constant, constants, interval
from parity.check.diagnosis.readings.edits import Edit, Editor
from parity.check.diagnosis.readings.forms import forms, slope_forms
from parity.check.diagnosis.readings.left_in import left_in
from parity.check.diagnosis.readings.reading import Reading, scope_of
from parity.check.diagnosis.readings.site import Site
from parity.check.diagnosis.readings.special import nothing, of_itself, pairs, whole_tensors
from parity.check.diagnosis.readings.tree import nodes, put

MOST_WORK = 25_000
"""Trees tried in one check."""

NAMING = 8
"""What the name of a constant costs, in trees."""

FEWEST = 4
"""Numbers that a reading must explain: of fewer, many a formula gives them."""

CELLS = ("f", "position", "layer", "call", "batch")


class Reader:
    """Reads the mistakes of one subject. `unseen` gives the calls on which a reading has to hold."""

    def __init__(self, court: Judge, unseen: Callable[[], Judge | None]) -> None:
        self.court, self._ask = court, unseen
        self.work = MOST_WORK
        self._places: dict[int, Site] = {}

    @cached_property
    def unseen(self) -> Judge | None:
        """Asked for once, when there is something to hold against it."""
        return self._ask()

    def place(self, court: Judge, instance: Instance) -> Site:
        if id(instance) not in self._places:
            self._places[id(instance)] = Site(court, instance)
        return self._places[id(instance)]

    def unseen_places(self, kind: str) -> list[Site]:
        """The instances of a formula on the unseen calls."""
        if self.unseen is None:
            return []
        return [self.place(self.unseen, i) for i in self.unseen.instances if i.kind == kind]

    def read(self, part: Sequence[Instance]) -> list[Reading]:
        """The readings of these instances, the plainest first: one for all, or one for each cell."""
        with np.errstate(all="ignore"):
            wrong = [self.place(self.court, instance) for instance in part]
            kind = part[0].kind
            right = [
                self.place(self.court, i) for i in self.court.instances if i.kind == kind and not i.wrong
            ]
            found = self._solve(wrong, right)
            if found:
                return found
            for name in CELLS:
                cells: dict[str, list[Site]] = {}
                for place in wrong:
                    cells.setdefault(dict(place.tags)[name], []).append(place)
                if len(cells) > 1 and all(_telling(cell) for cell in cells.values()):
                    kin = self._by_cells(name, cells, right)
                    if kin is not None:
                        return [kin]
        return []

    def _by_cells(self, name: str, cells: dict[str, list[Site]], right: list[Site]) -> Reading | None:
        """One reading a cell, all of them proved; None where a cell has none."""
        found: list[Reading] = []
        for value, cell in cells.items():
            tag = (name, value)
            readings = self._solve(cell, [place for place in right if tag in place.tags], unseen=False)
            if not readings:
                return None
            scope = tuple(dict.fromkeys((tag, *readings[0].scope)))
            found.append(replace(readings[0], scope=scope))
        kin = replace(found[0], others=tuple(found[1:]))
        return kin if kin.survives(self.unseen_places(cells[tag[1]][0].instance.kind)) else None

    def _solve(self, wrong: list[Site], right: list[Site], *, unseen: bool = True) -> list[Reading]:
        """Every reading that holds for these places, of the first stage that has any."""
        if sum(place.observed.size for place in wrong) < 2:
            return []
        order = sorted(wrong, key=lambda place: (place.observed.size < FEWEST, place.observed.size))
        for stage in (self._single, self._whole, self._two):
            found = []
            for reading in stage(order):
                concerned = [place for place in right if reading.concerns(place)]
                scope = scope_of(reading.tree, wrong, concerned)
                if scope is None:
                    continue
                scope = tuple(dict.fromkeys((*reading.scope, *scope)))
                held = self._scoped(replace(reading, scope=scope), wrong) if unseen else reading
                if held:
                    found.append(held)
            if found:
                return sorted(found, key=lambda r: r.cost + 0.3 * len(r.scope))
        return []

    def _scoped(self, reading: Reading, wrong: list[Site]) -> Reading | None:
        """The reading, where it survives the unseen calls; if need be, in a narrower scope."""
        unseen = self.unseen_places(wrong[0].instance.kind)
        shared = sorted(set.intersection(*(set(place.tags) for place in wrong)) - set(reading.scope))
        if reading.unsure and not reading.borne_out(wrong, unseen):
            return None
        for narrower in ((), *((tag,) for tag in shared)):
            scoped = replace(reading, scope=(*reading.scope, *narrower))
            if scoped.survives(unseen):
                return scoped
        return None

    # --- the stages -----------------------------------------------------------------------------

    def _single(self, order: Sequence[Site]) -> Iterator[Reading]:
        """One edit of the formula, of its slope or of its activation."""
        if all(not place.observed.any() for place in order):
            yield from nothing(order)
            return
        yield from of_itself(order)
        editor = Editor(order[0])
        for edit in self._edits(editor, order):
            yield from self._held(edit, order, editor)

    def _edits(self, editor: Editor, order: Sequence[Site]) -> Iterator[Edit]:
        place = order[0]
        kind = place.equation.formula.name
        alike = len({p.activation for p in order}) == 1
        for form in forms(place):
            if kind == "activation":
                if alike:
                    for edit in editor.edits(form, inside="wrong-activation"):
                        yield replace(edit, scope=(("f", place.activation),))
            else:
                yield from editor.edits(form)
        for form in forms(place)[:1]:
            yield from editor.residuals(form)
            yield from left_in(editor, form)
            slope = next((path for path, part in nodes(form) if part.head == "slope"), None)
            if slope is not None and alike:
                for own in slope_forms(place):
                    scope = (("f", place.activation),)
                    for edit in editor.regrouped(form, slope, own):
                        yield replace(edit, scope=scope)
                    for edit in editor.edits(own, inside="wrong-derivative"):
                        hole = (*slope, *edit.hole) if edit.hole is not None else None
                        yield replace(edit, tree=put(form, slope, edit.tree), hole=hole, scope=scope)

    def _whole(self, order: Sequence[Site]) -> Iterator[Reading]:
        """Another tensor altogether, or a known function in the place of f or f′."""
        editor = Editor(order[0])
        if not any(place.observed.any() for place in order):
            return
        for edit in whole_tensors(editor, order[0]):
            yield from self._held(edit, order, editor)

    def _two(self, order: Sequence[Site]) -> Iterator[Reading]:
        """Two edits: one of the formula, and a constant in front of the whole.

        Not of a single number, which nearly every formula gives with some constant in front.
        """
        if order[0].observed.size == 1 or not any(place.observed.any() for place in order):
            return
        editor = Editor(order[0])
        for edit in self._edits(editor, order):
            if edit.hole is None:
                yield from self._held(pairs(edit), order, editor)

    def _held(self, edit: Edit, order: Sequence[Site], editor: Editor) -> Iterator[Reading]:
        """The edit, where it gives every number of every place."""
        if self.work <= 0:
            return
        self.work -= 1
        if edit.hole is None:
            if all(place.resembles(edit.tree) for place in order) and _proved(edit, order):
                yield Reading(
                    edit.tree,
                    edit.id,
                    edit.detail,
                    edit.facts,
                    edit.cost,
                    scope=edit.scope,
                    written=editor.said(edit.tree),
                    unsure=not _telling(order),
                )
            return
        intervals = []
        for place in order:
            found = interval(place, edit.tree, edit.hole)
            if found is None:
                return
            intervals.append(found)
            self.work -= 1
        if not any(found.support for found in intervals):
            return
        if edit.neutral is not None and all(edit.neutral in found for found in intervals):
            return  # within what the data can tell it is no edit at all
        self.work -= NAMING
        of_all = edit.tree.head == "*" and edit.hole == (0,)
        for constant in constants(intervals, order):
            if (of_all and constant.text == "0") or ("front" in edit.facts and constant.text == "1"):
                continue  # nothing times anything is all zero; once anything is read without it
            filled = of_constant(edit, constant)
            if _proved(filled, order):
                yield Reading(
                    filled.tree,
                    filled.id,
                    filled.detail,
                    filled.facts,
                    filled.cost + 0.2 * ("·" in constant.text) + 2.0 * (not constant.known),
                    scope=edit.scope,
                    written=editor.said(filled.tree),
                    unsure=not constant.known or sum(found.support for found in intervals) < FEWEST,
                )


def of_constant(edit: Edit, constant: Constant) -> Edit:
    """The edit with its constant in it, called by what the constant is."""
    assert edit.hole is not None
    tree = put(edit.tree, edit.hole, constant.tree)
    if "front" in edit.facts:
        return replace(edit, tree=tree, facts={**edit.facts, "front": constant.text}, hole=None)
    facts = {**edit.facts, "constant": constant.text}
    id, detail = edit.id, edit.detail
    if edit.detail == "constant":
        if constant.text == "0":
            id, detail = "all-zero", "all_zero"
        elif constant.text == "−1":
            id, detail = "sign-flipped", "sign"
        elif constant.text == "1/batch":
            id, detail = "mean-over-batch", "mean_over_batch"
        elif constant.text == "1/‖it‖":
            id, detail = "normalised-gradient", "normalised"
    elif edit.detail == "added" and constant.text.startswith("−"):
        facts["constant"], detail = constant.text[1:], "subtracted"
    return replace(edit, tree=tree, id=id, detail=detail, facts=facts, hole=None)


def _proved(edit: Edit, order: Sequence[Site]) -> bool:
    """Whether no place refutes it, and most bear it out: where numbers overflow, nothing can be told."""
    borne_out = 0
    for place in order:
        if place.refutes(edit.tree):
            return False
        borne_out += place.proves(edit.tree)
    return 2 * borne_out > len(order)


def _telling(places: Sequence[Site]) -> bool:
    """Whether these are enough numbers to read anything off them."""
    return sum(place.observed.size for place in places) >= FEWEST
