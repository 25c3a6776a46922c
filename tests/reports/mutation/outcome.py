"""What mutmut found: every mutant, whether it survived, and where in the reference it stands."""

from __future__ import annotations

import ast
import difflib
import json
from dataclasses import dataclass
from pathlib import Path

from tests.reports.mutation.prepare import functions, lambda_name, lambdas

KILLED = (1, 3)  # pytest: a test failed, or failed so badly that pytest itself did
TIMEOUTS = (24, 36, 152, 255, -24)
NAMES = {0: "survived", 33: "no tests", None: "not run"}


@dataclass(frozen=True)
class Mutant:
    """One mutant: `key` is mutmut's name for it, `before` and `after` the lines that it changes."""

    key: str
    status: str
    file: str
    function: str
    line: int
    before: str
    after: str


def outcomes(root: Path, work: Path) -> list[Mutant]:
    """Every mutant of a run, by file."""
    found: list[Mutant] = []
    mutants = work / "mutants"
    for meta in sorted(mutants.rglob("reference/**/*.py.meta")):
        codes = json.loads(meta.read_text("utf-8"))["exit_code_by_key"]
        mutated = meta.with_suffix("")
        if codes:
            file = str(mutated.relative_to(mutants))
            found += _of_file(file, codes, mutated.read_text("utf-8"), (root / file).read_text("utf-8"))
    return found


def status(code: int | None) -> str:
    """mutmut keeps the exit status of each mutant's test run."""
    if code in KILLED:
        return "killed"
    return "timeout" if code in TIMEOUTS else NAMES.get(code, "suspicious")


def _of_file(file: str, codes: dict[str, int | None], mutated: str, original: str) -> list[Mutant]:
    lines, tree = mutated.splitlines(), ast.parse(original)
    sources = {
        name.rpartition(".")[2]: lines[node.lineno - 1 : node.end_lineno]
        for name, node in functions(ast.parse(mutated))
    }
    starts = {name: node.lineno for name, node in functions(tree)}
    starts |= {lambda_name(k): node.lineno - 1 for k, (_, node) in enumerate(lambdas(tree), start=1)}
    found = []
    for key, code in codes.items():
        mangled = key.rpartition(".")[2]
        plain, _, _ = mangled.partition("__mutmut_")
        function = plain.removeprefix("xǁ").replace("ǁ", ".") if "ǁ" in plain else plain.removeprefix("x_")
        old, new = sources[f"{plain}__mutmut_orig"], sources[mangled]
        at, before, after = _difference(old, new)
        found.append(Mutant(key, status(code), file, function, starts[function] + at, before, after))
    return found


def _difference(old: list[str], new: list[str]) -> tuple[int, str, str]:
    """Where the body begins to differ, and the lines on either side. The first line is the name's."""
    tags = difflib.SequenceMatcher(None, old[1:], new[1:], autojunk=False).get_opcodes()
    changed = [tag for tag in tags if tag[0] != "equal"]
    if not changed:  # the signature: a default
        return 0, old[0].strip(), new[0].strip()
    _, first, last, begins, ends = changed[0]
    before, after = old[1 + first : 1 + last], new[1 + begins : 1 + ends]
    return 1 + first, _joined(before), _joined(after)


def _joined(lines: list[str]) -> str:
    return " ".join(line.strip() for line in lines)
