"""The same result as Markdown: what a pull request or a notebook cell can show."""

from __future__ import annotations

import html
from collections.abc import Iterator, Mapping

from parity.lockstep.result import Result
from parity.render.graph import text
from parity.render.numbers import code, percent, prose
from parity.render.texts import catalogue
from parity.render.texts.message import said
from parity.report.bilingual import one
from parity.report.page import verdict
from parity.report.recording import Recording
from parity.report.steps import JudgedSteps, RowView, StepView, step_view


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
        yield from _step(step_view(judged, judged.opens), say, lang)


def _step(step: StepView, say: dict[str, str], lang: str) -> Iterator[str]:
    yield f"## {one('page.step_heading', lang, step=step.step)}"
    yield ""
    rows = [row for _, rows in step.stages for row in rows]
    sides = [voice.name for voice in rows[0].voices]
    names = [_of(name, lang) for name in sides]
    heads = [say["run.slide"], say["run.formula"], *names, say["page.difference"], say["page.verdict"]]
    yield "| " + " | ".join(heads) + " |"
    yield "|" + "---|" * len(heads)
    for row in rows:
        yield "| " + " | ".join(_row(row, say)) + " |"


def _row(row: RowView, say: dict[str, str]) -> Iterator[str]:
    yield str(row.slide)
    yield f"`{_cell(row.plain)}`"
    for voice in row.voices:
        share = "–" if voice.share is None else code(voice.share, 2)
        yield f"`{_cell(voice.value.striptags())}` ({share})"
    yield row.apart
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
