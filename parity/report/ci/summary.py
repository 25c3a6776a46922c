"""A run's comparisons for those who were not there: Markdown, and annotations of the causes alone."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from parity.render.numbers import written
from parity.render.texts import catalogue
from parity.report.ci.facts import Compared, RootCause
from parity.report.ci.github import Annotation, cell, in_repository


@dataclass(frozen=True)
class Noted:
    """A comparison, its test, and whether that test failed."""

    test: str
    compared: Compared
    failed: bool

    @property
    def broken(self) -> bool:
        """Whether it is a reason for its test's failure: one that a test expects is none."""
        return self.failed and self.compared.verdict != "match"


def causes(noted: Sequence[Noted], root: Path, lang: str = "en") -> list[Annotation]:
    """One for each cause, however many tests it fails; first first."""
    say = catalogue(lang)
    found: dict[tuple[str, str], list[Noted]] = {}
    first: dict[tuple[str, str], RootCause] = {}
    for one in noted:
        if not one.broken:
            continue
        compared = one.compared
        where = f"{compared.file}:{compared.line}" if compared.line else compared.subject
        here = {(where, cause.title(say)): cause for cause in compared.roots}
        unnamed = RootCause(compared.verdict, (), 0, "", detail=compared.reason)
        for place, cause in (here or {(where, compared.verdict): unnamed}).items():
            found.setdefault(place, []).append(one)
            first.setdefault(place, cause)
    return [_annotation(first[place], tests, root, say) for place, tests in found.items()]


def _annotation(cause: RootCause, tests: Sequence[Noted], root: Path, say: Mapping[str, str]) -> Annotation:
    """At the line that is likely wrong; where that is not known, at the file, and it says so."""
    first, title = tests[0].compared, cause.title(say)
    fails = say["ci.fails_more" if len(tests) > 1 else "ci.fails"]
    lines = [
        f"{first.subject}: {title}",
        cause.detail,
        fails.format(test=tests[0].test, more=len(tests) - 1),
    ]
    if first.reproduce:
        lines.append(say["ci.again"].format(command=first.reproduce))
    if cause.side:
        unknown = "ci.unknown_line" if first.line else "ci.unknown_place"
        lines.append(say["ci.likely_line" if cause.line else unknown])
    where, line = (cause.file, cause.line) if cause.line else (first.file, first.line)
    file = in_repository(where, root) if where else ""
    return Annotation(f"parity: {title}", "\n".join(filter(None, lines)), file, line)


def markdown(noted: Sequence[Noted], unused: Sequence[str], lang: str = "en") -> str:
    """What failed and why, then every comparison in one table; what fits least stands last."""
    return "\n".join(_lines(noted, unused, catalogue(lang))) + "\n"


def _lines(noted: Sequence[Noted], unused: Sequence[str], say: Mapping[str, str]) -> Iterator[str]:
    broken = [one for one in noted if one.broken]
    verdict = say["ci.broken" if broken else "ci.holds"].format(broken=len(broken), count=len(noted))
    numbers = sum(one.compared.numbers for one in noted)
    yield f"## parity: {verdict}"
    yield ""
    yield say["ci.counted"].format(count=len(noted), numbers=written(f"{numbers:,}", say)) + "."
    for one in broken:
        yield ""
        yield from _broken(one, say)
    for path in unused:
        yield ""
        yield say["ci.unused"].format(golden=cell(path))
    if noted:
        yield ""
        heads = ("test", "comparison", "of", "verdict", "numbers", "undecided")
        yield "| " + " | ".join(say[f"ci.{head}"] for head in heads) + " |"
        yield "|---|---|---|---|--:|--:|"
        for one in sorted(noted, key=lambda one: not one.broken):
            c = one.compared
            texts = (
                one.test,
                c.kind,
                c.golden or c.subject,
                say["ci.error"] if c.verdict == "error" else say[f"run.{c.verdict}"],
                written(f"{c.numbers:,}", say),
                written(f"{c.undecided:,}", say),
            )
            yield "| " + " | ".join(cell(text) for text in texts) + " |"


def _broken(one: Noted, say: Mapping[str, str]) -> Iterator[str]:
    compared = one.compared
    yield f"### {cell(one.test)}"
    yield ""
    for root in compared.roots:
        side = cell(root.side)
        where = say["ci.root"].format(slide=root.slide, side=side) if root.slide else side
        yield f"* **{cell(root.title(say))}** ({where}). {cell(root.detail)}"
    if not compared.roots:
        yield f"* **{cell(compared.verdict)}** {cell(compared.reason)}"
    if compared.reproduce:
        yield "* " + say["ci.again"].format(command=cell(compared.reproduce))
    if compared.report:
        yield "* " + say["ci.report"].format(path=cell(compared.report))
