"""Records goldens, only of runs in which every formula holds, and updates those outside their bounds."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from parity.config.case import Case
from parity.config.config import Config
from parity.errors import UsageError
from parity.golden import environment as causes
from parity.golden.format import MAX_BYTES, MAX_HEADER, NAMED, SCHEMA, Golden, new, place, write
from parity.golden.graph import StoredCase, StoredPeer, graph_facts, graph_lines
from parity.golden.reader import read
from parity.golden.replay import chosen, replay_golden
from parity.golden.result import Became, RecordedGolden
from parity.golden.script import ScriptGolden
from parity.lockstep import tracefile
from parity.lockstep.lockstep import Observer, TrainingStep
from parity.lockstep.run import Peer, run
from parity.lockstep.tracefile import Facts, step_bytes
from parity.render.texts.message import Message
from reference.equations import shapes
from reference.trace import Trace

STEPS = 5
"""Default number of steps of a golden: enough to use every formula, and small enough to review."""


def record(
    config: Config,
    path: Path | str,
    *,
    torch: bool = True,
    threads: int = 1,
    observers: Callable[[Case], Sequence[Observer]] = lambda case: (),
    reproduce: str | None = None,
    peer: Peer | None = None,
) -> RecordedGolden:
    """Record the run of a config as a new golden, if every formula in it holds.

    Without `torch` only the reference's side is recorded, and PyTorch is not imported. Steps default
    to `STEPS`. With a `peer`, the run is that of the user's model. Raises UsageError if the file exists
    or the golden would be too large.
    """
    path = Path(path)
    new(path)
    return _freeze(
        config, path, torch=torch, threads=threads, observers=observers, reproduce=reproduce, peer=peer
    )


def update(
    path: Path | str,
    config: Config | None = None,
    *,
    torch: bool = True,
    threads: int = 1,
    observers: Callable[[Case], Sequence[Observer]] = lambda case: (),
    peer: Peer | None = None,
) -> RecordedGolden:
    """Record a golden again if it is outside its bounds or if `config` differs from the recorded one.

    A missing golden is recorded. An update records the same sides as before; of a graph, without a
    `peer`, the stored one. Raises UsageError for a file that is not a golden, and if it has PyTorch's
    side but `torch` is False.
    """
    path = Path(path)
    place(path)
    if not path.exists():
        if config is None:
            raise UsageError(Message("no_golden_to_update", file=path))
        return _freeze(config, path, torch=torch, threads=threads, observers=observers, peer=peer)
    golden = read(path)
    if isinstance(golden, ScriptGolden):
        return _update_script(golden, path, config, torch=torch, threads=threads)
    changed = () if config is None else _changed(with_steps(config), golden, peer)
    replayed = None
    if not changed:
        sides = chosen(reference=True, torch=torch and "torch" in golden.sides)
        replayed = replay_golden(golden, str(path), sides, threads=threads)
        if replayed.verdict == "match":
            return RecordedGolden(path, "unchanged", golden.digest, replay=replayed)
    has_torch = "torch" in golden.sides
    if has_torch and not torch:
        raise UsageError(Message("golden_needs_torch", file=path))
    wanted = config if config is not None and changed else golden.config
    if peer is None and isinstance(golden.case, StoredCase) and not changed:
        peer = StoredPeer(golden.config, golden.case)
    elif peer is None and "model" in golden.facts:
        raise UsageError(Message("golden_needs_model", file=path))
    made = _freeze(wanted, path, torch=has_torch, threads=threads, observers=observers, peer=peer)
    outcome: Became = "refused" if made.outcome == "refused" else "updated"
    return replace(made, outcome=outcome, replay=replayed, changed=changed)


def _update_script(
    golden: ScriptGolden, path: Path, config: Config | None, *, torch: bool, threads: int
) -> RecordedGolden:
    """A watched script's golden is left alone inside its bounds, and never changed without the script."""
    if config is not None:
        raise UsageError(Message("golden_of_script", file=path))
    replayed = replay_golden(golden, str(path), chosen(reference=True, torch=torch), threads=threads)
    if replayed.verdict == "match":
        return RecordedGolden(path, "unchanged", golden.digest, replay=replayed)
    script = golden.facts.get("script")
    raise UsageError(Message("golden_script_outside", file=path, script=tracefile.shortened(script)))


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


def _changed(wanted: Config, golden: Golden, peer: Peer | None) -> tuple[str, ...]:
    """What a config, and a model if there is one, ask for otherwise than it was recorded."""
    if peer is None:
        return changed_keys(wanted, golden.config)
    resolved, case = peer.resolve(wanted)
    same = graph_facts(case.architecture).get("graph") == golden.facts.get("graph")
    return (*changed_keys(resolved, golden.config), *(() if same else ("model",)))


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
            raise UsageError(Message("golden_fewer_steps" if fit else "golden_smaller", steps=fit))

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
    peer: Peer | None = None,
) -> RecordedGolden:
    """Run the config, and write the recorded steps if the run holds."""
    if peer is not None and not torch and not isinstance(peer, StoredPeer):
        raise UsageError(Message("record_model_torch"))
    keepers: list[_Keeper] = []

    def watching(case: Case) -> list[Observer]:
        keepers.append(_Keeper(case, sides=2 if torch else 1))
        return [*keepers, *observers(case)]

    config = with_steps(config)
    result = run(config, watching, threads=threads, torch=torch, reproduce=reproduce, peer=peer)
    if result.verdict != "match":
        return RecordedGolden(path, "refused", result=result)
    keeper = keepers[0]
    facts: Facts = {
        "schema": SCHEMA,
        "config": _resolved(peer.resolve(config)[0] if peer else config, keeper.case).to_json(),
        "environment": dict(causes.facts(result.environment)),
        "seed": keeper.case.seed,
        "sides": list(keeper.steps[0]),
        "steps": len(keeper.steps),
        **({"model": peer.name} if peer else {}),
        **graph_facts(keeper.case.architecture),
    }
    digest = write(path, facts, keeper.steps, graph_lines(keeper.case))
    return RecordedGolden(path, "recorded", digest, result)


def _resolved(config: Config, case: Case) -> Config:
    """The config with the defaults of its data filled in."""
    layers = getattr(case.architecture, "layers", None)  # a graph has none
    network = config.network.model_copy(update={"layers": layers and list(layers)})
    batch = case.batch if config.training.batch is None else config.training.batch
    training = config.training.model_copy(
        update={"lr": case.lr, "steps": case.steps, "batch": batch, "seed": case.seed}
    )
    return config.model_copy(update={"network": network, "training": training})
