"""Gradescope's results file: one test an entry, the same ones for every submission.

https://gradescope-autograders.readthedocs.io/en/latest/specs/#output-format
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping

from parity.check.points import EARNED, ENTRIES, RUNS, Points, State, states
from parity.check.submitted import Submitted, result_of
from parity.render.texts import catalogue
from parity.render.texts.message import said


def gradescope_results(outcomes: Mapping[str, Submitted], points: Points, lang: str) -> str:
    """The results file of submissions by name."""
    tests = [
        test
        for name, outcome in outcomes.items()
        for test in _tests(f"{name}: " if len(outcomes) > 1 else "", outcome, points, lang)
    ]
    return json.dumps({"output_format": "text", "tests": tests}, indent=2, ensure_ascii=False)


def _tests(prefix: str, outcome: Submitted, points: Points, lang: str) -> Iterator[dict[str, object]]:
    found = states(result_of(outcome))
    for entry in (entry for entry in ENTRIES if points.worth[entry]):
        worth = points.worth[entry]
        yield {
            "name": f"{prefix}{entry}",
            "score": worth if EARNED[found[entry]] else 0,
            "max_score": worth,
            "output": _output(outcome, entry, found[entry], lang),
        }


def _output(outcome: Submitted, entry: str, state: State, lang: str) -> str:
    """What the student reads of an entry."""
    say = catalogue(lang)
    if isinstance(outcome, str):
        return said(outcome, lang) if entry == RUNS else say["class.missing"]
    if entry == RUNS:
        failures = outcome.failures
        return say["check.failed"].format(failure=said(failures[0], lang)) if failures else ""
    for wrong, words in zip(outcome.result.wrong_formulas, outcome.wrong, strict=True):
        if wrong.formula == entry:
            return "\n".join((words.headline, *words.lines))
    return "" if state == "right" else say[f"class.{state}"]
