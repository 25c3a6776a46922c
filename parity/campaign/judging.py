"""One case, judged: what it came to, whatever happens on the way."""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable, Mapping
from pathlib import Path

from parity.campaign.case import Alarm, CampaignAnswer, CampaignCase, Kind, Verdict
from parity.campaign.layered import judged_layers
from parity.campaign.verdicts import CaseVerdict, NotAskedError
from parity.campaign.watched import judged_model, judged_operator
from parity.errors import UsageError, quoted

JUDGES: Mapping[Kind, Callable[[CampaignCase], CaseVerdict]] = {
    "activations": judged_layers,
    "losses": judged_layers,
    "optimizers": judged_layers,
    "networks": judged_layers,
    "operations": judged_operator,
    "watch": judged_model,
}


def judged(case: CampaignCase) -> CampaignAnswer:
    """Run a case and judge every number of it. Raises UsageError for a case that names what there is not.

    Any other exception is an alarm of the verifier's side: what runs here is ours.
    """
    started = time.perf_counter()
    try:
        found = JUDGES[case.kind](case)
    except UsageError:
        raise
    except NotAskedError as error:
        found = CaseVerdict(0, 0, [], skipped=str(error))
    except Exception as error:
        last = traceback.extract_tb(error.__traceback__)[-1]
        where = f"{Path(last.filename).name}:{last.lineno}"
        text = f"{type(error).__name__}: {quoted(error)}"
        found = CaseVerdict(
            0, 0, [], (Alarm("verifier", where, "", "", None, None, None, None, text, None),)
        )
    share, where = found.worst
    return CampaignAnswer(
        digest=case.digest,
        kind=case.kind,
        name=case.name,
        format=case.format,
        regime=case.regime,
        verdict=_verdict(found),
        numbers=found.numbers,
        undecided=found.undecided,
        worst_share=share,
        worst_where=where,
        alarms=found.alarms,
        seconds=round(time.perf_counter() - started, 4),
        skipped=found.skipped,
    )


def again(case: CampaignCase, alarm: Alarm) -> Alarm | None:
    """The alarm of a case that is of the same cause; None where there is none, or no such case."""
    try:
        answer = judged(case)
    except UsageError:
        return None
    return next((other for other in answer.alarms if cause(other) == cause(alarm)), None)


def cause(alarm: Alarm) -> tuple[str | None, ...]:
    """What two alarms of one cause have in common."""
    return alarm.side, alarm.formula, alarm.operation, alarm.finding


def _verdict(found: CaseVerdict) -> Verdict:
    if any(alarm.side != "verifier" for alarm in found.alarms):
        return "mismatch"
    return "match" if found.numbers > found.undecided and not found.alarms else "undecided"
