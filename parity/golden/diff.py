"""Where two saved runs first differ: in bits, and beyond what rounding explains.

Every step of both runs is judged twice. Certificates: each run's formulas hold on its own recorded
inputs. Cross-check: both runs lie inside the one bound that admits them both, from where they stand at
the start of the step, so what an earlier step has added is not counted again. Two runs that start from
other numbers differ in what they were given, which no rounding explains.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from parity.bounds.contract import contract
from parity.bounds.formats import arithmetic
from parity.certify.certificate import Certifier
from parity.certify.continuity import Continuity
from parity.certify.cross_check import starts
from parity.certify.step import CheckedStep
from parity.config.config import Config
from parity.errors import UsageError
from parity.golden import bits, saved
from parity.golden import environment as causes
from parity.golden.diff_result import ChangedFact, Diff, DiffRow, FirstBits
from parity.golden.diff_text import GIVEN
from parity.golden.saved import SavedRun
from parity.lockstep.result import Divergence
from parity.lockstep.tally import Tally
from parity.lockstep.threads import limited
from parity.render.texts.message import Message
from reference.arrays import Array
from reference.equations import constants
from reference.trace import Trace, split

RUNS = ("A", "B")


def diff(a: Path | str, b: Path | str, *, side: str | None = None) -> Diff:
    """Compare two saved runs: goldens, or trace files of `parity run --trace`.

    `side` compares that side alone. Raises UsageError for a file that is no saved run, for runs of
    different networks, and for runs that have no step or side in common.
    """
    runs = saved.read(Path(a)), saved.read(Path(b))
    _check_alike(*runs)
    sides = [name for name in runs[0].sides if name in runs[1].sides and side in (None, name)]
    steps = [step for step in runs[0].steps if step in runs[1].steps]
    if not sides or not steps:
        known = "; ".join(", ".join(run.sides) for run in runs)
        raise UsageError(Message("diff_nothing", a=runs[0].name, b=runs[1].name, sides=known))
    with limited(1):
        compared = [_Compared(name, runs) for name in sides]
        for step in steps:
            for one in compared:
                one.take(step)
    return _result(runs, compared, steps)


def _check_alike(a: SavedRun, b: SavedRun) -> None:
    """Refuse runs whose formulas or sizes are not the same: a difference would say nothing."""
    networks = [_network(run) for run in (a, b)]
    other = [key for key, value in networks[0].items() if networks[1].get(key) != value]
    if other:
        raise UsageError(Message("diff_other_network", a=a.name, b=b.name, keys=", ".join(other)))


def _network(run: SavedRun) -> dict[str, object]:
    """What two runs must have in common to be compared."""
    tables = {key: run.config[key] for key in ("network", "training") if key in run.config}
    config = Config.model_validate(tables)
    table = config.training
    shapes = {name: tuple(shape) for name, shape in run.architecture.parameter_shapes().items()}
    return {
        "layers": shapes,
        "activation": config.network.activation,
        "dtype": config.network.dtype,
        "loss": table.loss,
        "optimizer": table.optimizer,
        "clip": table.clip,
        "lr": run.lr,
    }


@dataclass
class _TensorRow:
    numbers: int = 0
    differing: int = 0
    ulps: int | None = None
    max_abs: float = 0.0


@dataclass
class _Compared:
    """One side of both runs, step by step: certificates, cross-checks, and bits."""

    side: str
    runs: tuple[SavedRun, SavedRun]
    tally: Tally = field(default_factory=Tally)
    first: FirstBits | None = None
    given: Divergence | None = None
    rows: dict[tuple[str, int | None], _TensorRow] = field(default_factory=dict)

    def __post_init__(self) -> None:
        run = self.runs[0]
        # Accepted deviations are PyTorch's: no other side is allowed them.
        findings = () if self.side == "reference" else run.findings
        self._certifier = Certifier(run.architecture, findings=findings)
        self._starts = starts(self._certifier.equations)
        self._stood: tuple[int, list[Continuity]] | None = None

    def take(self, step: int) -> None:
        """Judge one step of both runs."""
        run = self.runs[0]
        traces = {
            f"{name}/{self.side}": one.steps[step][self.side]
            for name, one in zip(RUNS, self.runs, strict=True)
        }
        batch = run.architecture.samples(next(iter(traces.values()))["x"])
        known = constants(run.architecture, batch, run.lr, step + 1)
        broken = self._followed(step, traces)
        fresh = self._stood is None
        with np.errstate(all="ignore"):
            self._look(step, [*traces.values()], given=True, fresh=fresh)
            certifiers = dict.fromkeys(traces, self._certifier)
            self.tally.enter(step, CheckedStep(traces, known, certifiers, broken), self._certifier)
            self._look(step, [*traces.values()], given=False)
        self._stood = (step, self._standing)

    def _followed(self, step: int, traces: Mapping[str, Trace]) -> dict[str, dict[str, Message]]:
        """What of a step does not start where the step before ended, if that one was saved."""
        follows = self._stood is not None and self._stood[0] == step - 1
        if follows and self._stood is not None:
            self._standing = self._stood[1]
        else:
            self._standing = [
                Continuity({name: trace[name] for name in self._starts if f"{name}_next" in trace})
                for trace in traces.values()
            ]
        pairs = zip(traces.items(), self._standing, strict=True)
        return {side: one.follow(trace) for (side, trace), one in pairs}

    def _look(self, step: int, traces: Sequence[Trace], *, given: bool, fresh: bool = False) -> None:
        """Compare bits: of what the step was given, or of what its formulas made."""
        a, b = traces
        for name in self._starts if given else [e.makes for e in self._certifier.equations]:
            if name not in a or name not in b or a[name].shape != b[name].shape:
                continue
            carried = given and f"{name}_next" in a and not fresh
            if carried or a[name].dtype != b[name].dtype:  # the step before has counted it already
                continue
            found = self._note(step, name, a[name], b[name], given=given)
            if given and found is not None and self.given is None:
                self.given = _given(step, self.side, name, found)

    def _note(self, step: int, name: str, a: Array, b: Array, *, given: bool) -> FirstBits | None:
        quantity, layer = split(name)
        row = self.rows.setdefault((quantity, layer), _TensorRow())
        row.numbers += a.size
        if a.dtype.kind != "f":
            differing = np.argwhere(np.atleast_1d(a != b))
            found = bits.Bits(len(differing), tuple(map(int, differing[0])) if len(differing) else None)
        else:
            found = bits.compare(a, b)
        row.differing += found.differing
        if found.index is None:
            return None
        if found.ulps is not None:
            row.ulps = max(row.ulps or 0, found.ulps)
        index = found.index if a.ndim else ()
        apart = np.abs(np.asarray(a, np.float64) - np.asarray(b, np.float64))
        row.max_abs = max(row.max_abs, float(np.nanmax(apart)) if not np.isnan(apart).all() else 0.0)
        first = FirstBits(
            step=step,
            side=self.side,
            quantity=quantity,
            layer=layer,
            index=list(index),
            a=float(a[index]),
            b=float(b[index]),
            ulps=found.ulps,
            given=given,
        )
        self.first = self.first or first
        return first

    def tensors(self) -> Iterator[DiffRow]:
        """The tensors that differ, in the order of execution."""
        for (quantity, layer), row in self.rows.items():
            if row.differing:
                facts = {"numbers": row.numbers, "differing": row.differing, "ulps": row.ulps}
                yield DiffRow(side=self.side, quantity=quantity, layer=layer, max_abs=row.max_abs, **facts)


def _given(step: int, side: str, name: str, found: FirstBits) -> Divergence:
    """Two runs that were given other numbers: nothing that rounding could explain."""
    return Divergence(
        step=step,
        side=f"{RUNS[1]}/{side}",
        formula=GIVEN,
        slide=0,
        layer=found.layer or 0,
        quantity=found.quantity,
        index=found.index,
        observed=found.b,
        expected=found.a,
        error=abs(found.b - found.a),
        bound=0.0,
        gate="side-by-side",
        complaint=Message("diff_given", name=name),
    )


def _result(runs: tuple[SavedRun, SavedRun], compared: Sequence[_Compared], steps: Sequence[int]) -> Diff:
    a, b = runs
    tallies = [one.tally for one in compared]
    verdicts = {tally.verdict for tally in tallies}
    divergences = [d for one in compared for d in (one.given, one.tally.first) if d]
    firsts = [one.first for one in compared if one.first]
    wrong = "mismatch" in verdicts or any(one.given for one in compared)
    return Diff(
        a=a.name,
        b=b.name,
        verdict="mismatch" if wrong else "undecided" if "undecided" in verdicts else "match",
        sides=[one.side for one in compared],
        steps=len(steps),
        only_a=len(a.steps) - len(steps),
        only_b=len(b.steps) - len(steps),
        tensors_compared=sum(tally.tensors for tally in tallies),
        numbers_compared=sum(tally.numbers for tally in tallies),
        undecided=sum(tally.undecided for tally in tallies),
        bits_compared=sum(row.numbers for one in compared for row in one.rows.values()),
        differing=sum(row.differing for one in compared for row in one.rows.values()),
        first_difference=min(firsts, key=lambda found: (found.step, not found.given), default=None),
        first_divergence=min(divergences, key=lambda found: found.step, default=None),
        formulas=[row for tally in tallies for row in tally.formula_rows()],
        tensors=[row for one in compared for row in one.tensors()],
        wrong_formulas=[wrong for tally in tallies for wrong in tally.wrong_formulas()],
        causes=[
            ChangedFact(side=one.side, fact=fact, a=then, b=now)
            for one in compared
            for fact, (then, now) in causes.changes(one.side, a.environment, b.environment).items()
        ],
        contract=contract(arithmetic(a.architecture.dtype)),
        environment_a=dict(a.environment),
        environment_b=dict(b.environment),
    )
