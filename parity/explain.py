"""One number of a trace worked out by hand: its formula, the numbers in it, and its rounding bound."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from safetensors import SafetensorError, safe_open

from parity.anatomy import anatomy, kind, symbol
from parity.arithmetic import arithmetic
from parity.case import Case
from parity.errors import QuestionError
from parity.evidence import Observation, Scenario
from reference.architecture import Architecture, architecture
from reference.network import Network
from reference.trace import Trace

_ASKED = re.compile(r"\s*([A-Za-z]+\d*(?:_next)?)\s*(?:\[\s*(\d+)\s*,\s*(\d+)\s*\])?\s*")


@dataclass(frozen=True)
class Question:
    """A tensor and an index: `delta2[1,0]`. No index asks for the number that is largest."""

    name: str
    index: tuple[int, ...] | None


@dataclass(frozen=True)
class Recorded:
    """One step of one side, and the network that it is a step of."""

    architecture: Architecture
    lr: float
    trace: Trace


@dataclass(frozen=True)
class Explanation:
    """One number. `formula` and `work` are empty for what is given and has no formula."""

    where: str
    formula_name: str
    slide: int
    layer: int
    formula: str
    work: str
    observed: float
    expected: float
    bound: float


def parse(text: str) -> Question:
    """Raises QuestionError for what is no tensor with an index."""
    match = _ASKED.fullmatch(text)
    if not match:
        raise QuestionError(f"explain {text}: expected a tensor and an index, like delta2[1,0]")
    name, row, column = match.groups()
    return Question(name, (int(row), int(column)) if row is not None else None)


def explain(recorded: Recorded, question: Question) -> Explanation:
    """A number of a trace. Raises QuestionError where there is no such tensor, index or formula."""
    shape, trace = recorded.architecture, recorded.trace
    given = Trace({n: trace[n] for n in ("x", "y", *shape.parameter_shapes()) if n in trace})
    shown = Trace({n: tensor for n, tensor in trace.items() if n not in given})
    observation = Observation(shape, recorded.lr, given, shown)
    name = question.name
    if name in given:
        raise QuestionError(f"explain {name}: is given to the step, not made by it")
    if name not in shown or name not in observation.equations:
        known = ", ".join(n for n in observation.equations if n in shown)
        raise QuestionError(f"explain {name}: there is no such tensor here; known: {known}")
    index = _index(shown[name].shape, question, int(np.argmax(np.abs(shown[name]))))
    equation = observation.equations[name]
    judge = arithmetic(shape.dtype)
    scenario = Scenario(observation, judge)
    with np.errstate(all="ignore"), judge.precision():
        try:
            truth = scenario.predict(equation)
            parts = scenario.opened(equation)
        except KeyError as error:
            raise QuestionError(f"explain {name}: the trace does not hold {error}") from None
        body = anatomy(equation)
        where = symbol(name) + (f"[{','.join(map(str, index))}]" if index else "")
        return Explanation(
            where,
            "hidden_delta" if kind(equation) == "backpropagated" else kind(equation),
            equation.formula.slide,
            equation.layer,
            f"{symbol(name)} = {body.text(parts)}",
            body.work(parts, index),
            float(shown[name][index]),
            float(judge.lower(np.asarray(truth.value))[index]),
            float(np.broadcast_to(truth.carried, truth.shape)[index]),
        )


def _index(shape: tuple[int, ...], question: Question, largest: int) -> tuple[int, ...]:
    index = question.index
    if index is None or not shape:
        if index is not None:
            raise QuestionError(f"explain {question.name}: is one number; it has no index")
        return tuple(int(i) for i in np.unravel_index(largest, shape))
    if any(i >= n for i, n in zip(index, shape, strict=True)):
        raise QuestionError(f"explain {question.name}{list(index)}: its shape is {shape}, from 0")
    return index


def walked(case: Case, step: int) -> Recorded:
    """The deck's engine at one step of a case. Raises QuestionError for a step that there is not."""
    network = Network(case.architecture, case.parameters)
    with np.errstate(all="ignore"):
        for number, (x, y) in enumerate(case.batches()):
            trace = network.step(x, y, case.lr)
            if number == step:
                return Recorded(case.architecture, case.lr, trace)
    raise QuestionError(f"--step {step}: the run ends before it")


def recorded(path: Path, step: int, side: str) -> Recorded:
    """A step of a side from a trace file. Raises QuestionError for a file that is none."""
    try:
        with safe_open(path, framework="numpy") as file:
            facts = json.loads((file.metadata() or {})["parity"])
            names = [key.split("/", 2) for key in file.keys()]  # noqa: SIM118 - no mapping
            own = {n: file.get_tensor(f"{s}/{w}/{n}") for s, w, n in names if (s, w) == (str(step), side)}
        config = facts["config"]
        network = config.get("network", {})
    except OSError as error:
        raise QuestionError(f"{path}: {error.strerror or error}") from None
    except (SafetensorError, KeyError, ValueError, TypeError, AttributeError):
        raise QuestionError(f"{path}: is no trace file") from None
    if not own:
        steps = sorted({int(s) for s, w, _ in names if w == side})
        held = f"steps {steps[0]} to {steps[-1]}" if steps else "nothing"
        raise QuestionError(f"{path}: holds {held} of side {side}, not step {step}")
    try:
        layers = tuple(int(size) for size in str(config["layers"]).split("-"))
        activation = network.get("activation", "sigmoid")
        names_of = tuple(activation) if isinstance(activation, list) else str(activation)
        loss = config.get("training", {}).get("loss", "mse")
        reduction = loss.get("reduction", "mean") if isinstance(loss, dict) else "mean"
        shape = architecture(layers, names_of, own["W1"].dtype, reduction)
        return Recorded(shape, float(config["lr"]), Trace(own))
    except (KeyError, ValueError, TypeError, AttributeError):
        raise QuestionError(f"{path}: does not say which network it is a trace of") from None
