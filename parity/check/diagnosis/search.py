"""Whose fault is it? From everything that a subject showed: the formulas wrong in themselves, and how.

For what is wrong, the mistakes of the catalogue are tried, in its own formula and in hidden ones before
it; what they leave is read off the numbers (`parity.check.diagnosis.readings`). Either is accepted when
it reproduces every wrong number of every case within its own bound, and on calls that were not used to
find it; it is named when it alone does. Of several that do, those that explain most of what else is
wrong, and contradict least of what is right, are kept; if they still have different names, none is given.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence

from parity.certify.certificate import Verdict
from parity.check.diagnosis.anatomy import kind
from parity.check.diagnosis.blame import FIRST_FACTORS, Blame, Guess
from parity.check.diagnosis.hypothesis import Made
from parity.check.diagnosis.judge import Instance, Judge
from parity.check.diagnosis.mistake import DoesNotApplyError, Mistake
from parity.check.diagnosis.mistakes import mistakes
from parity.check.diagnosis.mistakes.factors import KINDS
from parity.check.diagnosis.pattern import one_element
from parity.check.diagnosis.readings.reading import separating
from parity.check.diagnosis.readings.search import Reader
from parity.check.diagnosis.readings.site import Tag

OF_THE_ACTIVATION = ("wrong-activation", "wrong-derivative")
"""Mistakes that differ from one activation to the next, and are one mistake all the same."""


def blames(court: Judge, unseen: Callable[[], Judge | None] = lambda: None) -> list[Blame]:
    """Every formula that is wrong in itself, in the order of execution.

    `unseen` runs the subject on calls that it has not been judged on; it is asked once, if at all.
    """
    found: list[Blame] = []
    reader = Reader(court, unseen)
    accepted: tuple[Made, ...] = ()
    pending = [instance for instance in court.instances if instance.wrong]
    while pending:
        blame = _Inquest(reader, pending, accepted).hold()
        found.append(blame)
        # What a named mistake explains further on has inherited it, where what it made is not to be seen.
        if blame.guess and (blame.kind != blame.first.kind or blame.first.misshapen):
            accepted += blame.guess.made
        closed = {id(instance) for instance in blame.instances}
        pending = [i for i in pending if id(i) not in closed]
        if accepted:
            pending = [i for i in pending if i.kind == blame.kind or not court.fits(i, accepted)]
    return sorted(found, key=lambda blame: (blame.position, KINDS.index(blame.kind)))


class _Inquest:
    """The search for the mistake behind the first group of what is still unexplained."""

    def __init__(self, reader: Reader, pending: Sequence[Instance], accepted: tuple[Made, ...]) -> None:
        self.court, self.reader = reader.court, reader
        self.pending, self.accepted = pending, accepted
        first = min(pending, key=lambda i: (len(i.hidden), i.position))
        self.group = [i for i in pending if i.kind == first.kind]
        self.kind = first.kind

    def hold(self) -> Blame:
        """The group's mistake; where no one explains all of it, that of the part nearest to the top."""
        top = min(i.from_the_top for i in self.group)
        nearest = [i for i in self.group if i.from_the_top == top]
        parts = [self.group, nearest] if len(nearest) < len(self.group) else [self.group]
        if self._integers():
            return self._unexplained()  # cut off: that looks like many a mistake, and is none of them
        for part in parts:
            for guesses in (self._singles, self._kin, self._readings, self._patterns, self._pairs):
                fitting = [
                    g
                    for g in guesses(part)
                    if self._fits_all(g, part) and not self._contradicted(g) and self._survives(g, part)
                ]
                if fitting:
                    return self._blame(part, self._most_telling(fitting))
        return self._unexplained()

    def _integers(self) -> bool:
        """Whether something was shown as whole numbers, and is wrong for that."""
        dtypes = [c.facts["found"] for i in self.group if (c := i.finding.complaint) and c.key == "dtype"]
        whole = any(dtype.startswith(("int", "bool")) for dtype in dtypes)
        return whole and not all(self.court.fits(i, self.accepted) for i in self.group)

    # --- the guesses ----------------------------------------------------------------------------

    def _singles(self, part: Sequence[Instance]) -> Iterator[Guess]:
        """Each mistake alone, in the formula itself and in those hidden before it; cheaper arithmetic."""
        form = "wrong-shape" if part[0].misshapen else "wrong-dtype"
        yield Guess(name=form)  # the numbers are right, so it is their form that is not
        yield Guess(low=True)
        for mistake in self._known(part):
            yield Guess((Made(mistake),))
        for mistake in self._known(part):
            if mistake.kind != self.kind:  # a hidden formula may be wrong in one layer only
                for layer in sorted({i.equation.layer for i in part}):
                    yield Guess((Made(mistake, frozenset({layer})),))

    def _kin(self, part: Sequence[Instance]) -> Iterator[Guess]:
        """Mistakes of one name: another wrong derivative for each activation."""
        for name in OF_THE_ACTIVATION:
            kin = tuple(Made(mistake) for mistake in self._known(part) if mistake.id == name)
            first = next((made for made in kin if self._fits_all(Guess((made,)), part[:1])), None)
            if first:
                yield Guess((first,), kin=kin)

    def _readings(self, part: Sequence[Instance]) -> Iterator[Guess]:
        """The plainest of what can be read off the numbers; where something else is accepted, nothing."""
        if not self.accepted and len(part) == len(self.group):
            for reading in self.reader.read(part)[:1]:
                yield Guess(reading=reading)

    def _patterns(self, part: Sequence[Instance]) -> Iterator[Guess]:
        """What has no formula: one element alone."""
        try:
            single = one_element(self.court, part, self.accepted)
        except (DoesNotApplyError, ValueError):  # what was accepted cannot have been made here
            return
        if single:
            yield Guess(name="one-element")

    def _pairs(self, part: Sequence[Instance]) -> Iterator[Guess]:
        """A mistake in cheaper arithmetic; of others, readings try two at once."""
        near = {self.kind, *(FIRST_FACTORS if self.kind in ("output_delta", "hidden_delta") else ())}
        for mistake in (mistake for mistake in self._known(part) if mistake.kind in near):
            yield Guess((Made(mistake),), low=True)

    def _known(self, part: Sequence[Instance]) -> list[Mistake]:
        kinds = {self.kind, *(kind(equation) for i in part for equation in i.hidden)}
        return [
            mistake
            for k in KINDS
            if k in kinds
            for mistake in mistakes(k)
            if k == self.kind or k not in FIRST_FACTORS or mistake.part not in ("factor", "sign")
        ]

    # --- the choice among what fits -------------------------------------------------------------

    def _fits_all(self, guess: Guess, part: Iterable[Instance]) -> bool:
        if guess.name == "one-element" or guess.reading:
            return True  # seen in every instance already
        ways = [guess.made, *((made,) for made in guess.kin)]
        told = False  # where numbers overflow nothing is decided: that refutes nothing, and shows nothing
        for instance in part:
            found = [self.court.fit(instance, self.accepted + made, low=guess.low) for made in ways]
            if Verdict.MATCH not in found and Verdict.UNDECIDED not in found:
                return False
            told = told or Verdict.MATCH in found
        return told

    def _refuted(self, guess: Guess, instance: Instance) -> bool:
        """Whether an instance cannot have been made so; where nothing is decided, it may have been."""
        if guess.name == "one-element" or guess.reading:
            return False
        ways = [guess.made, *((made,) for made in guess.kin)]
        found = [self.court.fit(instance, self.accepted + made, low=guess.low) for made in ways]
        return all(verdict is Verdict.DIFFERENT for verdict in found)

    def _survives(self, guess: Guess, part: Sequence[Instance]) -> bool:
        """Whether the mistakes hold on the unseen calls: of what is wrong there, and of what is right."""
        if guess.reading or not guess.made or guess.made[0].slip.kind != self.kind:
            return True
        unseen, heights = self.reader.unseen, {i.from_the_top for i in part}
        everywhere = len(part) == len(self.group)
        ways = [guess.made, *((made,) for made in guess.kin)]
        return unseen is None or all(
            any(unseen.fits(i, self.accepted + made, low=guess.low) for made in ways)
            for i in unseen.instances
            if i.kind == self.kind and i.wrong and (everywhere or i.from_the_top in heights)
        )

    def _contradicted(self, guess: Guess) -> bool:
        """Whether a mistake in a formula that nobody shows would have spoilt something that is right."""
        if guess.low or not any(made.slip.kind != self.kind for made in guess.made):
            return False
        ways = [guess.made, *((made,) for made in guess.kin)]
        right = [i for i in self.court.instances if not i.wrong and self._touches(guess, i)]
        return any(all(self.court.contradicts(i, self.accepted + made) for made in ways) for i in right)

    def _most_telling(self, fitting: Sequence[Guess]) -> list[Guess]:
        """Those that explain most of what is wrong, and of these contradict least of what is right."""
        if len(fitting) == 1 or not any(guess.made for guess in fitting):
            return list(fitting)
        explained = {g: sum(self._fits_all(g, [i]) for i in self.pending) for g in fitting}
        most = max(explained.values())
        fitting = [g for g in fitting if explained[g] == most]
        if len({guess.names for guess in fitting}) == 1 and len({g.kind("") for g in fitting}) == 1:
            everywhere = [g for g in fitting if all(made.layers is None for made in g.made)]
            return everywhere or list(fitting)
        right = [i for i in self.court.instances if not i.wrong]
        broken = {g: sum(self._refuted(g, i) for i in right if self._touches(g, i)) for g in fitting}
        least = min(broken.values())
        fitting = [g for g in fitting if broken[g] == least]
        unlimited = [g for g in fitting if all(made.layers is None for made in g.made)]
        return unlimited or list(fitting)

    def _touches(self, guess: Guess, instance: Instance) -> bool:
        kinds = {instance.kind, *(kind(equation) for equation in instance.hidden)}
        return any(made.slip.kind in kinds for made in guess.made)

    def _blame(self, part: Sequence[Instance], fitting: Sequence[Guess]) -> Blame:
        kinds = list(dict.fromkeys(guess.kind(self.kind) for guess in fitting))
        blamed = self.kind if self.kind in kinds else max(kinds, key=KINDS.index)
        names = {guess.names for guess in fitting}
        return Blame(
            blamed,
            tuple(part),
            layers_of(part),
            tuple(g for g in fitting if g.kind(self.kind) == blamed) if len(names) == 1 else (),
            tuple(sorted({name for guess in fitting for name in guess.names})) if len(names) > 1 else (),
            tuple(k for k in kinds if k != blamed),
            self._scope(fitting[0], part),
        )

    def _scope(self, guess: Guess, part: Sequence[Instance]) -> tuple[Tag, ...]:
        """What sets the places of a mistake apart from those where its formula is right."""
        if not guess.mistakes or guess.kind(self.kind) != self.kind:
            return ()
        ways = [guess.made, *((made,) for made in guess.kin)]
        right = (i for i in self.court.instances if i.kind == self.kind and not i.wrong)
        against = [
            self.reader.place(self.court, i)
            for i in right
            if all(self.court.contradicts(i, self.accepted + made) for made in ways)
        ]
        found = separating([self.reader.place(self.court, i) for i in part], against)
        return (("places", "not_everywhere"),) if found is None else found

    def _unexplained(self) -> Blame:
        """No mistake of the catalogue. What is hidden may still tell which formula it is."""
        return Blame(self.kind, tuple(self.group), layers_of(self.group))


def layers_of(part: Sequence[Instance]) -> tuple[int, ...]:
    """The layers in which it shows, in the smallest case where it does."""
    case = part[0].observation.case
    return tuple(sorted({i.equation.layer for i in part if i.observation.case == case}))
