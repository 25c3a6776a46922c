"""Goldens of graphs: what a recorded model needs besides its tensors, so that no code of it is run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from parity.config import names
from parity.config.case import Case
from parity.config.config import Config
from parity.lockstep.lockstep import Given, Reference
from parity.lockstep.run import Predict, TorchSide
from parity.lockstep.tracefile import Facts
from parity.pytorch.imported.model import ImportedModel
from parity.pytorch.imported.stored import of_json, to_json
from reference.arrays import Array
from reference.engine import Network
from reference.model import Model
from reference.trace import Trace

if TYPE_CHECKING:
    from reference.architecture import Architecture
    from reference.engine import Network


@dataclass(frozen=True)
class StoredCase(Case):
    """The case of a stored graph: its batches are the recorded ones, and so is whatever else is given."""

    recorded: Sequence[Trace] = ()

    def batches(self) -> Iterator[tuple[Array, Array]]:
        """The recorded batches."""
        yield from ((trace["x"], trace["y"]) for trace in self.recorded)

    def given(self) -> Given:
        """What the steps were given besides x and y, one step after the other."""
        kept = {*self.architecture.statistics, "x", "y"}
        wanted = [name for name in self.architecture.example(0) if name not in kept]
        steps = iter(self.recorded)

        def of_next_step(x: Array, y: Array) -> Mapping[str, Array]:
            del x, y
            trace = next(steps)
            return {name: trace[name] for name in wanted}

        return of_next_step


def graph_facts(model: Model) -> Facts:
    """A graph as a file stores it; nothing for a chain, which its config describes."""
    return {"graph": to_json(model)} if isinstance(model, ImportedModel) else {}


def graph_lines(case: Case) -> list[str]:
    """The operations of a graph, one a line; none for a chain."""
    if not isinstance(case.architecture, ImportedModel):
        return []
    found = []
    for node in case.architecture.graph.nodes:
        if node.operation:
            parents = ", ".join(parent.name if parent else "-" for parent in node.parents)
            path = case.architecture.paths.get(node.name, "")  # what stops a gradient is nobody's
            found.append(f"{node.name} = {node.operation.name}({parents})  {path}".rstrip())
    return found


def stored_case(facts: Facts, config: Config, traces: Sequence[Trace]) -> StoredCase:
    """The case of a golden's graph and of one side's traces. Raises ValueError if its graph is damaged."""
    optimizer = names.optimizer_of(config.training.optimizer)
    model = of_json(facts["graph"], traces[0], optimizer)
    start = {name: traces[0][name] for name in (*model.parameter_shapes(), *model.statistics)}
    return StoredCase(
        cast("Architecture", model),
        start,
        traces[0]["x"],
        traces[0]["y"],
        lr=config.training.lr or optimizer.lr,
        steps=len(traces),
        batch=config.training.batch or 0,
        seed=config.training.seed,
        data="golden",
        findings=tuple(config.training.accept),
        recorded=traces,
    )


def reference_side(case: Case) -> Reference:
    """The current engine; of a stored graph it is given what the recorded steps were given."""
    return Reference(case, case.given() if isinstance(case, StoredCase) else None)


def torch_side(case: Case) -> TorchSide:
    """PyTorch's side: the chain's twin, or a stored graph's calls. PyTorch is imported only here."""
    if isinstance(case, StoredCase):
        from parity.pytorch.imported.again import StoredSide

        model = cast("ImportedModel", case.architecture)
        return StoredSide(model, case.parameters, case.lr, case.given())
    from parity.pytorch.twin import Twin

    return Twin(case.architecture, case.parameters, case.lr)


@dataclass(frozen=True)
class StoredPeer:
    """A stored graph in the place of a user's model: it is recorded again without the model's code."""

    config: Config
    case: StoredCase
    name: str = "golden"

    @property
    def paths(self) -> Mapping[str, str]:
        """Where in the model a node is: the module of an operation, the path of a parameter."""
        return cast("ImportedModel", self.case.architecture).places

    @property
    def given(self) -> Given:
        """What the recorded steps were given."""
        return self.case.given()

    def predicts(self, network: Network) -> Predict:
        """ŷ by the reference."""
        return network.forward

    def resolve(self, config: Config) -> tuple[Config, Case]:
        """The stored case: a stored graph has no other."""
        return config, self.case

    def side(self, case: Case) -> TorchSide:
        """The recorded calls."""
        return torch_side(case)
