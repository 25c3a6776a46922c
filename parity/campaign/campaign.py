"""A campaign: what is missing in a folder is asked, kept as it comes, and summed up."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

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
    undecided: int = 0
    alarms: int = 0
    set_aside: int = 0
    asked_again: int = 0
    worst: str = ""


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
    judging: Judging,
    limits: CaseLimits | None = None,
    seen: Callable[[CampaignProgress], None] = lambda _: None,
) -> Campaigned:
    """Ask the cases that have no answer in `folder` yet, and sum up all that have one.

    Ctrl-C, a cluster that goes away and a worker of another arithmetic end it: what is done is kept
    and summed up. Raises UsageError for a folder that is no campaign's or was computed otherwise, and
    EnvironmentUnfit where nothing can be asked at all.
    """
    until = None if minutes is None else time.monotonic() + 60 * minutes
    with CampaignFolder.opened(folder) as held:
        ended: Exception | None = None
        interrupted = False
        run = _Run(held, seen)
        try:
            with asking(judging, limits or CaseLimits(), workers=workers, scheduler=scheduler) as asker:
                run.begin(asker)
                run.ask(asker, _before(until, cases))
                run.shrink(asker)
        except KeyboardInterrupt:
            interrupted = True
        except (EnvironmentUnfit, UsageError) as error:
            if not run.begun:
                raise
            ended = error
        return Campaigned(summarised(held), interrupted, ended)


@dataclass
class _Run:
    folder: CampaignFolder
    seen: Callable[[CampaignProgress], None]

    begun: bool = False

    def __post_init__(self) -> None:
        self.progress = CampaignProgress(kept=len(self.folder.done))

    def begin(self, asker: Asker) -> None:
        """Ask what is computed with, before anything else: it must be what the folder was made with.

        Raises UsageError or EnvironmentUnfit.
        """
        for _, answered in asker(iter([("", {})])):
            reason = "; ".join(answered.endings) if answered.said is None else answered.said.get("failed")
            if reason:
                raise EnvironmentUnfit(Message("campaign_no_judge", reason=reason))
            self._admit(answered)
        self.begun = True

    def ask(self, asker: Asker, cases: Iterator[CampaignCase]) -> None:
        """Ask what is missing, and keep each answer as it comes."""
        under_way: dict[str, CampaignCase] = {}

        def missing() -> Iterator[tuple[str, Request]]:
            for case in cases:
                digest = case.digest
                if digest not in self.folder.done and digest not in under_way:
                    under_way[digest] = case
                    yield digest, {"case": case.to_toml()}

        for digest, answered in asker(missing()):
            self._keep(under_way.pop(digest), answered)
            self.seen(self.progress)

    def shrink(self, asker: Asker) -> None:
        """Look for the smallest case of each cause of alarms."""
        wanted = unshrunk(self.folder)
        requests: Iterator[tuple[str, Request]] = (
            (cause, {"shrink": self.folder.case(answer.digest).to_toml(), "alarm": asdict(alarm)})
            for cause, (answer, alarm) in wanted.items()
        )
        for cause, answered in asker(requests):
            said = answered.said or {}
            if "case" in said:
                self.folder.keep_smallest(cause, CampaignCase.read(said["case"]), said["torch"])

    def _keep(self, case: CampaignCase, answered: JudgeReply) -> None:
        progress, said = self.progress, answered.said
        progress.cases += 1
        progress.asked_again += len(answered.endings)
        environment = self._admit(answered)
        if said is None or "failed" in said:
            self.folder.set_aside(case, [*answered.endings] if said is None else [said["failed"]])
            progress.set_aside += 1
            return
        facts = json.loads(said["answer"])
        self.folder.keep(case, facts, environment)
        progress.numbers += facts["numbers"]
        progress.undecided += facts["undecided"]
        progress.alarms += len(facts["alarms"])

    def _admit(self, answered: JudgeReply) -> str:
        if not answered.environment:  # the whole worker was lost
            return ""
        problems = unfit(dict(answered.environment))
        if problems:
            raise EnvironmentUnfit(joined(problems))
        return self.folder.admit(answered.environment)


def _before(until: float | None, cases: Iterable[CampaignCase]) -> Iterator[CampaignCase]:
    """The cases, until the time is up."""
    for case in cases:
        if until is not None and time.monotonic() > until:
            return
        yield case
