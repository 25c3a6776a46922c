"""The ranks of a watched training together: each sends its rounds, and rank 0 holds them to each other."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Set
from typing import TypeAlias

from parity.pytorch.recorder.data import Backward, Step
from parity.render.texts.message import Message
from parity.watch.check import Draw, Left, failed
from parity.watch.hints import hints
from parity.watch.ranks.exchange import HURRY, PATIENCE, Exchange
from parity.watch.ranks.joined import joined
from parity.watch.ranks.making import RoundMaker
from parity.watch.ranks.round import Round, aligned
from parity.watch.result import RankResult, WatchResult
from parity.watch.tally import WatchTally

Meet: TypeAlias = Callable[[], Exchange | None]
"""Finds the other ranks, once there are some."""


def alone() -> None:
    """Of a training on one process."""
    return


class Joining:
    """Enters into a tally what the ranks together say; of one process, what its losses hint at."""

    def __init__(self, meet: Meet, tally: WatchTally, drawn: Draw, accepted: Set[str]) -> None:
        self.making = RoundMaker()
        self._meet, self._tally, self._drawn, self._accepted = meet, tally, drawn, accepted
        self._exchange: Exchange | None = None
        self._own: deque[Round] = deque()
        self._judged, self._updated, self._patience = 0, False, PATIENCE

    def node(self, passed: Backward, number: int) -> None:
        """Autograd is about to be checked at a node."""
        self.making.node(passed, number)
        if passed.replica is not None and self._exchange is None:
            self._exchange = self._meet()

    def step(self, step: Step) -> None:
        """A step is over, and the rounds that ended in it."""
        for one in self.making.step(step):
            self._round(one)

    def end(self) -> None:
        """Nothing is recorded any more. What was seen since the last update has no average."""
        self._round(self.making.rest())

    def hear(self, *, failed: bool) -> None:
        """On rank 0, judge what the others have sent until their ends."""
        self._patience = HURRY if failed else PATIENCE
        if self._exchange is None or self._exchange.rank:
            return
        for rank in range(1, self._exchange.ranks):
            try:
                said = self._exchange.ended(rank, self._patience)
                self._tally.rank(RankResult.model_validate_json(said))
            except RuntimeError:
                self._leave(Message("ranks_silent", rank=rank))
        self._judge_what_is_there()
        if self._own:
            self._leave(Message("ranks_alone", count=len(self._own)))
        if not self._updated:
            self._leave(Message("ranks_no_step"))

    def tell(self, result: WatchResult) -> None:
        """On any other rank, send what it came to."""
        if self._exchange is not None and self._exchange.rank:
            self._exchange.end(RankResult.of(self._exchange.rank, result).model_dump_json())

    def part(self) -> None:
        """Let the other ranks end, or wait until they may: a launcher ends all ranks with the first."""
        if self._exchange is not None:
            self._exchange.part(self._patience)

    def _round(self, one: Round) -> None:
        if self._exchange is None:
            self._judge([one])
        elif self._exchange.rank:
            self._hints([one])
            try:
                self._exchange.send(one)
            except RuntimeError:
                self._leave(Message("ranks_unreached"))
        else:
            self._own.append(one)
            self._judge_what_is_there()

    def _judge_what_is_there(self) -> None:
        assert self._exchange is not None
        while self._own:
            try:
                others = self._exchange.rounds(self._judged)
            except RuntimeError:
                return  # at the end it is said of whom nothing is known
            if others is None:
                return
            self._judged += 1
            self._judge([self._own.popleft(), *others])

    def _judge(self, rounds: list[Round]) -> None:
        self._updated = self._updated or rounds[0].over
        self._tally.step = rounds[0].step
        try:
            aligned(rounds)
            self._hints(rounds)
            for found in joined(rounds, self._drawn, self._accepted):
                self._tally.operation(found)
        except Exception as error:  # the program that is watched must not end of it
            self._tally.operation([failed(error, "ranks")])

    def _hints(self, rounds: list[Round]) -> None:
        for hint in hints(rounds):
            self._tally.hint(hint, rounds[0].step)

    def _leave(self, what: str) -> None:
        self._tally.operation([Left(what, "unsupported", "", "")])
