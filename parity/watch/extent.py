"""What belongs to a step: the operations that its loss, its gradients and its updates depend on.

A program also draws data and measures how well it does. What the table has of that is certified like
anything else, but no step is incomplete for the rest: it takes its data as given.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeAlias

from parity.pytorch.recorder.data import Backward, Call, Identity, Recorded, Step, flat
from parity.watch.checks import Found, Left

Sources: TypeAlias = dict[Identity, frozenset[int]]

NONE: frozenset[int] = frozenset()


@dataclass(frozen=True)
class _Entry:
    """What was found of a call, or, without an index, of a step back through one."""

    found: Found
    index: int | None = None

    @property
    def whole(self) -> bool:
        return not any(isinstance(one, Left) for one in self.found)


class Extent:
    """Holds what was found, in the order of execution, until a step is over and says what it used.

    A call that is not certified is part of a step if autograd went back through it, or through a call
    that took its results; if what it made became a gradient; or, once a step has been made, a parameter.
    To know, its results and what is made of them outside autograd's graph are kept until then.
    """

    def __init__(self) -> None:
        self._entries: list[_Entry] = []
        self._begun = self._trained = False
        self._graph: set[int] = set()  # calls that a backward pass went through
        self._sources: Sources = {}  # of a tensor: the uncertified calls behind it
        self._earlier: Sources = {}  # the same, before the step's first forward pass
        self._uses: dict[int, frozenset[int]] = {}  # the same of a call
        self._kept: list[Recorded] = []  # an identity lasts as long as a tensor that has it
        self._last = -1  # the step's last call: what follows it is the next step's

    def call(self, call: Call, found: Found) -> None:
        """A call was recorded."""
        graphed = any(output is not None for output in call.outputs)
        self._begun = self._begun or graphed or (bool(call.module_class) and call.phase != "update")
        entry = _Entry(found, call.index)
        self._entries.append(entry)
        if not self._begun and not self._trained:
            return  # data, and parameters as they begin
        known = self._sources if self._begun else self._earlier
        sources = NONE if entry.whole else frozenset((call.index,))
        if known:
            for taken in flat(tuple(call.arguments.values())):
                sources |= known.get(taken.identity, NONE)
        if sources:
            self._uses[call.index] = sources
            for made in (*flat(call.results), *flat(tuple(call.written.values()))):
                known[made.identity] = known.get(made.identity, NONE) | sources
                self._kept.append(made)

    def node(self, passed: Backward, number: int, found: Found) -> None:
        """Autograd went back through a node."""
        call = passed.nodes[number].call
        if call is not None:
            self._graph.add(call.index)
        self._entries.append(_Entry(found))
        self._last = next((e.index for e in reversed(self._entries) if e.index is not None), self._last)

    def step(self, step: Step) -> Iterator[tuple[Found, bool]]:
        """What was found in a step that is over, and whether it belongs to it."""
        last = max((self._last, *(update.last - 1 for update in step.updates)))
        gradients, parameters = _changed(step)
        used = {source for index in self._graph for source in self._uses.get(index, ())}
        for tensor in gradients:
            used |= self._sources.get(tensor.identity, NONE)
        for tensor in (*gradients, *parameters):
            used |= self._earlier.get(tensor.identity, NONE)
        later: list[_Entry] = []
        for entry in self._entries:
            if entry.index is not None and entry.index > last:
                later.append(entry)
            else:
                yield entry.found, entry.whole or entry.index is None or entry.index in used
        self._next(later)

    def _next(self, later: list[_Entry]) -> None:
        """What followed the step's last call comes before the next one's first forward pass."""
        ahead = frozenset(entry.index for entry in later if entry.index is not None)
        self._earlier = {i: own for i, sources in self._sources.items() if (own := sources & ahead)}
        self._kept = [tensor for tensor in self._kept if tensor.identity in self._earlier]
        self._entries, self._begun, self._trained = later, False, True
        self._sources, self._uses, self._graph = {}, {}, set()

    def rest(self) -> Iterator[tuple[Found, bool]]:
        """What was found since the last step."""
        yield from ((entry.found, entry.whole) for entry in self._entries)
        self._entries = []


def _changed(step: Step) -> tuple[list[Recorded], list[Recorded]]:
    """Gradients, as a backward pass and an optimizer found them, and parameters."""
    rows = [row for update in step.updates for row in update.parameters]
    leaves = [leaf for passed in step.backwards for leaf in passed.leaves.values()]
    seeds = [root.seed for passed in step.backwards for root in passed.roots]
    gradients = [*(leaf.before for leaf in leaves), *(row.gradient for row in rows), *seeds]
    return [g for g in gradients if g is not None], [row.before for row in rows]
