"""Requests answered by many processes: on this machine's cores, or on anybody's cluster."""

from __future__ import annotations

import contextlib
import logging
import time
from collections.abc import Callable, Iterator
from itertools import islice
from typing import TYPE_CHECKING, Any, TypeAlias

from parity.campaign import judge
from parity.campaign.judge import CaseLimits, JudgeReply, Judging
from parity.errors import EnvironmentUnfit, quoted
from parity.render.texts.message import Message

if TYPE_CHECKING:
    from distributed import Client, Future

Request: TypeAlias = dict[str, Any]
Asker: TypeAlias = "Callable[[Iterator[tuple[str, Request]]], Iterator[tuple[str, JudgeReply]]]"
"""Requests by a name of their own in, replies by the same name out, in any order; lazy on both sides."""

AHEAD = 4
"""Requests that are under way for each process: enough that none waits, and no list of all."""

LOOPBACK = "127.0.0.1:0"
"""Where dask's own pages of a local cluster listen: on any free port, and to nobody outside."""

COUNTS_EVERY = 5.0
"""Seconds between two counts of the processes that there are."""

PATIENCE = "20s"
"""How long a scheduler is waited for."""


@contextlib.contextmanager
def asking(
    judging: Judging, limits: CaseLimits, *, workers: int = 1, scheduler: str | None = None
) -> Iterator[Asker]:
    """A context with what answers requests: this machine's processes, or a cluster's.

    One process needs no dask. Raises EnvironmentUnfit where dask is missing, no scheduler answers, or
    its workers cannot judge.
    """
    if scheduler is None and workers == 1:
        try:
            yield lambda requests: _here(requests, judging, limits)
        finally:
            judge.close()
        return
    with _client(workers, scheduler) as client:
        try:
            yield lambda requests: _over(client, requests, judging, limits)
        finally:
            _close_all(client)


def _here(
    requests: Iterator[tuple[str, Request]], judging: Judging, limits: CaseLimits
) -> Iterator[tuple[str, JudgeReply]]:
    for name, request in requests:
        try:
            yield name, judge.ask(request, judging, limits)
        except judge.Ended as ended:
            raise EnvironmentUnfit(Message("campaign_no_judge", reason=ended)) from None


@contextlib.contextmanager
def _client(workers: int, scheduler: str | None) -> Iterator[Client]:
    try:
        from distributed import Client, LocalCluster
    except ImportError:
        raise EnvironmentUnfit(Message("campaign_no_distributed")) from None
    for name in list(logging.root.manager.loggerDict):
        if name.split(".")[0] == "distributed":
            logging.getLogger(name).setLevel(logging.CRITICAL)  # the campaign tells what matters
    if scheduler is None:
        # Threads are enough: each case is judged in a process that its thread has started.
        local = LocalCluster(
            n_workers=workers,
            threads_per_worker=1,
            processes=False,
            memory_limit=0,
            dashboard_address=LOOPBACK,
            worker_dashboard_address=LOOPBACK,
            silence_logs=logging.CRITICAL,
        )
        with local, Client(local) as client:
            yield client
        return
    try:
        client = Client(scheduler, timeout=PATIENCE)
    except (OSError, ValueError) as error:
        reason = quoted(error)
        raise EnvironmentUnfit(Message("campaign_no_scheduler", address=scheduler, reason=reason)) from None
    with client:
        yield client


def _over(
    client: Client, requests: Iterator[tuple[str, Request]], judging: Judging, limits: CaseLimits
) -> Iterator[tuple[str, JudgeReply]]:
    """As many requests under way as keep every process busy, however many join."""
    from distributed import as_completed
    from distributed.scheduler import KilledWorker

    names: dict[Future, str] = {}
    room, counted = 0, 0.0

    def free() -> int:
        nonlocal room, counted
        if time.monotonic() - counted > COUNTS_EVERY:
            room, counted = AHEAD * max(1, sum(client.nthreads().values())), time.monotonic()
        return max(0, room - len(names))

    def submitted() -> list[Future]:
        made = []
        for name, request in islice(requests, free()):
            future = client.submit(judge.ask, request, judging, limits, pure=False)
            names[future] = name
            made.append(future)
        return made

    under_way = as_completed(submitted(), with_results=True, raise_errors=False)
    while names:
        for future, found in under_way.next_batch():
            name, status = names.pop(future), future.status
            if status == "finished":
                yield name, found
            elif status == "error" and isinstance(found[1], KilledWorker):
                yield name, JudgeReply(None, {}, ("worker",) * judge.TRIES)
            elif status == "error":
                reason = f"{type(found[1]).__name__}: {quoted(found[1])}"
                raise EnvironmentUnfit(Message("campaign_no_judge", reason=reason))
            else:
                raise EnvironmentUnfit(Message("campaign_scheduler_lost"))
        under_way.update(submitted())


def _close_all(client: Client) -> None:
    """End the processes of all workers; those of a cluster that has gone end by themselves."""
    with contextlib.suppress(Exception):
        client.run(judge.close)
