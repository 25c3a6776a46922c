"""A campaign: what is missing in a folder is asked, kept as it comes, and summed up."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from parity.campaign.case import CampaignCase
from parity.campaign.cluster import Asker, Request, asking
from parity.campaign.judge import CaseLimits, JudgeReply, Judging
from parity.campaign.result import CampaignResult
from parity.campaign.store import CampaignFolder
from parity.campaign.summary import summarised, unshrunk
from parity.errors import EnvironmentUnfit, UsageError
from parity.lockstep.environment import unfit
from parity.render.texts.message import Message, joined


@dataclass
class CampaignProgress:
    """What was done until now, for who looks on."""

    cases: int = 0
    kept: int = 0
    numbers: int = 0
    alarms: int = 0


@dataclass(frozen=True)
class Campaigned:
    """What all answers say, and why it ended before its last case, if it did."""

    result: CampaignResult
    interrupted: bool = False
    failure: Exception | None = None


def campaign(
    cases: Iterable[CampaignCase],
    folder: Path,
    *,
    workers: int = 1,
    scheduler: str | None = None,
    minutes: float | None = None,
    judging: Judging | None = None,
    limits: CaseLimits | None = None,
    seen: Callable[[CampaignProgress], None] = lambda _: None,
) -> Campaigned:
    """Ask the cases that have no answer in `folder` yet, and sum up all that have one.

    Ctrl-C, a cluster that goes away and a worker of another arithmetic end it: what is done is kept
    and summed up. Raises UsageError for a folder that is no campaign's or was computed otherwise, and
    EnvironmentUnfit where nothing can be asked at all.
    """
    CampaignFolder.check(folder)
    with asking(
        judging or Judging(), limits or CaseLimits(), workers=workers, scheduler=scheduler
    ) as asker:
        environment = _computing(asker)
        with CampaignFolder.opened(folder) as held:
            held.admit(environment)
            until = None if minutes is None else time.monotonic() + 60 * minutes
            run = _Run(held, seen)
            ended: Exception | None = None
            interrupted = False
            try:
                run.ask(asker, _before(until, cases))
                run.shrink(asker)
            except KeyboardInterrupt:
                interrupted = True
            except (EnvironmentUnfit, UsageError) as error:
                ended = error
            return Campaigned(summarised(held), interrupted, ended)


def _computing(asker: Asker) -> Mapping[str, Any]:
    """What is computed with, asked before anything else: a folder made otherwise is refused at once.

    Raises EnvironmentUnfit where no process can judge.
    """
    ((_, reply),) = asker(iter([("", {})]))
    reason = "; ".join(reply.endings) if reply.said is None else reply.said.get("failed")
    if reason:
        raise EnvironmentUnfit(Message("campaign_no_judge", reason=reason))
    return _fit(reply.environment)


def _fit(environment: Mapping[str, Any]) -> Mapping[str, Any]:
    problems = unfit(dict(environment))
    if problems:
        raise EnvironmentUnfit(joined(problems))
    return environment


@dataclass
class _Run:
    folder: CampaignFolder
    seen: Callable[[CampaignProgress], None]

    def __post_init__(self) -> None:
        self.progress = CampaignProgress(kept=len(self.folder.done))

    def ask(self, asker: Asker, cases: Iterator[CampaignCase]) -> None:
        """Ask what is missing, and keep each answer as it comes."""
        under_way: dict[str, CampaignCase] = {}

        def missing() -> Iterator[tuple[str, Request]]:
            for case in cases:
                digest = case.digest
                if digest not in self.folder.done and digest not in under_way:
                    under_way[digest] = case
                    yield digest, {"case": case.to_toml()}

        for digest, reply in asker(missing()):
            self._keep(under_way.pop(digest), reply)
            self.seen(self.progress)

    def shrink(self, asker: Asker) -> None:
        """Look for the smallest case of each cause of alarms."""
        wanted = unshrunk(self.folder)
        requests: Iterator[tuple[str, Request]] = (
            (cause, {"shrink": self.folder.case(answer.digest).to_toml(), "alarm": asdict(alarm)})
            for cause, (answer, alarm) in wanted.items()
        )
        for cause, reply in asker(requests):
            said = reply.said or {}
            if "case" in said:
                self.folder.keep_smallest(cause, CampaignCase.read(said["case"]), said["torch"])

    def _keep(self, case: CampaignCase, reply: JudgeReply) -> None:
        progress, said = self.progress, reply.said
        progress.cases += 1
        if said is None or "failed" in said:
            self.folder.set_aside(case, [*reply.endings] if said is None else [said["failed"]])
            return
        environment = self.folder.admit(_fit(reply.environment))
        facts = json.loads(said["answer"])
        self.folder.keep(case, facts, environment)
        progress.numbers += facts["numbers"]
        progress.alarms += len(facts["alarms"])


def _before(until: float | None, cases: Iterable[CampaignCase]) -> Iterator[CampaignCase]:
    """The cases, until the time is up."""
    for case in cases:
        if until is not None and time.monotonic() > until:
            return
        yield case
