"""`reports/mutation.md`: what was mutated, what survived, and why that is no gap in the tests."""

from __future__ import annotations

import re
import tomllib
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.reports.mutation.outcome import Mutant

LATEX = re.compile(r"""\br?f?r"[^"]*\"""")
"""A raw string: in the reference, LaTeX that a page shows and nothing computes with."""
TEMPLATE = Path(__file__).with_name("template.md")
STATES = ("killed", "timeout", "survived", "no tests", "suspicious", "not run")
Key = tuple[str, str, str, str]


def explanations(file: Path) -> dict[Key, str]:
    """Why a mutant survives, by file, function, and the lines before and after."""
    groups = tomllib.loads(file.read_text("utf-8"))["survivors"]
    return {
        (group["file"], group["function"], before, after): group["why"]
        for group in groups
        for before, after in group["changes"]
    }


def is_text(mutant: Mutant) -> bool:
    """Whether only the letters of a LaTeX string differ."""
    return LATEX.sub("", mutant.before) == LATEX.sub("", mutant.after)


def unexplained(mutants: Sequence[Mutant], why: Mapping[Key, str]) -> list[Mutant]:
    """Those that no test failed for, and that nobody has explained."""
    return [m for m in lived(mutants) if not is_text(m) and key(m) not in why]


def lived(mutants: Sequence[Mutant]) -> list[Mutant]:
    return [m for m in mutants if m.status in ("survived", "no tests", "suspicious")]


def key(mutant: Mutant) -> Key:
    return mutant.file, mutant.function, mutant.before, mutant.after


def page(mutants: Sequence[Mutant], why: Mapping[Key, str], version: str) -> str:
    """The report, in Markdown."""
    total = Counter(m.status for m in mutants)
    found, texts = lived(mutants), [m for m in lived(mutants) if is_text(m)]
    left = unexplained(mutants, why)
    others = [m for m in found if not is_text(m)]
    facts = {
        "version": version,
        "ran": f"{len(mutants) - total['not run']:,}",
        "killed": f"{total['killed']:,}",
        "timeouts": total["timeout"],
        "survived": len(found),
        "texts": len(texts),
        "explained": len(others) - len(left),
        "unexplained": len(left),
        "not_run": f"\n{total['not run']:,} were not run.\n" if total["not run"] else "",
        "by_module": "\n".join(_by_module(mutants)),
        "counted": _counted(texts),
        "table": "\n".join(_table(others, why)),
    }
    return TEMPLATE.read_text("utf-8").format_map(facts)


def _by_module(mutants: Sequence[Mutant]) -> list[str]:
    counts: dict[str, Counter[str]] = {}
    for mutant in mutants:
        counts.setdefault(mutant.file, Counter())[mutant.status] += 1
    shown = [state for state in STATES if any(count[state] for count in counts.values())]
    return [
        f"| module | mutants | {' | '.join(shown)} |",
        f"|---|{'--:|' * (1 + len(shown))}",
        *(
            f"| `{file}` | {count.total():,} | {' | '.join(f'{count[state]:,}' for state in shown)} |"
            for file, count in sorted(counts.items())
        ),
    ]


def _counted(mutants: Sequence[Mutant]) -> str:
    counts = Counter(m.file for m in mutants)
    return "; ".join(f"`{file}` {count}" for file, count in sorted(counts.items())) + "."


def _table(mutants: Sequence[Mutant], why: Mapping[Key, str]) -> list[str]:
    rows = ["| where | before | after | why it is no gap |", "|---|---|---|---|"]
    for m in sorted(mutants, key=lambda m: (m.file, m.line, m.after)):
        reason = why.get(key(m), "**unexplained**")
        rows.append(
            f"| `{m.file}:{m.line}` {m.function} | {_code(m.before)} | {_code(m.after)} | {reason} |"
        )
    return rows


def _code(line: str) -> str:
    """A line as it stands in a cell of a table."""
    plain = line.replace("|", "\\|")
    return f"`{plain}`" if line else "(gone)"
