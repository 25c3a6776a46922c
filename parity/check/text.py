"""What a person sees of a check: each wrong formula as a teacher would say it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.markup import escape

from parity.render.console import console
from parity.render.numbers import written
from parity.render.texts import catalogue
from parity.render.texts.formulas import formula_label
from parity.render.texts.message import said

if TYPE_CHECKING:
    from rich.console import Console

    from parity.check.run import Checked
    from parity.lockstep.result import Result

OUTPUT_SHOWN = 4000
"""Characters of what a subject printed."""


def show_checked(checked: Checked, out: Console, lang: str) -> None:
    """The wrong formulas, first first, or that there are none; and what was not shown."""
    say, result = catalogue(lang), checked.result
    cases = result.config.get("cases")
    counted = len(cases) if isinstance(cases, list) else 0
    if result.verdict == "match":
        line = say["check.match"].format(steps=result.steps, cases=counted)
        out.print(f"[bold green]{escape(line)}[/]", soft_wrap=True)
    elif result.verdict == "undecided":
        out.print(say["check.undecided"], style="bold yellow", soft_wrap=True)
    else:
        many = len(checked.wrong) > 1
        line = say["check.wrong_many" if many else "check.wrong_one"].format(count=len(checked.wrong))
        out.print(line, style="bold red", soft_wrap=True)
    for words in checked.wrong:
        out.print()
        out.print(words.headline, style="bold", markup=False, soft_wrap=True)
        for line in words.lines:
            out.print(f"  {line}", markup=False, soft_wrap=True)
    if checked.wrong:
        out.print()
    for failure in checked.failures[:1]:
        out.print(
            say["check.failed"].format(failure=said(failure, lang)),
            style="yellow",
            markup=False,
            soft_wrap=True,
        )
    _show_beside(result, lang, out)
    if result.not_shown:
        names = ", ".join(formula_label(name, lang) for name in result.not_shown)
        out.print(say["check.not_shown"].format(names=names), markup=False, soft_wrap=True)
    out.print(say["check.contract"].format(**result.contract), markup=False, soft_wrap=True)


def _show_beside(result: Result, lang: str, out: Console) -> None:
    """Of a match: what the cases reached, what they did not; and what is worth a second look."""
    say = catalogue(lang)
    forms = {
        row.formula: ", ".join(say[f"check.form_{form}"] for form in row.form.split(", "))
        for row in result.formulas
        if row.form
    }
    if forms:
        told = "; ".join(f"{formula_label(formula, lang)}: {form}" for formula, form in forms.items())
        out.print(say["check.forms"].format(forms=told), markup=False, soft_wrap=True)
    reached = result.coverage
    if reached and result.verdict == "match":
        facts = {
            "batches": ", ".join(map(str, reached.batches)),
            "depths": ", ".join(map(str, reached.depths)),
            "calls": reached.calls_in_a_row,
            "gradient": written(f"{reached.largest_gradient:.3g}", say),
            "norm": written(f"{reached.smallest_gradient_norm:.2g}", say),
            "weight": written(f"{reached.largest_weight:.3g}", say),
        }
        out.print(say["check.reached"].format(**facts), markup=False, soft_wrap=True)
        if reached.not_reached:
            places = "; ".join(said(place, lang) for place in reached.not_reached)
            out.print(say["check.not_reached"].format(places=places), markup=False, soft_wrap=True)
    for advice in result.advice:
        out.print(
            say["run.advice"].format(advice=said(advice, lang)),
            style="yellow",
            markup=False,
            soft_wrap=True,
        )


def show_output(output: str, lang: str) -> None:
    """What the subject itself printed, on stderr and not too much of it; no control characters."""
    if not output.strip():
        return
    out = console(stderr=True)
    out.print(catalogue(lang)["check.printed"], style="dim")
    text = output[:OUTPUT_SHOWN] + (" …" if len(output) > OUTPUT_SHOWN else "")
    clean = "".join(c if c.isprintable() or c in "\n\t" else "·" for c in text)
    for line in clean.rstrip("\n").splitlines():
        out.print(f"  | {line}", markup=False, soft_wrap=True)
