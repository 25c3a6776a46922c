"""What belongs to a step: the operations that its loss, its gradients and its updates depend on.

A program also prepares data and measures how well it does. What the table has of that is certified like
anything else, but no step is incomplete for the rest. Data is what comes of operations outside every
module and outside autograd's graph that take nothing which a module, the graph or an optimizer made.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass

from parity.pytorch.recorder.data import Backward, Call, Identity, Recorded, Step, Update, flat
from parity.watch.check import Found, Left

NONE: frozenset[int] = frozenset()

RECENT = 256
"""Tensors outside autograd's graph that are kept, so that they are known where they are used again.

To keep one is to keep its memory. Of more, the first are forgotten: what is behind them then counts as
part of the step, and what is unknown as no data. So nothing is passed over for it.
"""


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
    that took its results, or if a gradient or a parameter came of it, unless it only prepares data.
    """

    def __init__(self) -> None:
        self._entries: list[_Entry] = []
        self._graph: set[int] = set()  # calls that a backward pass went through
        self._made: set[Identity] = set()  # tensors that are no data
        self._made_before: set[Identity] = set()  # the same of the step before
        self._sources: dict[Identity, frozenset[int]] = {}  # of a tensor: the uncertified calls behind it
        self._uses: dict[int, frozenset[int]] = {}  # the same of a call
        self._kept: deque[Recorded] = deque()
        self._forgotten = False  # whether a tensor that is no data is not known any more
        self._lost = NONE  # uncertified calls behind tensors that are forgotten
        self._updated: list[Recorded] = []  # what optimizers made: an identity lasts as long as its tensor
        self._used: set[int] = set()  # calls behind what optimizers took
        self._last = -1  # the step's last call: what follows it is the next step's

    def call(self, call: Call, found: Found) -> None:
        """A call was recorded."""
        graphed = any(output is not None for output in call.outputs)
        entry = _Entry(found, call.index)
        self._entries.append(entry)
        taken = [tensor.identity for tensor in flat(tuple(call.arguments.values()))]
        known = graphed or call.module_class or self._forgotten
        if not (known or any(self._is_made(identity) for identity in taken)):
            return
        sources = NONE if entry.whole else frozenset((call.index,))
        if self._sources:
            sources = sources.union(*(self._sources.get(identity, NONE) for identity in taken))
        if sources:
            self._uses[call.index] = sources
        for made in _results(call):
            self._made.add(made.identity)
            if sources:
                self._sources[made.identity] = self._sources.get(made.identity, NONE) | sources
            if sources or not graphed:
                self._keep(made)

    def _keep(self, made: Recorded) -> None:
        self._kept.append(made)
        if len(self._kept) > RECENT:
            self._lost |= self._sources.get(self._kept.popleft().identity, NONE)
            self._forgotten = True

    def inside_update(self, call: Call) -> None:
        """An optimizer's own call."""
        self._updated += _results(call)
        self._made.update(made.identity for made in _results(call))

    def update(self, update: Update) -> None:
        """An optimizer made a step."""
        for row in update.parameters:
            for taken in flat((row.before, row.gradient)):
                self._used |= self._sources.get(taken.identity, NONE)
            made = list(flat((row.after, *row.state_after.values())))
            self._updated += made
            self._made.update(one.identity for one in made)

    def _is_made(self, identity: Identity) -> bool:
        return identity in self._made or identity in self._made_before

    def node(self, passed: Backward, number: int, found: Found) -> None:
        """Autograd went back through a node."""
        call, leaf = passed.nodes[number].call, passed.leaves.get(number)
        if call is not None:
            self._graph.add(call.index)
        if leaf is not None and leaf.after is not None:
            self._made.add(leaf.after.identity)
        self._last = next((e.index for e in reversed(self._entries) if e.index is not None), self._last)
        self._entries.append(_Entry(found))

    def step(self, step: Step) -> Iterator[tuple[Found, bool]]:
        """What was found in a step that is over, and whether it belongs to it."""
        last = max((self._last, *(update.last - 1 for update in step.updates)))
        used = self._used.union(self._lost, *(self._uses.get(index, NONE) for index in self._graph))
        for tensor in _begun_with(step):
            used |= self._sources.get(tensor.identity, NONE)
        later: list[_Entry] = []
        for entry in self._entries:
            if entry.index is not None and entry.index > last:
                later.append(entry)
            else:
                yield entry.found, entry.whole or entry.index is None or entry.index in used
        ahead = frozenset(entry.index for entry in later if entry.index is not None)
        self._sources = {i: own for i, sources in self._sources.items() if (own := sources & ahead)}
        self._uses = {index: own for index, own in self._uses.items() if index in ahead}
        self._entries, self._graph, self._updated, self._used = later, set(), [], set()
        self._made, self._made_before = set(), self._made
        self._forgotten, self._lost = False, NONE

    def rest(self) -> Iterator[tuple[Found, bool]]:
        """What was found since the last step."""
        yield from ((entry.found, entry.whole) for entry in self._entries)
        self._entries = []


def _results(call: Call) -> Iterator[Recorded]:
    yield from flat(call.results)
    yield from flat(tuple(call.written.values()))


def _begun_with(step: Step) -> Iterator[Recorded]:
    """What the passes of a step found: gradients."""
    for passed in step.backwards:
        yield from (root.seed for root in passed.roots if root.seed is not None)
        yield from (leaf.before for leaf in passed.leaves.values() if leaf.before is not None)
