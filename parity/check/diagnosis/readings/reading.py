"""A reading: an edited formula that gives every wrong number, the constant in it, and where it holds."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations

from parity.check.diagnosis.mistake import DoesNotApplyError
from parity.check.diagnosis.readings.site import Site, Tag
from parity.check.diagnosis.readings.tree import Tree


@dataclass(frozen=True, eq=False)
class Reading:
    """What was computed in a formula's place: its tree, its name, its sentence and its scope.

    `scope` are tags that a place must bear; where it is empty, it holds in every layer and call.
    `others` are readings of the same mistake elsewhere: another wrong slope for each activation.
    """

    tree: Tree
    id: str
    detail: str
    facts: Mapping[str, str] = field(default_factory=dict)
    cost: float = 0.0
    scope: tuple[Tag, ...] = ()
    written: str = ""
    others: tuple[Reading, ...] = ()
    unsure: bool = False  # of few numbers, or a constant of one case: others have to bear it out

    def concerns(self, place: Site) -> bool:
        """Whether the place lies in its scope."""
        return all(tag in place.tags for tag in self.scope)

    def explains(self, place: Site) -> bool:
        """Whether it, or one of its kin, gives every number of the place."""
        return any(r.concerns(place) and place.proves(r.tree) for r in (self, *self.others))

    def contradicts(self, place: Site) -> bool:
        """Whether it would have given something else there, where nothing is wrong."""
        return any(r.concerns(place) and _differs(place, r.tree) for r in (self, *self.others))

    def borne_out(self, wrong: Sequence[Site], unseen: Iterable[Site]) -> bool:
        """Whether some wrong place of another size, or η, agrees."""
        seen = {_size(place) for place in wrong}
        return any(p.instance.wrong and _size(p) not in seen and self.explains(p) for p in unseen)

    def survives(self, unseen: Iterable[Site]) -> bool:
        """Whether it holds on calls that it was not read from, wrong ones and right ones."""
        return all(
            self._allows(place) if place.instance.wrong else not self.contradicts(place) for place in unseen
        )

    def _allows(self, place: Site) -> bool:
        """Whether it, or one of its kin, is not refuted by what is wrong there."""
        return any(r.concerns(place) and not place.refutes(r.tree) for r in (self, *self.others))


def _generality(tag: Tag) -> tuple[bool, Tag]:
    """What kind of place it is comes before how large its network and its batch are."""
    return tag[0] in ("depth", "outputs", "samples"), tag


def _size(place: Site) -> tuple[float, ...]:
    return tuple(place.terms[name] for name in ("n", "η", "batch"))


def _differs(place: Site, tree: Tree) -> bool:
    """Whether the tree has a value there, and it is not what was shown."""
    try:
        place.proof(tree)
    except DoesNotApplyError:
        return False
    return place.refutes(tree)


def scope_of(tree: Tree, wrong: Sequence[Site], right: Sequence[Site]) -> tuple[Tag, ...] | None:
    """The fewest tags that set the wrong places apart from right ones that contradict; None if none do."""
    return separating(wrong, [place for place in right if _differs(place, tree)])


def separating(wrong: Sequence[Site], against: Sequence[Site]) -> tuple[Tag, ...] | None:
    """The fewest tags that all wrong places bear, and none of the others; None if there are none."""
    if not against:
        return ()
    shared = sorted(set.intersection(*(set(place.tags) for place in wrong)), key=_generality)
    for size in (1, 2):
        for tags in combinations(shared, size):
            if not any(all(tag in place.tags for tag in tags) for place in against):
                return tags
    return None
