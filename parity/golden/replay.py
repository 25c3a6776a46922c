"""Replays a golden: checks that it still holds and that the current sides agree with it.

There are three gates, all with derived bounds. The golden's recorded numbers satisfy today's formulas,
and each of its steps starts where the last one ended. Each current side repeats every step from the
golden's inputs, and its formulas hold. The recorded and the repeated step lie inside one common bound.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal

import numpy as np

from parity.bounds.contract import contract
from parity.bounds.formats import arithmetic
from parity.errors import UsageError
from parity.golden import environment as causes
from parity.golden.format import Golden
from parity.golden.graph import StoredCase
from parity.golden.reader import read
from parity.golden.replay_script import replay_script
from parity.golden.rerun import TODAY, MakeSide, Today
from parity.golden.result import Cause, Replay
from parity.golden.script import ScriptGolden
from parity.lockstep.lockstep import Gates
from parity.lockstep.result import Divergence, Fact, FormulaRow, WrongFormula
from parity.lockstep.tally import Tally
from parity.render.texts.message import Message


def replay(
    path: Path | str,
    *,
    reference: bool = True,
    torch: bool = True,
    bitwise: bool = False,
    threads: int = 1,
    sides: Mapping[str, MakeSide] | None = None,
    reproduce: str | None = None,
) -> Replay:
    """Compare a golden with the current engine and the current PyTorch, unless one is left out.

    `bitwise` makes differing bits a mismatch, for use on the machine of the recording. `sides` replaces
    both by other implementations: callables, by name, that make a side with the parameters of a case.
    Raises UsageError for a file that is not a golden, EnvironmentUnfit if torch is needed and is
    missing or set to a lower precision. Without `torch`, PyTorch is not imported.
    """
    golden = read(Path(path))
    wanted = sides if sides is not None else chosen(reference=reference, torch=torch)
    return replay_golden(golden, str(path), wanted, bitwise=bitwise, threads=threads, reproduce=reproduce)


def chosen(*, reference: bool, torch: bool) -> dict[str, MakeSide]:
    """The current sides by name. Raises UsageError if both are left out."""
    wanted = {"reference": reference, "torch": torch}
    if not any(wanted.values()):
        raise UsageError(Message("replay_no_side"))
    return {name: TODAY[name] for name, is_wanted in wanted.items() if is_wanted}


def replay_golden(
    golden: Golden | ScriptGolden,
    name: str,
    sides: Mapping[str, MakeSide],
    *,
    bitwise: bool = False,
    threads: int = 1,
    reproduce: str | None = None,
) -> Replay:
    """As `replay`, for a golden that has been read already and the given sides."""
    if isinstance(golden, ScriptGolden):
        return replay_script(
            golden, name, torch="torch" in sides, bitwise=bitwise, threads=threads, reproduce=reproduce
        )
    strangers = [side for side in sides if side not in golden.sides]
    if bitwise and strangers:
        raise UsageError(Message("bitwise_no_bits", file=name, sides=", ".join(strangers)))
    with causes.fit(with_torch="torch" in sides, threads=threads) as facts:
        itself = _itself(golden)
        today = [_today(golden, side, make) for side, make in sides.items()]
        now = causes.facts(facts)
    return _verdict(golden, name, itself, today, now, bitwise=bitwise, reproduce=reproduce)


def _itself(golden: Golden) -> Tally:
    """The first gate: the golden's formulas, its continuity, and the cross-check of its two sides."""
    names = {side: f"golden/{side}" for side in golden.sides}
    gates = Gates(golden.case, list(names.values()), filtered=False)
    with np.errstate(all="ignore"):
        for step, traces in enumerate(golden.steps):
            named = {names[side]: trace for side, trace in traces.items()}
            batch = golden.case.architecture.samples(next(iter(traces.values()))["x"])
            gates.ask(step, named, batch, certified=True)
    return gates.tally


def _today(golden: Golden, side: str, make: MakeSide) -> Today:
    """The other two gates, for one of the current sides."""
    counterpart = side if side in golden.sides else golden.sides[0]
    recorded = [traces[counterpart] for traces in golden.steps]
    case = golden.case
    if isinstance(case, StoredCase):
        case = replace(case, recorded=recorded)
    today = Today(case, side, counterpart, make)
    for step, trace in enumerate(recorded):
        today.take(step, trace)
    return today


def _verdict(
    golden: Golden,
    name: str,
    itself: Tally,
    today: Sequence[Today],
    now: dict[str, Fact],
    *,
    bitwise: bool,
    reproduce: str | None,
) -> Replay:
    torch_side: Literal["twin", "calls"] = "calls" if isinstance(golden.case, StoredCase) else "twin"
    tallies = [itself, *(side.tally for side in today)]
    differing = sum(side.differing for side in today)
    first, rows = _first(tallies), [row for tally in tallies for row in tally.formula_rows()]
    differences = [side.first_difference for side in today if side.first_difference]
    return Replay(
        golden=name,
        digest=golden.digest,
        verdict="mismatch" if bitwise and differing else _gravest(tallies),
        steps=len(golden.steps),
        bitwise=bitwise,
        tensors_compared=sum(tally.tensors for tally in tallies),
        numbers_compared=sum(tally.numbers for tally in tallies),
        undecided=sum(tally.undecided for tally in tallies),
        bits_compared=sum(side.numbers for side in today),
        differing=differing,
        first_divergence=first,
        first_difference=min(differences, key=lambda found: found.step, default=None),
        formulas=rows,
        against_golden=[row for side in today for row in side.rows()],
        wrong_formulas=[w for tally in tallies for w in tally.wrong_formulas()] or _changed(first, rows),
        causes=[
            Cause(side=side.side, fact=fact, then=before, now=after)
            for side in today
            for fact, (before, after) in causes.changes(side.side, golden.environment, now).items()
        ],
        reproduce=reproduce,
        contract=contract(arithmetic(golden.case.architecture.dtype)),
        recorded=golden.environment,
        environment=now,
        config=golden.config.to_json(),
        torch_side=torch_side if "torch" in {side.side for side in today} else None,
    )


def _gravest(tallies: Sequence[Tally]) -> Literal["match", "mismatch", "undecided"]:
    """The worst verdict of several tallies."""
    verdicts = {tally.verdict for tally in tallies}
    if "mismatch" in verdicts:
        return "mismatch"
    return "undecided" if "undecided" in verdicts else "match"


def _first(tallies: Sequence[Tally]) -> Divergence | None:
    """The divergence of the earliest step; in one step the golden's own first, then wrong formulas."""
    found = [tally.first for tally in tallies if tally.first]
    return min(found, key=lambda first: first.step, default=None)


def _changed(first: Divergence | None, rows: Sequence[FormulaRow]) -> list[WrongFormula]:
    """The formula that the golden and the current code compute differently although each holds by itself.

    This happens, for example, if f′ was changed and the golden's numbers are still an admitted form.
    """
    if first is None:
        return []
    other = {row.layer for row in rows if row.formula == first.formula and row.verdict == "other-form"}
    layers = sorted({first.layer, *other})
    return [WrongFormula(formula=first.formula, layers=layers, slide=first.slide, side=first.side)]
