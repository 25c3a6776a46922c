"""What the command line tells GitHub Actions about its results; elsewhere nothing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from parity.golden.result import Replay
from parity.lockstep.result import FormulaRow, Result, WrongFormula
from parity.lockstep.text import lines, short
from parity.render.texts import catalogue
from parity.render.texts.message import Message, said
from parity.report.ci import github
from parity.report.ci.facts import Compared, RootCause
from parity.report.ci.github import cell
from parity.report.ci.summary import Noted, causes, markdown
from reference.trace import tensor_name


def roots(wrong: Sequence[WrongFormula], file: str = "") -> tuple[RootCause, ...]:
    """The wrong formulas as facts that travel; `file` is that of the lines."""
    return tuple(
        RootCause(
            w.formula,
            tuple(w.layers),
            w.slide,
            w.side,
            w.diagnosis.mistake if w.diagnosis else "",
            w.diagnosis.detail if w.diagnosis else w.note or "",
            file if w.line else "",
            w.line or 0,
        )
        for w in wrong
    )


def compared(
    kind: str, subject: str, result: Result | Replay, file: str = "", line: int = 0, lang: str = "en"
) -> Compared:
    """A result, or what a golden has come to, as one comparison; its reason in a language."""
    return Compared(
        kind,
        subject,
        result.verdict,
        result.numbers_compared,
        result.undecided,
        roots(result.wrong_formulas, file),
        reason=said(_reason(result), lang),
        reproduce=result.reproduce or "",
        file=file,
        line=line,
    )


def tell(
    command: str, found: Sequence[Compared], rows: Sequence[FormulaRow] = (), lang: str = "en"
) -> None:
    """Annotate the causes and append to the job summary, on GitHub Actions."""
    if not github.on_github():
        return
    noted = [Noted(command, one, one.verdict != "match") for one in found]
    github.annotate(causes(noted, Path.cwd(), lang), lang)
    github.summarize("\n".join([markdown(noted, (), lang), *_table(rows, catalogue(lang))]), lang)


def _bits(replay: Replay) -> str:
    """A mismatch of bits alone, which only --bitwise calls one."""
    bit = replay.first_difference
    if replay.verdict == "match" or bit is None:
        return ""
    where = Message("ci_where", tensor=tensor_name(bit.quantity, bit.layer), side=bit.side, step=bit.step)
    return Message("ci_other_bits", count=replay.differing, where=where)


def _table(rows: Sequence[FormulaRow], say: Mapping[str, str]) -> Iterator[str]:
    """Formula by formula: the verdict, and the share of its bound that was used."""
    sides = list(dict.fromkeys(row.side for row in rows))
    if not sides:
        return
    heads = [say["run.slide"], say["run.formula"], say["run.layer"], *(cell(side) for side in sides)]
    yield "| " + " | ".join(heads) + " |"
    yield "|--:|---|--:|" + "---|" * len(sides)
    for line in lines(rows):
        texts = [_cell(line.by_side[side], say) if side in line.by_side else "" for side in sides]
        yield (
            f"| {line.slide} | {cell(line.formula)} | {line.tensor or line.layer} | "
            + " | ".join(texts)
            + " |"
        )


def _cell(row: FormulaRow, say: Mapping[str, str]) -> str:
    return f"{say[f'run.{row.verdict}']} {short(row.worst_ratio, say)}"


def _reason(result: Result | Replay) -> str:
    """Why there is no match, where no formula is wrong in itself."""
    first = result.first_divergence
    if isinstance(result, Replay) and result.first_wrong:
        side, wrong, _ = result.first_wrong
        place = ", ".join(filter(None, (wrong.module, wrong.source)))
        what = f"{wrong.operation} {wrong.operand} ({wrong.check}; {place})"
        return Message("ci_where", tensor=what, side=side, step=wrong.step)
    if isinstance(result, Result) and result.reason:
        return result.reason
    if first is None:
        return _bits(result) if isinstance(result, Replay) else ""
    tensor = tensor_name(first.quantity, first.layer)
    where = Message("ci_where", tensor=tensor, side=first.side, step=first.step)
    return Message("file_failed", file=where, reason=first.complaint or Message("ci_differs"))
