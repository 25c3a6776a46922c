"""The same result as Markdown: what a pull request or a notebook cell can show."""

from __future__ import annotations

import html
from collections.abc import Iterator, Mapping

from parity.lockstep.result import Result
from parity.render.graph import text
from parity.render.numbers import code, percent, prose
from parity.render.texts import catalogue
from parity.render.texts.message import said
from parity.report.bilingual import one, side_name
from parity.report.cards import Card
from parity.report.headline import verdict
from parity.report.recording import Recording
from parity.report.step_numbers import Numbers
from parity.report.steps import JudgedSteps, StepView, cards, step_view


def markdown(
    result: Result,
    recording: Recording,
    lang: str,
    titles: Mapping[str, str] | None = None,
    judged: JudgedSteps | None = None,
) -> str:
    """Verdict, graph (Mermaid), and one table of the step that matters, in one language."""
    judged = judged or JudgedSteps(result, recording)
    return "\n".join(_lines(result, recording, judged, lang, (titles or {}).get(lang))) + "\n"


def _lines(
    result: Result, recording: Recording, judged: JudgedSteps, lang: str, title: str | None
) -> Iterator[str]:
    say = catalogue(lang)
    yield f"# {_cell(title) if title else say['page.title']}"
    yield ""
    yield f"**{_of(verdict(result), lang)}**"
    yield ""
    yield say["run.counted"].format(
        tensors=prose(result.tensors_compared, lang),
        numbers=prose(result.numbers_compared, lang),
        undecided=prose(result.undecided, lang),
        share=percent(result.undecided / max(1, result.numbers_compared), lang),
    )
    first = result.first_divergence
    if first:
        yield ""
        yield say["run.first"].format(**first.model_dump())
        if first.complaint:
            yield ""
            yield _cell(said(first.complaint, lang))
    for told in recording.extras.told.get(lang, []):
        yield ""
        yield from (f"> {_cell(line)}  " for line in told.lines)
    drawn = judged.drawn
    if drawn:
        yield ""
        yield "```mermaid"
        yield text.mermaid(drawn)
        yield "```"
    if judged.opens is not None:
        yield ""
        yield from _step(judged, step_view(judged, judged.opens), say, lang)


def _step(judged: JudgedSteps, step: StepView, say: dict[str, str], lang: str) -> Iterator[str]:
    yield f"## {one('page.step_heading', lang, step=step.step)}"
    yield ""
    names = [_of(side_name(side), lang) for side in step.sides]
    heads = [say["run.slide"], say["run.formula"], *names, say["page.verdict"]]
    yield "| " + " | ".join(heads) + " |"
    yield "|" + "---|" * len(heads)
    for _, found in cards(judged, step.numbers):
        for card in found:
            yield "| " + " | ".join(_row(card, step.numbers[card.tensor], say)) + " |"


def _row(card: Card, row: Numbers, say: dict[str, str]) -> Iterator[str]:
    yield str(card.slide)
    yield f"`{_cell(card.plain)}`"
    for voice in row.voices:
        share = "–" if voice.share is None else code(voice.share, 2)
        yield f"`{_cell(voice.value.striptags())}` ({share})"
    yield say[f"page.{row.mark}"] if row.mark else say[f"run.{row.verdict}"]


def _of(markup: str, lang: str) -> str:
    """One language's part of a bilingual markup."""
    start = markup.find(f'<span lang="{lang}">')
    if start < 0:
        return html.unescape(markup)
    start = markup.index(">", start) + 1
    return html.unescape(markup[start : markup.index("</span>", start)])


def _cell(text: str) -> str:
    """A text inside a table's cell: no bar, no line break, no markup of its own."""
    return " ".join(text.replace("|", "\\|").replace("<", "&lt;").replace("`", "'").split())
