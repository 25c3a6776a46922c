"""The lines of a subject that likely made what it shows: traced in a run of its own, and never proved."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from parity.certify.observation import Observation
from parity.check.cases import SubjectCall
from parity.check.implementations import PythonSubject, Subject
from parity.check.in_process import OwnSubject
from parity.check.process import Limits
from reference.arrays import Array

TRACER = Path(__file__).with_name("tracer.py")


def likely_lines(
    subject: Subject, seen: Sequence[Observation], limits: Limits | None = None
) -> list[dict[str, int]]:
    """For each observation, by tensor, the line of the subject's file that last assigned it.

    The observations are asked again, in order. A tensor that is no longer what was observed, such as one
    that hangs on calls made before, has no line; nor has any subject that is not Python.
    """
    asked = [SubjectCall(o.case, o.step, o.architecture, o.lr, o.given) for o in seen]
    traced: Sequence[tuple[Mapping[str, int], Mapping[str, Array]]] = ()
    if isinstance(subject, PythonSubject):
        traced = subject.traced(asked, limits or Limits(), TRACER)
    elif isinstance(subject, OwnSubject):
        traced = subject.traced(asked)
    unknown: list[tuple[Mapping[str, int], Mapping[str, Array]]] = [({}, {})] * (len(seen) - len(traced))
    return [
        {name: line for name, line in lines.items() if _is_what_was_seen(name, shown, observation)}
        for (lines, shown), observation in zip([*traced, *unknown], seen, strict=True)
    ]


def source_of(subject: Subject) -> Path | None:
    """The file that the lines are lines of."""
    return subject.file if isinstance(subject, PythonSubject | OwnSubject) else None


def _is_what_was_seen(name: str, shown: Mapping[str, Array], observation: Observation) -> bool:
    known = {**observation.shown, **observation.misshapen}
    if name not in known or name not in shown:
        return False
    before, now = np.asarray(known[name]), np.asarray(shown[name])
    return any(np.array_equal(before, one, equal_nan=True) for one in (now, now.T))
