"""Rounds on their way to rank 0, through the store by which the ranks found each other."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from contextlib import suppress
from datetime import timedelta
from typing import Protocol

from parity.watch.ranks.round import Round

CHUNK = 1 << 22
"""Bytes that are sent at once: a TCPStore takes no more than 8 MiB."""

PATIENCE = timedelta(minutes=10)
"""How long rank 0 waits for what another rank certifies, and another for the verdict of rank 0."""

HURRY = timedelta(seconds=10)
"""The same where a rank's program has failed, since others may have ended with it; and how long a rank
has to show that it is watched at all."""

_SERIALS = itertools.count()


class Store(Protocol):
    """What is used of `torch.distributed.Store`."""

    def set(self, key: str, value: bytes, /) -> None:
        """Keep a value."""

    def get(self, key: str, /) -> bytes:
        """A value, as soon as it is there."""

    def check(self, keys: list[str], /) -> bool:
        """Whether values are there."""

    def wait(self, keys: list[str], timeout: timedelta, /) -> None:
        """Until they are. Raises RuntimeError after that time."""

    def delete_key(self, key: str, /) -> bool:
        """Forget a value."""


class Exchange:
    """One watched training of several ranks. Its keys are numbered, since a program may have several."""

    def __init__(self, store: Store, rank: int, ranks: int) -> None:
        self.rank, self.ranks = rank, ranks
        self._store, self._prefix, self._sent = store, f"parity/{next(_SERIALS)}", 0
        self._store.set(f"{self._prefix}/{rank}/here", b"1")

    def send(self, one: Round) -> None:
        """A round of this rank, to rank 0."""
        self._put(f"{self.rank}/{self._sent}", one.packed())
        self._sent += 1

    def end(self, said: str) -> None:
        """Send what this rank says of itself, after its last round."""
        self._store.set(f"{self._prefix}/{self.rank}/end", said.encode())

    def ended(self, rank: int, patience: timedelta) -> str:
        """What a rank said at its end. Raises RuntimeError if it is not watched, or did not end in time."""
        key = f"{self._prefix}/{rank}/end"
        self._store.wait([f"{self._prefix}/{rank}/here"], HURRY)
        self._store.wait([key], patience)
        return self._store.get(key).decode()

    def rounds(self, number: int) -> list[Round] | None:
        """The rounds of this number of the other ranks, if all are there."""
        keys = [f"{rank}/{number}" for rank in range(1, self.ranks)]
        if not all(self._store.check([f"{self._prefix}/{key}"]) for key in keys):
            return None
        return [Round.unpacked(self._take(key)) for key in keys]

    def part(self, patience: timedelta) -> None:
        """Rank 0 lets the others end; each of these waits for that, or until rank 0 is gone."""
        key = f"{self._prefix}/done"
        with suppress(RuntimeError):
            if self.rank:
                self._store.wait([key], patience)
            else:
                self._store.set(key, b"1")

    def _put(self, key: str, value: bytes) -> None:
        parts = list(_chunks(value))
        for place, part in enumerate(parts):
            self._store.set(f"{self._prefix}/{key}/{place}", part)
        self._store.set(f"{self._prefix}/{key}", str(len(parts)).encode())

    def _take(self, key: str) -> bytes:
        whole = f"{self._prefix}/{key}"
        keys = [f"{whole}/{place}" for place in range(int(self._store.get(whole)))]
        found = b"".join(self._store.get(one) for one in keys)
        for one in (*keys, whole):
            self._store.delete_key(one)
        return found


def _chunks(value: bytes) -> Iterator[bytes]:
    for start in range(0, len(value), CHUNK):
        yield value[start : start + CHUNK]
