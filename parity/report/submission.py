"""What a check saw, as a recording: the smallest case that fails, or of those with
several steps the largest that holds.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from parity.certify.observation import Observation
from parity.check.implementations import Subject
from parity.check.lines import likely_lines, source_of
from parity.check.run import Checked
from parity.lockstep.lockstep import TrainingStep
from parity.report import write
from parity.report.diagnosis import tell
from parity.report.recorder import PageRecorder
from parity.report.recording import LikelyLine, Recording
from reference.arrays import Array
from reference.engine import Network
from reference.trace import Trace

SIDE = "subject"
MAX_SOURCE = 20_000
"""Characters of the examined code that a page shows."""
AROUND = 2
"""Lines that are shown before and after the one that is likely wrong."""
Step = Callable[[Array, Array], Trace]


def write_page(checked: Checked, subject: Subject, folder: Path, lang: str) -> None:
    """The page of a check. Raises UsageError for a folder that cannot be written to."""
    write(checked.result, recording_of(checked, source_of(subject)), folder, lang)


def recording_of(checked: Checked, source: Path | None = None) -> Recording:
    """The subject's steps of one case, beside PyTorch's where it is installed, else the deck's engine's."""
    judge, first = checked.court, checked.result.first_divergence
    cases = [observation.case for observation in judge.observations]
    several = [o for o in judge.observations if o.step > 0] or judge.observations
    largest = max(
        several, key=lambda o: sum(o.given[name].size for name in o.architecture.parameter_shapes())
    )
    shown = first.case if first and first.case in cases else largest.case
    observations = [o for o in judge.observations if o.case == shown]
    architecture, lr = observations[0].architecture, observations[0].lr
    recorder = PageRecorder(architecture, lr, max(o.step for o in observations) + 1)
    other = "torch" if find_spec("torch") else "reference"
    with np.errstate(all="ignore"):
        for seen in observations:
            worst = [i.finding.ratio for i in judge.instances if i.observation is seen]
            theirs = _step(other, seen)(seen.given["x"], seen.given["y"])
            traces = {SIDE: Trace({**seen.given, **seen.shown, **seen.misshapen}), other: theirs}
            recorder(TrainingStep(seen.step, traces, max(worst, default=0.0)))
    text = _source(source) if source else ""
    return recorder.recording().with_extras(
        lines=_lines(checked, observations, text.splitlines()) if text else {},
        said={o.step: {SIDE: dict(o.complaints)} for o in observations if o.complaints},
        told=tell(judge, checked.blames, checked.lines),
        source=text,
    )


def _lines(
    checked: Checked, seen: Sequence[Observation], text: Sequence[str]
) -> dict[int, dict[str, LikelyLine]]:
    """By step and tensor, the lines that likely made what is wrong; none where all holds."""
    wrong = {i.equation.makes for blame in checked.blames for i in blame.instances}
    if not wrong:
        return {}
    traced = likely_lines(checked.subject, seen)
    behind = {
        i.equation.makes: line.number
        for blame, line in zip(checked.blames, checked.lines, strict=True)
        for i in blame.instances
        if line and blame.formula != blame.first.kind
    }
    return {
        o.step: {
            n: _with_neighbours(behind.get(n, line), text, behind=n in behind)
            for n, line in lines.items()
            if n in wrong
        }
        for o, lines in zip(seen, traced, strict=True)
    }


def _with_neighbours(number: int, text: Sequence[str], *, behind: bool) -> LikelyLine:
    """A line, and those around it."""
    first = max(1, number - AROUND)
    return LikelyLine(number, first, list(text[first - 1 : number + AROUND]), behind)


def _step(side: str, seen: Observation) -> Step:
    """One step of a side from where the subject's began."""
    parameters = {n: t.copy() for n, t in seen.given.items() if n in seen.architecture.parameter_shapes()}
    if side == "torch":
        from parity.pytorch.twin import Twin

        return Twin(seen.architecture, parameters, seen.lr).step
    network = Network(seen.architecture, parameters)
    return lambda x, y: network.step(x, y, seen.lr)


def _source(path: Path) -> str:
    """The subject's own code, as far as a page has room for it; nothing where it cannot be read."""
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
    return text if len(text) <= MAX_SOURCE else text[:MAX_SOURCE] + "\n…"
