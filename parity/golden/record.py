"""Records goldens, only of runs in which every formula holds, and updates those outside their bounds."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeAlias

from parity.config.case import Case
from parity.config.config import Config
from parity.errors import UsageError
from parity.golden import environment as causes
from parity.golden.format import MAX_BYTES, MAX_HEADER, SCHEMA, SUFFIX, sidecar, write
from parity.golden.reader import read
from parity.golden.replay import chosen, replay_golden
from parity.golden.result import Replay
from parity.golden.text import show_recorded
from parity.lockstep.lockstep import Observer, TrainingStep
from parity.lockstep.result import Result
from parity.lockstep.run import run
from parity.lockstep.tracefile import Facts, step_bytes
from parity.render.files import writable
from parity.render.outcome import Outcome, Pages
from reference.equations import shapes
from reference.trace import Trace

if TYPE_CHECKING:
    from rich.console import Console

STEPS = 5
"""Default number of steps of a golden: enough to use every formula, and small enough to review."""
NAMED = 128
"""Upper bound of a header's bytes for one tensor: name, dtype, shape, offsets."""


Became: TypeAlias = Literal["recorded", "updated", "unchanged", "refused"]


@dataclass(frozen=True)
class RecordedGolden(Outcome):
    """The outcome for a golden: recorded, updated, unchanged, or refused because the run does not hold.

    `result` is the run that was recorded or refused; `replay` the replay of the existing golden;
    `changed` the keys of its config that the new config changes.
    """

    path: Path
    outcome: Became
    digest: str | None = None
    result: Result | None = None
    replay: Replay | None = None
    changed: tuple[str, ...] = ()
    _pages: Pages | None = field(default=None, compare=False, repr=False)

    @property
    def verdict(self) -> str:
        """`match`, or the verdict of the refused run."""
        return self.result.verdict if self.outcome == "refused" and self.result else "match"

    def show(self, out: Console, lang: str = "en") -> None:
        """Print the outcome and the reasons."""
        show_recorded(self, out, lang)

    def to_json(self) -> str:
        """The golden's name and digest, the outcome, and the run's result if there is one, as JSON."""
        facts = {"golden": str(self.path), "outcome": self.outcome, "digest": self.digest}
        run = json.loads(self.result.to_json()) if self.result else None
        return json.dumps(facts | {"changed": self.changed, "result": run}, indent=2, ensure_ascii=False)

    @property
    def exit_code(self) -> int:
        """0, or the exit code of the refused run."""
        return self.result.exit_code if self.outcome == "refused" and self.result else 0


def record(
    config: Config,
    path: Path | str,
    *,
    torch: bool = True,
    threads: int = 1,
    observers: Callable[[Case], Sequence[Observer]] = lambda case: (),
    reproduce: str | None = None,
) -> RecordedGolden:
    """Record the run of a config as a new golden, if every formula in it holds.

    Without `torch` only the reference's side is recorded, and PyTorch is not imported. Steps default
    to `STEPS`. Raises UsageError if the file exists or the golden would be too large.
    """
    path = Path(path)
    place(path)
    if path.exists():
        raise UsageError(f"{path}: exists; a golden is never overwritten (--update changes one if it must)")
    return _freeze(config, path, torch=torch, threads=threads, observers=observers, reproduce=reproduce)


def update(
    path: Path | str,
    config: Config | None = None,
    *,
    torch: bool = True,
    threads: int = 1,
    observers: Callable[[Case], Sequence[Observer]] = lambda case: (),
) -> RecordedGolden:
    """Record a golden again if it is outside its bounds or if `config` differs from the recorded one.

    A missing golden is recorded. An update records the same sides as before. Raises UsageError for a
    file that is not a golden, and if it has PyTorch's side but `torch` is False.
    """
    path = Path(path)
    place(path)
    if not path.exists():
        if config is None:
            raise UsageError(f"{path}: there is no golden to update")
        return _freeze(config, path, torch=torch, threads=threads, observers=observers)
    golden = read(path)
    changed = () if config is None else changed_keys(with_steps(config), golden.config)
    replayed = None
    if not changed:
        sides = chosen(reference=True, torch=torch and "torch" in golden.sides)
        replayed = replay_golden(golden, str(path), sides, threads=threads)
        if replayed.verdict == "match":
            return RecordedGolden(path, "unchanged", golden.digest, replay=replayed)
    has_torch = "torch" in golden.sides
    if has_torch and not torch:
        raise UsageError(
            f"{path}: needs to be recorded anew, and holds PyTorch's side: leave out --no-torch"
        )
    wanted = config if config is not None and changed else golden.config
    made = _freeze(wanted, path, torch=has_torch, threads=threads, observers=observers)
    outcome: Became = "refused" if made.outcome == "refused" else "updated"
    return replace(made, outcome=outcome, replay=replayed, changed=changed)


def place(path: Path) -> None:
    """Check a golden's path before the run. Raises UsageError."""
    if path.suffix != SUFFIX:
        raise UsageError(f"{path}: a golden's name ends in {SUFFIX} (its sidecar's in .json)")
    for file in (path, sidecar(path)):
        writable(str(file))


def with_steps(config: Config) -> Config:
    """The config with its number of steps set, by default to `STEPS`."""
    if config.training.steps is not None:
        return config
    return config.model_copy(update={"training": config.training.model_copy(update={"steps": STEPS})})


def changed_keys(wanted: Config, recorded: Config) -> tuple[str, ...]:
    """The keys that a config sets to values other than the recorded ones; missing keys are ignored."""
    wanted_json, recorded_json = wanted.model_dump(mode="json"), recorded.model_dump(mode="json")
    return tuple(
        f"{table}.{key}"
        for table, entries in wanted_json.items()
        for key, value in entries.items()
        if value is not None
        and _spread(value, recorded) != _spread(recorded_json[table].get(key), recorded)
    )


def _spread(value: object, recorded: Config) -> object:
    """A list of equal activations, one per layer, as the single activation that it is equivalent to."""
    depth = len(recorded.network.layers or []) - 1
    same = isinstance(value, list) and len(value) == depth and all(v == value[0] for v in value)
    return value[0] if same and isinstance(value, list) else value


class _Keeper:
    """An observer that keeps every step of every side."""

    def __init__(self, case: Case, sides: int) -> None:
        """Create the observer. Raises UsageError if the golden would be too large."""
        self.case = case
        self.steps: list[dict[str, Trace]] = []
        named = NAMED * len(shapes(case.architecture, batch=1)) * sides
        fit = min(MAX_BYTES // step_bytes(case, sides), MAX_HEADER // named)
        if case.steps > fit:
            hint = f"give --steps {fit} or fewer" if fit else "take a smaller network or batch"
            raise UsageError(f"a golden keeps every step, and these are too many or too large: {hint}")

    def __call__(self, seen: TrainingStep) -> None:
        self.steps.append({side: trace.kept() for side, trace in seen.traces.items()})


def _freeze(
    config: Config,
    path: Path,
    *,
    torch: bool,
    threads: int,
    observers: Callable[[Case], Sequence[Observer]],
    reproduce: str | None = None,
) -> RecordedGolden:
    """Run the config, and write the recorded steps if the run holds."""
    keepers: list[_Keeper] = []

    def watching(case: Case) -> list[Observer]:
        keepers.append(_Keeper(case, sides=2 if torch else 1))
        return [*keepers, *observers(case)]

    config = with_steps(config)
    result = run(config, watching, threads=threads, torch=torch, reproduce=reproduce)
    if result.verdict != "match":
        return RecordedGolden(path, "refused", result=result)
    keeper = keepers[0]
    facts: Facts = {
        "schema": SCHEMA,
        "config": _resolved(config, keeper.case).to_json(),
        "environment": dict(causes.facts(result.environment)),
        "seed": keeper.case.seed,
        "sides": list(keeper.steps[0]),
        "steps": len(keeper.steps),
    }
    return RecordedGolden(path, "recorded", write(path, facts, keeper.steps), result)


def _resolved(config: Config, case: Case) -> Config:
    """The config with the defaults of its data filled in."""
    network = config.network.model_copy(update={"layers": list(case.architecture.layers)})
    training = config.training.model_copy(
        update={"lr": case.lr, "steps": case.steps, "batch": case.batch, "seed": case.seed}
    )
    return config.model_copy(update={"network": network, "training": training})
