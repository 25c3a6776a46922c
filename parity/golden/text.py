"""The terminal text of goldens: one line each, and where, by how much and why one differs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from rich.table import Table

from parity.lockstep.result import Result
from parity.lockstep.text import divergence_lines, vacuous_name
from parity.render.console import fitted
from parity.render.numbers import written
from parity.render.texts import catalogue
from parity.watch.text import left_lines, wrong_lines
from reference.trace import tensor_name

if TYPE_CHECKING:
    from rich.console import Console

    from parity.golden.result import AgainstRow, Cause, RecordedGolden, Replay
    from parity.lockstep.result import FormulaRow

STYLES = {"match": "green", "mismatch": "bold red", "undecided": "yellow", "incomplete": "yellow"}


def show_replay(replay: Replay, out: Console, lang: str) -> None:
    """Print the verdict on a golden, its numbers with different bits, the causes, and what is wrong."""
    say = catalogue(lang)
    facts = {
        "golden": replay.golden,
        "verdict": say[f"run.{replay.verdict}"],
        "steps": written(f"{replay.steps:,}", say),
        "numbers": written(f"{replay.numbers_compared:,}", say),
        "undecided": written(f"{replay.undecided:,}", say),
    }
    style = STYLES[replay.verdict]
    out.print(say["golden.headline"].format(**facts), style=style, markup=False, soft_wrap=True)
    for line in _sides(replay, say):
        out.print("  " + line, markup=False, soft_wrap=True)
    bits = {
        "differing": written(f"{replay.differing:,}", say),
        "numbers": written(f"{replay.bits_compared:,}", say),
    }
    key = "golden.bits" if replay.differing else "golden.same_bits"
    if replay.bits_compared:
        out.print("  " + say[key].format(**bits), markup=False, soft_wrap=True)
    if replay.differing:
        if replay.against_golden:
            dropped = [say[f"golden.{key}"] for key in ("of_bound", "largest", "ulp")]
            out.print(fitted(_table(replay.against_golden, say), out, dropped))
        for line in _cause_lines(replay, say):
            out.print("  " + line, markup=False, soft_wrap=True)
    for line in divergence(replay, say):
        out.print("  " + line, style="bold red", markup=False, soft_wrap=True)


def _sides(replay: Replay, say: dict[str, str]) -> Iterator[str]:
    """What was replayed, if it is not the deck's chain; what of a script's operations is not certified."""
    facts = {"torch": replay.environment.get("torch")}
    recorded, again = replay.operations, replay.operations_again
    if recorded is not None:
        yield say["golden.operations"].format(operations=written(f"{recorded.operations:,}", say))
        yield from left_lines(recorded, say)
    if again is not None:
        yield say["golden.operations_again"].format(
            operations=written(f"{again.operations:,}", say), **facts
        )
        yield from left_lines(again, say)
    if recorded is None and replay.torch_side == "calls":
        yield say["golden.calls_again"].format(**facts)


def show_total(
    replays: Sequence[Replay], out: Console, lang: str, unreadable: Sequence[object] = ()
) -> None:
    """Print how many of several goldens hold; those that could not be read do not."""
    count = len(replays) + len(unreadable)
    if count > 1:
        holding = sum(replay.verdict == "match" for replay in replays)
        line = catalogue(lang)["golden.total"].format(match=holding, count=count)
        style = "bold green" if holding == count else "bold red"
        out.print(line, style=style, markup=False, soft_wrap=True)


def show_recorded(made: RecordedGolden, out: Console, lang: str) -> None:
    """Print the outcome of recording or updating a golden, and the reasons."""
    say = catalogue(lang)
    if made.outcome == "refused" and made.result:
        made.result.show(out, lang)
    for line in _reasons(made, say):
        out.print(line, markup=False, soft_wrap=True)
    vacuous = [vacuous_name(row, say) for row in _rows(made) if row.vacuous]
    if vacuous and made.outcome != "refused":
        out.print(say["run.vacuous_note"].format(names=", ".join(vacuous)), markup=False, soft_wrap=True)
    style = "bold red" if made.outcome == "refused" else "green"
    facts = {"golden": made.path, "digest": made.digest, "steps": made.result.steps if made.result else 0}
    if made.outcome in ("recorded", "updated"):
        facts["size"] = written(f"{made.path.stat().st_size / 2**20:,.2f}", say) + " MiB"
    out.print(say[f"golden.{made.outcome}"].format(**facts), style=style, markup=False, soft_wrap=True)


def _rows(made: RecordedGolden) -> list[FormulaRow]:
    return made.result.formulas if isinstance(made.result, Result) else []


def _reasons(made: RecordedGolden, say: dict[str, str]) -> Iterator[str]:
    """The reasons why an existing golden was recorded again."""
    if made.changed:
        yield say["golden.asked_anew"].format(golden=made.path, keys=", ".join(made.changed))
    if made.replay and made.outcome != "unchanged":
        yield say["golden.outside"].format(golden=made.path)
        for line in divergence(made.replay, say):
            yield "  " + line


def _table(rows: Sequence[AgainstRow], say: dict[str, str]) -> Table:
    """The table of tensors whose bits differ from the golden's."""
    table = Table()
    for key in ("tensor", "side", "differ", "ulp", "largest", "of_bound"):
        table.add_column(say[f"golden.{key}"], justify="left" if key in ("tensor", "side") else "right")
    for row in rows:
        if row.differing:
            table.add_row(
                tensor_name(row.quantity, row.layer),
                say.get(f"run.{row.side}", row.side),
                written(f"{row.differing:,} / {row.numbers:,}", say),
                written_ulps(row.ulps, say),
                written(f"{row.max_abs:.3g}", say),
                written(f"{row.worst_ratio:.3g}", say),
            )
    return table


def _cause_lines(replay: Replay, say: dict[str, str]) -> Iterator[str]:
    """The changed facts on which each differing side's bits depend, or a line that nothing changed."""
    differing = [row.side for row in replay.against_golden if row.differing]
    recorded = {row.side.removeprefix("golden/") for row in replay.formulas if "/" in row.side}
    if replay.operations and replay.differing:
        differing, recorded = ["torch"], {"torch"}
    for side in dict.fromkeys(differing):
        name = say.get(f"run.{side}", side)
        if side not in recorded:
            yield say["golden.other_side"].format(side=name)
            continue
        causes = [_cause(cause, say) for cause in replay.causes if cause.side == side]
        if causes:
            yield say["golden.causes"].format(side=name, causes="; ".join(causes))
        else:
            yield say["golden.no_cause"].format(side=name)


def _cause(cause: Cause, say: dict[str, str]) -> str:
    then, now = ("–" if value is None else str(value) for value in (cause.then, cause.now))
    return f"{say[f'golden.cause_{cause.fact}']}: {then} → {now}"


def divergence(replay: Replay, say: dict[str, str]) -> Iterator[str]:
    """The first number outside its bound, its side, and the command that reproduces it."""
    first, bit = replay.first_divergence, replay.first_difference
    if replay.first_wrong is not None:
        side, wrong, count = replay.first_wrong
        yield from wrong_lines(wrong, count, say)
        yield "  " + say["golden.was_so" if side.startswith("golden/") else "golden.is_so"]
    elif first is not None:
        yield from divergence_lines(first, replay.wrong_formulas, None, say)
        if first.gate == "certificate":
            key = "golden.was_so" if first.side.startswith("golden/") else "golden.is_so"
            yield "  " + say[key]
    elif replay.verdict == "mismatch" and bit is not None:
        index = f"[{','.join(map(str, bit.index))}]" if bit.index else ""
        yield say["golden.first_bit"].format(
            quantity=tensor_name(bit.quantity, bit.layer),
            index=index,
            side=bit.side,
            step=bit.step,
            golden=written(f"{bit.golden:.17g}", say),
            here=written(f"{bit.here:.17g}", say),
            ulps=written_ulps(bit.ulps, say),
        )
    if replay.verdict == "mismatch" and replay.reproduce:
        yield "  " + say["run.reproduce"].format(command=replay.reproduce)


def written_ulps(ulps: int | None, say: Mapping[str, str]) -> str:
    """A number of ulps as text; a dash if the formats differ."""
    return "–" if ulps is None else written(f"{ulps:,}", say)
