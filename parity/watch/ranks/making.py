"""Collects what a rank did from one update to the next, from the events of its recording."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator

from parity.pytorch.foreach import each
from parity.pytorch.recorder.data import Backward, Call, Recorded, Step, Update, flat
from parity.watch.check import short
from parity.watch.losses import LossReduction, Reduction, reductions, weighed
from parity.watch.ranks.round import Collective, Round
from parity.watch.unchanged import same

Region = tuple[int, int, tuple[int, ...], tuple[int, ...]]

HELD = frozenset({"allreduce_", "broadcast_", "allgather_", "_allgather_base_", "reduce_", "barrier"})
"""Operations of torch.distributed that are held to their formula."""


def is_held(call: Call) -> bool:
    """Whether a call is an exchange between ranks that the rounds of all of them certify."""
    return call.operation.startswith("c10d.") and short(call.operation) in HELD


class RoundMaker:
    """Hears what a rank does. A round is over with the step in which its update was made."""

    def __init__(self) -> None:
        self._round = Round()
        self._over: list[Round] = []
        self._passes: list[Backward] = []  # of which the gradients are not known yet
        self._coming: dict[int, LossReduction] = {}
        self._weighed: dict[int, list[Reduction]] = {}  # by pass
        self._counted: dict[str, tuple[Reduction, ...] | None] = {}  # what is in a `.grad`; None: not known
        self._own: dict[str, Recorded] = {}
        self._left: dict[str, Recorded | None] = {}
        self._after: dict[str, Recorded] = {}
        self._open = False  # after a backward pass, until the next forward pass
        self._waits = False  # after a backward pass, until an update
        self._ways: dict[Region, list[tuple[Recorded, tuple[Recorded, ...]]]] = {}
        self._exchanged: set[int] = set()  # storages that ranks wrote to since the backward pass
        self._hooks: tuple[str, ...] = ()
        self._sent: dict[str, Recorded] = {}  # parameters as the others know them

    def call(self, call: Call) -> None:
        """An operation ran."""
        for name, buffer in call.buffers.items():
            self._round.buffers.setdefault(name, buffer)
        self._open = self._open and not (call.module_class and call.phase == "forward")
        if call.operation.startswith("c10d."):
            collective = _collective(call)
            if collective is not None:
                self._round.collectives.append(collective)
                self._exchanged |= {made.identity.storage for made in collective.made}
                for made in collective.made:
                    self._way(made, ())
        elif call.phase != "update":
            for one in each(call) if self._open else ():
                taken = tuple(flat(tuple(one.arguments.values())))
                for made in flat(one.results):
                    self._way(made, taken)

    def _way(self, made: Recorded, taken: tuple[Recorded, ...]) -> None:
        if self._open:
            alike = tuple(one for one in taken if one.shape == made.shape)
            self._ways.setdefault(_region(made), []).append((made, alike))

    def node(self, passed: Backward, number: int) -> None:
        """Autograd is about to be checked at a node; the pass's own calls are still there."""
        if not self._passes or self._passes[-1] is not passed:
            self._digest()
            self._ways.clear()
            self._exchanged.clear()
            self._open = self._waits = True
            self._passes.append(passed)
            self._coming = dict(reductions(passed))
            self._weighed[id(passed)] = []
        coming, arrived = self._coming.get(number), passed.grad_out.get(number)
        if coming is not None and arrived and arrived[0] is not None:
            found = weighed(coming, arrived[0])
            if found is not None:
                self._weighed[id(passed)].append(found)

    def update(self, update: Update) -> None:
        """An optimizer made a step: a round is over."""
        if update.inner:
            return
        self._digest()
        for row in update.parameters:
            if row.after is not None:
                self._round.updated[row.name] = row.after
            if row.name in self._own:
                self._round.own[row.name] = self._own[row.name]
            if row.gradient is not None:
                self._round.used[row.name] = row.gradient
                self._round.states[row.name] = self._states(row.name, row.gradient)
        self._round.reductions = self._reductions(self._round.own)
        self._round.hooks = self._hooks
        self._over.append(self._round)
        self._sent |= self._round.updated
        self._round, self._waits = Round(), False

    def step(self, step: Step) -> Iterator[Round]:
        """A step is over: the rounds that ended in it."""
        self._digest()
        self._round.step = step.index
        for one in self._over:
            one.step = step.index
            yield one
        self._over.clear()

    def rest(self) -> Round:
        """What was seen since the last round, without an update."""
        self._digest()
        self._round.over = False
        if self._waits:
            self._round.own = self._own
            self._round.reductions = self._reductions(self._own)
        return self._round

    def _reductions(self, names: Iterable[str]) -> list[Reduction]:
        """The losses of which these gradients are: of the one that has most."""
        counted: tuple[Reduction, ...] = ()
        for name in names:
            counted = max(counted, self._counted.get(name) or (), key=len)
        return list(counted)

    def _digest(self) -> None:
        """The passes until now are over, so the gradients that they left are known."""
        for passed in self._passes:
            seen = self._weighed.pop(id(passed))
            places = Counter(one.place for one in seen)  # several of one place are added on purpose
            found = tuple(one for one in seen if places[one.place] == 1)
            if passed.replica is not None:
                before, after = passed.replica
                self._own, self._after = dict(before.gradients), dict(after.gradients)
                self._hooks = after.averaging
                known = {n: one for n, one in before.parameters.items() if self._is_news(n, one)}
                self._round.parameters = self._round.parameters or known
            for leaf in passed.leaves.values():
                if leaf.after is None:
                    self._own.pop(leaf.name, None)
                else:
                    self._own[leaf.name] = leaf.after
                if leaf.before is None or not leaf.before.array.any():
                    self._counted[leaf.name] = found
                else:
                    earlier = self._counted.get(leaf.name)
                    goes_on = earlier is not None and self._is_left(leaf.name, leaf.before)
                    self._counted[leaf.name] = (earlier or ()) + found if goes_on else None
                self._left[leaf.name] = self._after.get(leaf.name, leaf.after)
        self._passes.clear()

    def _is_left(self, name: str, now: Recorded) -> bool:
        """Whether a gradient is what the last backward pass that was seen has left."""
        left = self._left.get(name)
        return left is not None and not same(now, left.array).wrong

    def _is_news(self, name: str, now: Recorded) -> bool:
        sent = self._sent.get(name)
        return sent is None or sent.identity != now.identity

    def _states(self, name: str, used: Recorded) -> list[Recorded]:
        """What a gradient was, from its last exchange between ranks, or backward pass, to the update."""
        waiting, seen = [used], {_region(used)}
        found: list[Recorded] = []
        while waiting:
            for made, taken in self._ways.get(_region(waiting.pop()), ()):
                found.append(made)
                fresh = [one for one in taken if _region(one) not in seen]
                seen |= {_region(one) for one in fresh}
                waiting += fresh
        if name in self._after and not self._exchanged & {region[0] for region in seen}:
            found.append(self._after[name])
        return list({(one.identity, *_region(one)): one for one in found if one is not used}.values())


def _region(tensor: Recorded) -> Region:
    return tensor.identity.storage, tensor.offset, tensor.shape, tensor.strides


def _collective(call: Call) -> Collective | None:
    """An exchange that is held to its formula, as one; None for any other."""
    name, facts = short(call.operation), call.arguments
    if name not in HELD or name == "barrier":
        return None
    given = facts.get("input_tensors", facts.get("input_tensor", facts.get("tensors")))
    written = {key: value for key, value in call.written.items() if not key.startswith("input")}
    ranks, root = facts.get("process_group"), facts.get("root_rank")
    return Collective(
        name,
        call.module,
        call.source,
        tuple(one for one in ranks if isinstance(one, int)) if isinstance(ranks, tuple) else (),
        str(facts.get("reduce_op", "")),
        root if isinstance(root, int) else None,
        tuple(flat(given)),
        tuple(flat(tuple(written.values()))),
    )
