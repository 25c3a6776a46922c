"""What a page opens with: its heading, the verdict in a sentence, and the first wrong tensor."""

from __future__ import annotations

from collections.abc import Mapping

from markupsafe import Markup, escape

from parity.lockstep.result import Divergence, Result
from parity.render.texts import LANGUAGES
from parity.report.bilingual import bilingual, say
from reference.trace import tensor_name


def verdict(result: Result) -> Markup:
    """The verdict in a sentence: a run's, or a subject's."""
    cases = result.config.get("cases")
    if not isinstance(cases, list):
        return say(f"run.verdict_{result.verdict}", steps=result.steps)
    if result.verdict == "match":
        return say("check.match", steps=result.steps, cases=len(cases))
    if result.verdict == "undecided":
        return say("check.undecided")
    many = len(result.wrong_formulas) > 1
    return say("check.wrong_many" if many else "check.wrong_one", count=len(result.wrong_formulas))


def is_run(result: Result) -> bool:
    """Whether the steps are those of one training, and not of many small cases."""
    return "cases" not in result.config


def heading(result: Result, titles: Mapping[str, str] | None) -> Markup:
    """The page's title: its own, or what a check was asked about, or the usual one."""
    subject = result.config.get("subject")
    if titles:
        return bilingual({code: Markup(escape(titles[code])) for code in LANGUAGES})
    if isinstance(subject, str):
        return Markup('<span class="given">{}</span>').format(subject)
    return say("page.title")


def tensor_of(first: Divergence | None) -> str:
    """The tensor of a divergence."""
    return tensor_name(first.quantity, first.layer) if first else ""
