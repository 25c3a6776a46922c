"""The mechanical half of reports/kill-matrix.md: the shares, a hundred names judged, everything unnamed."""

from __future__ import annotations

import random
import tomllib
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from tests.reports import mechanical
from tests.reports.mechanical import SEED, Outcome, shares

JUDGED = Path(__file__).with_name("judged.toml")
"""A hundred names, judged by hand against the diff: `right`, `misleading` or `wrong`, and why."""


def sampled(found: Sequence[Outcome]) -> list[Outcome]:
    """A hundred of the named ones, drawn without looking: the first in a shuffle of all."""
    shuffled = random.Random(SEED).sample(found, len(found))
    return [o for o in shuffled if o.name][:100]


def section(found: Sequence[Outcome]) -> list[str]:
    """The lines of the page."""
    explanation = " ".join((mechanical.__doc__ or "").split("\n\n")[1].split())
    of = shares(found)
    n = of["changes"]
    return [
        "## Mechanical",
        "",
        f"{explanation} The programs are in `tests/mutants/strangers`, the changes in "
        "`tests/mutants/mechanical.py`, the oracle in `tests/mutants/oracle.py`.",
        "",
        f"{n} mutants that change a number, the first in an order that a seed draws:",
        "",
        "| | mutants | share |",
        "|---|---:|---:|",
        *(f"| {kind} | {count} | {count / n:.1%} |" for kind, count in of.items() if kind != "changes"),
        "",
        *_counted("Style", found, lambda o: o.mutant.style),
        "",
        *_counted("Formula", found, lambda o: o.formula or "–"),
        "",
        *_counted("Change", found, lambda o: o.mutant.kind),
        "",
        *_names(found),
        "",
        *_judged(sampled(found)),
        *_missed("Not named", [o for o in found if o.caught and not o.name]),
        *_missed("Not located", [o for o in found if not o.located]),
        *_missed("Wrongly named", [o for o in found if o.holds is False]),
    ]


def _judged(sample: Sequence[Outcome]) -> list[str]:
    """The sample with what was judged; what was said since in other words is not."""
    entries = tomllib.loads(JUDGED.read_text(encoding="utf-8"))["judged"]
    verdicts = {(entry["diff"], entry["name"]): entry for entry in entries}
    rows = [(o, verdicts.get((o.mutant.diff, o.name), {"verdict": "not judged"})) for o in sample]
    marks = Counter(entry["verdict"] for _, entry in rows)
    lines = [
        "### A hundred names, judged by hand against the diff",
        "",
        "Right: it says what the diff does, or the same in other words. Misleading: the numbers are "
        "those, but a reader would look in the wrong place. Wrong: it is not what the diff does.",
        "",
        f"{', '.join(f'{count} {verdict}' for verdict, count in sorted(marks.items()))}.",
        "",
        "| verdict | diff | what was said | why |",
        "|---|---|---|---|",
    ]
    for o, entry in rows:
        said = _cell(f"{o.name}: {o.sentence}")
        lines.append(f"| {entry['verdict']} | `{_cell(o.mutant.diff)}` | {said} | {entry.get('why', '')} |")
    return lines


def _missed(title: str, chosen: Sequence[Outcome]) -> list[str]:
    """Outcomes by formula, a line of the diff each."""
    lines = ["", f"### {title}: {len(chosen)}", ""]
    for formula, group in _groups(chosen, lambda o: o.formula).items():
        lines += [f"- {formula}"]
        lines += [
            f"  - {o.mutant.style}, {o.mutant.kind}: `{_cell(o.mutant.diff)}` {o.name}".rstrip()
            for o in group
        ]
    return lines


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("`", "'")[:300]


def _groups(found: Iterable[Outcome], key: Callable[[Outcome], str]) -> dict[str, list[Outcome]]:
    groups: dict[str, list[Outcome]] = {}
    for o in found:
        groups.setdefault(key(o), []).append(o)
    return dict(sorted(groups.items()))


def _counted(title: str, found: Iterable[Outcome], key: Callable[[Outcome], str]) -> list[str]:
    lines = [
        f"| {title} | mutants | caught | located | named | wrongly named |",
        "|---|---:|---:|---:|---:|---:|",
    ]
    for name, group in _groups(found, key).items():
        cells = " | ".join(str(count) for count in shares(group).values())
        lines.append(f"| {_cell(name)} | {cells} |")
    return lines


def _names(found: Iterable[Outcome]) -> list[str]:
    names = Counter(o.name for o in found if o.name)
    return [
        "| Name | given |",
        "|---|---:|",
        *(f"| {name} | {count} |" for name, count in names.most_common()),
    ]
