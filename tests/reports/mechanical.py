"""The mechanical half of the kill matrix: mutants that nobody chose, held against the oracle.

A mutant counts where autograd says that it changes a number that some call of the check shows. Caught:
something was found wrong. Located: the first formula found wrong is the one that makes the first changed
tensor, in a layer where that one is changed. Named: that formula has a name. A name is wrong where what
it says does not happen: the changed formula, with its constants as they were said, is evaluated on calls
that no check makes, from what the mutant shows there. It must give every number of that formula within
its own bound, and nothing outside its scope may be changed.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from itertools import islice

import numpy as np

from parity.certify.observation import Observation
from parity.check.cases import SubjectCall, calls
from parity.check.diagnosis.blame import Blame
from parity.check.diagnosis.judge import Judge
from parity.check.diagnosis.mistakes.factors import KINDS
from parity.check.diagnosis.readings.search import Reader
from parity.check.diagnosis.search import blames
from parity.check.diagnosis.text import diagnosed
from parity.check.unseen import unseen_calls
from tests.mutants.mechanical import Mutant, drawn, source
from tests.mutants.oracle import UNSEEN, changed, shown, truth

SEED = 20261124
COUNT = 1040


@dataclass(frozen=True)
class Outcome:
    """What a check made of a mutant that changes a number."""

    mutant: Mutant
    caught: bool
    located: bool
    formula: str
    name: str
    sentence: str
    holds: bool | None  # on the unseen calls; None without a name
    seconds: float


@cache
def _asked() -> tuple[tuple[SubjectCall, ...], tuple[SubjectCall, ...]]:
    asked = calls()
    return tuple(asked), tuple(unseen_calls(asked))


@cache
def _truths() -> dict[tuple[str, int], dict[str, np.ndarray]]:
    return {(call.case, call.step): truth(call) for call in (*_asked()[0], *UNSEEN)}


def _changes(observation: Observation) -> list[str]:
    return changed(observation, _truths()[observation.case, observation.step])


@cache
def _beyond(style: str) -> frozenset[tuple[object, int]]:
    """The calls that the correct program itself does not survive: e^(2z) overflows in one's tanh."""
    right = shown(Mutant(style, "", 0, source(style)), _asked()[0])
    return frozenset((o.case, o.step) for o in right if _changes(o))


def outcome(mutant: Mutant) -> Outcome | None:
    """A check of a mutant; None for one that changes nothing that the calls of the check reach."""
    asked, further = _asked()
    observations = shown(mutant, asked)
    beyond = _beyond(mutant.style)
    wrong = [(o, names) for o in observations if (o.case, o.step) not in beyond and (names := _changes(o))]
    if not wrong:
        return None
    started = time.perf_counter()
    court = Judge(observations)
    with np.errstate(all="ignore"):
        found = blames(court, lambda: Judge(shown(mutant, further)))
        seconds = time.perf_counter() - started
        if not found:
            return Outcome(mutant, False, False, "", "", "", None, seconds)
        first = found[0]
        named = first.guess is not None
        words = diagnosed(court, first, None, "en")
        return Outcome(
            mutant,
            caught=True,
            located=_located(first, wrong),
            formula=first.formula,
            name="+".join(first.guess.names) if first.guess else "",
            sentence=" ".join([words.detail, *(line for line in words.lines if "seems" in line)]),
            holds=holds(first, Judge(shown(mutant, UNSEEN))) if named else None,
            seconds=seconds,
        )


def _located(blame: Blame, wrong: list[tuple[Observation, list[str]]]) -> bool:
    """Whether the oracle says that this formula is the first to make something wrong, in such a layer."""
    born = {
        (observation.equations[name].formula.name, observation.equations[name].layer)
        for observation, names in wrong
        for name in names[:1]
    }
    earliest = min((formula for formula, _ in born), key=KINDS.index)
    return blame.formula == earliest and (blame.formula, blame.first.equation.layer) in born


def holds(blame: Blame, court: Judge) -> bool:
    """Whether the name, as it was said, is what happens on these calls."""
    guess, instances = blame.guess, [i for i in court.instances if i.kind == blame.first.kind]
    assert guess is not None
    if guess.reading:
        reader = Reader(court, lambda: None)
        return guess.reading.survives([reader.place(court, i) for i in instances])
    if guess.name or not guess.made:
        return (
            all(court.fits(i, (), low=guess.low) for i in instances if i.wrong)
            or guess.name == "one-element"
        )
    ways = [guess.made, *((made,) for made in guess.kin)]
    return all(any(court.fits(i, made, low=guess.low) for made in ways) for i in instances if i.wrong)


def outcomes(
    count: int,
    of: Callable[[Mutant], Outcome | None] = outcome,
    run: Callable[..., Iterable[Outcome | None]] = map,
) -> Iterator[Outcome]:
    """The outcomes of so many mutants that change a number; `run` may be a pool's map."""
    waiting = drawn(SEED)
    while count > 0:
        some = list(islice(waiting, max(count, 16)))
        if not some:
            return
        for found in run(of, some):
            if found is not None and count > 0:
                count -= 1
                yield found


def shares(found: Iterable[Outcome]) -> dict[str, int]:
    """How many were caught, located, named and wrongly named."""
    every = list(found)
    return {
        "changes": len(every),
        "caught": sum(o.caught for o in every),
        "located": sum(o.located for o in every),
        "named": sum(bool(o.name) for o in every),
        "wrongly named": sum(o.holds is False for o in every),
    }
