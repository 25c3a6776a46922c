"""The convention card: every choice that decides a number."""

from __future__ import annotations

from markupsafe import Markup

from parity.explain import Inspector
from parity.lockstep.result import Result
from parity.report.bilingual import has, say
from parity.report.recording import Recording
from reference.architecture import Architecture


def facts(inspector: Inspector, result: Result, recording: Recording) -> list[tuple[Markup, Markup]]:
    """Names and values, in both languages."""
    of, contract, environment = inspector.architecture, result.contract, result.environment
    sizes = {of.samples(trace["x"]) for traces in recording.steps.values() for trace in traces.values()}
    batch = min(sizes) if sizes else 0
    versions = ", ".join(
        f"{k} {environment[k]}" for k in ("python", "numpy", "torch") if environment.get(k)
    )
    training = result.config.get("training")
    seed = training.get("seed") if isinstance(training, dict) else None
    truth = str(contract.get("truth"))
    optimizer: dict[str, object] = {"optimizer": of.optimizer.source}
    count = sum(node.operation is not None for node in of.graph.nodes)
    network: dict[str, dict[str, object]] = {"model": {"name": result.config.get("model"), "count": count}}
    learning: dict[str, dict[str, object]] = {"optimizer": optimizer}
    if isinstance(of, Architecture):
        network, learning = _layered(of, batch), {"loss": {"loss": of.loss.source} | optimizer}
    values: dict[str, dict[str, object]] = {
        **network,
        "training": {"lr": inspector.lr, "steps": result.steps, "seed": seed},
        **learning,
        "dtype": {"dtype": contract.get("number_format"), "u": contract.get("unit_roundoff")},
        "contract": {"truth": say(f"card.truth_{truth}") if has(f"card.truth_{truth}") else truth},
    }
    if versions:
        values["versions"] = {"versions": versions}
    unseeded = {"training": "card.training_unseeded"} if seed is None else {}
    return [
        (say(f"card.{key}"), say(unseeded.get(key, f"card.{key}_is"), **v)) for key, v in values.items()
    ]


def _layered(of: Architecture, batch: int) -> dict[str, dict[str, object]]:
    """The choices of a layered network."""
    activations = ", ".join(dict.fromkeys(f.name for f in of.activations))
    return {
        "network": {"layers": of.title, "activations": activations},
        "n": {"outputs": of.layers[-1], "batch": batch, "n": of.n(batch), "reduction": of.reduction},
        "batch_axis": {"batch": batch},
        "weights": {"out": of.layers[1], "in_": of.layers[0]},
    }
