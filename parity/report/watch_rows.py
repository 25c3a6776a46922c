"""What the page of a watched training shows: rows with their formulas, in a tree of modules."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from markupsafe import Markup

from parity.certify.measure import Worst
from parity.render.mathml import mathml
from parity.report.sources import MOST_LINES, code_of
from parity.report.step_graph import MOVES
from parity.watch.result import WatchedRow, WatchResult, WrongOperation
from parity.watch.tally import Evidence
from reference.arrays import accumulated
from reference.formula import Formula
from reference.optimizers import Rule

SUM = Formula("sum", r"g = \textstyle\sum_u g_u", accumulated)
GRAD = Formula("grad", r"\mathrm{grad} \leftarrow \mathrm{grad} + \textstyle\sum_u g_u", accumulated)


@dataclass(frozen=True)
class FormulaView:
    """A formula as it is shown: MathML, and our function's name and lines with what it calls."""

    id: str
    math: Markup
    code: tuple[tuple[str, tuple[str, ...]], ...]

    @property
    def function(self) -> str:
        """Our function's name."""
        return self.code[0][0]


@dataclass(frozen=True)
class WatchedRowView:
    """A row of the result, and what it rests on."""

    id: str
    row: WatchedRow
    evidence: Evidence

    @property
    def wrong(self) -> bool:
        """Whether the formula is not what ran."""
        return self.row.verdict == "mismatch"

    @property
    def exact(self) -> bool:
        """Whether nothing was rounded: bits were compared, and are the same."""
        return self.row.verdict == "match" and self.row.worst_ratio == 0

    @property
    def moved(self) -> bool:
        """Whether numbers only went from one place to another, as they should."""
        return self.exact and (self.row.check in ("sum", "grad") or self.row.operation in MOVES)

    @property
    def worst(self) -> Worst | None:
        """The number that is farthest off."""
        return self.evidence.worst

    @property
    def fill(self) -> int:
        """The share in twentieths."""
        return max(0, min(20, round(20 * self.row.worst_ratio))) if self.row.worst_ratio < 1 else 20

    @cached_property
    def formula(self) -> FormulaView | None:
        """What PyTorch's tensor was held to."""
        found = self.evidence.formula or {"sum": SUM, "grad": GRAD}.get(self.row.check)
        if found is None:
            return None
        name = found.name if isinstance(found, Formula) else f"{self.row.operation}-{found.formula}"
        code = tuple((called, lines[:MOST_LINES]) for called, lines in code_of(found.function))
        key = re.sub(r"[^\w-]+", "-", f"{name}-{self.row.check}")
        return FormulaView(f"formula-{key}", mathml(_latex(found, self.row)), code)

    def is_of(self, wrong: WrongOperation) -> bool:
        """Whether a wrong tensor is one of this row's."""
        keys = ("module", "operation", "check", "operand", "source")
        return all(getattr(self.row, key) == getattr(wrong, key) for key in keys)


def _latex(formula: Formula | Rule, row: WatchedRow) -> str:
    """The whole equation: tables have right-hand sides of operations."""
    if isinstance(formula, Rule) or formula in (SUM, GRAD):
        return formula.latex
    if row.check == "vjp":
        return rf"\frac{{\partial L}}{{\partial {_symbol(row.operand or 'x')}}} = {formula.latex}"
    return f"{_symbol(row.operand or 'y')} = {formula.latex}"


def _symbol(name: str) -> str:
    """A letter as it is; a word upright, its digits below."""
    letters, digits = re.fullmatch(r"(.*?)(\d*)", name).groups()  # type: ignore[union-attr] # all texts match
    base = letters if len(letters) == 1 else rf"\mathrm{{{letters.replace('_', ' ')}}}"
    return f"{base}_{{{digits}}}" if digits else base


@dataclass
class ModuleView:
    """A module: its own rows by operation, and the modules inside."""

    path: str
    name: str
    operations: dict[tuple[str, str], list[WatchedRowView]] = field(default_factory=dict)
    children: list[ModuleView] = field(default_factory=list)

    @property
    def rows(self) -> list[WatchedRowView]:
        """All rows, those of the modules inside too."""
        own = [row for rows in self.operations.values() for row in rows]
        return own + [row for child in self.children for row in child.rows]

    @property
    def verdict(self) -> str:
        """The gravest of the rows' verdicts that says something."""
        told = {view.row.verdict for view in self.rows}
        return next((one for one in ("mismatch", "match", "undecided") if one in told), "undecided")

    @property
    def share(self) -> float:
        """The largest of the rows."""
        return max((view.row.worst_ratio for view in self.rows), default=0.0)

    @property
    def numbers(self) -> int:
        """Numbers compared."""
        return sum(view.row.numbers for view in self.rows)

    @property
    def count(self) -> int:
        """How many kinds of operation at how many lines."""
        return len(self.operations) + sum(child.count for child in self.children)

    @property
    def shown(self) -> list[tuple[str, str, list[WatchedRowView]]]:
        """Operations that do more than move numbers: name, line, rows; what is wrong comes first."""
        found = [
            (*place, [row for row in rows if not row.moved])
            for place, rows in self.operations.items()
            if not all(row.moved for row in rows)
        ]
        return sorted(found, key=lambda one: not any(row.wrong for row in one[2]))

    @property
    def moved(self) -> list[WatchedRowView]:
        """Rows of numbers that are only moved."""
        return [row for rows in self.operations.values() for row in rows if row.moved]


def rows_of(result: WatchResult, evidence: Sequence[Evidence]) -> list[WatchedRowView]:
    """Every row with what it rests on."""
    return [
        WatchedRowView(f"row{number}", row, found)
        for number, (row, found) in enumerate(zip(result.rows, evidence, strict=True))
    ]


def modules_of(rows: Iterable[WatchedRowView]) -> list[ModuleView]:
    """The outermost modules, in the order in which they ran; the program's own operations come first, or
    what is wrong.
    """
    found: dict[str, ModuleView] = {}
    roots: list[ModuleView] = []

    def module(path: str) -> ModuleView:
        if path not in found:
            parent, _, name = path.rpartition(".")
            found[path] = ModuleView(path, name)
            (module(parent).children if parent else roots).append(found[path])
        return found[path]

    for view in rows:
        own = module(view.row.module)
        own.operations.setdefault((view.row.operation, view.row.source), []).append(view)
    return sorted(roots, key=lambda view: (view.verdict != "mismatch", bool(view.path)))


def formulas_of(rows: Iterable[WatchedRowView]) -> tuple[FormulaView, ...]:
    """Each formula of the rows once."""
    shown = (view.formula for view in rows if not view.moved)
    return tuple({formula.id: formula for formula in shown if formula}.values())
