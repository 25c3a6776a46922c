"""Every record of the table of operations, held against PyTorch, against differences and against faults."""

from collections import defaultdict

import numpy as np
import pytest

from parity.pytorch.deviations import DEVIATIONS
from reference.operation import Operation
from reference.operations import OPERATIONS
from tests.reference.operations.differences import slopes
from tests.reference.operations.observed import (
    DTYPES,
    REGIMES,
    Run,
    overload_of,
    overloads,
    plain,
    runs,
    signature,
)
from tests.reference.operations.table import (
    engine,
    equations,
    evaluated,
    recorded,
    share,
    shares,
)

ELSEWHERE = {"lstm_layer", "grouped_product"}
"""What PyTorch has in float32 alone: see test_recurrent and test_experts."""

SAMPLED = {name: o for name, o in OPERATIONS.items() if o.samples and name not in ELSEWHERE}
every_record = pytest.mark.parametrize("operation", SAMPLED.values(), ids=SAMPLED)


FINDINGS = {
    ("hardsigmoid_input_gradient", "float64"): "hardsigmoid-float64",
    ("celu_input_gradient", "float64"): "celu-float64",
    ("binary_cross_entropy_input_gradient", "float64"): "bce-epsilon-float64",
    ("soft_margin_loss_input_gradient", "float32"): "soft-margin-overflow",
    ("soft_margin_loss_input_gradient", "float64"): "soft-margin-overflow",
}
"""What PyTorch is known to compute otherwise, by formula and format."""


@every_record
@pytest.mark.parametrize("dtype", DTYPES, ids=lambda d: np.dtype(d).name)
def test_pytorch_and_the_engine_are_within_the_bounds(operation: Operation, dtype: type) -> None:
    decided, deviating = 0, set()
    for regime in REGIMES:
        for run in runs(operation, dtype, regime):
            for side, (outputs, gradients) in {
                "pytorch": (run.outputs, run.gradients),
                "engine": engine(run),
            }.items():
                for found in shares(run, outputs, gradients):
                    finding = FINDINGS.get((found.formula.name, np.dtype(dtype).name))
                    if finding and side == "pytorch" and found.complaint:
                        deviating.add(finding)
                        continue
                    assert not found.complaint, (
                        f"{side} {run.title}: {found.formula.name} {found.complaint}"
                    )
                    decided += found.numbers - found.undecided
                if side == "engine":
                    assert_same_formats(run, outputs, gradients)
    assert decided or operation.given or not operation.operands
    formulas = {formula.name for formula in operation.vjps.values()}
    expected = {
        f for (name, kind), f in FINDINGS.items() if name in formulas and kind == np.dtype(dtype).name
    }
    assert deviating == expected <= set(DEVIATIONS)


def assert_same_formats(run: Run, outputs: dict, gradients: dict) -> None:
    for name, found in [*outputs.items(), *gradients.items()]:
        theirs = run.outputs[name] if name in run.outputs else run.gradients[name]
        for one, other in (
            zip(found, theirs, strict=True) if isinstance(found, tuple) else [(found, theirs)]
        ):
            if np.asarray(other).dtype.kind == "f":
                assert np.asarray(one).dtype == np.asarray(other).dtype, f"{run.title}: {name}"


NO_SLOPES = {"embedding": {"padding_idx", "scale_grad_by_freq"}}
"""Options with which PyTorch means another thing than the derivative, and says so."""


@every_record
def test_products_are_slopes(operation: Operation) -> None:
    resolved: dict[str, list[bool]] = defaultdict(list)
    for place, run in enumerate(runs(operation, np.float64, "normal")):
        if NO_SLOPES.get(operation.name, set()) & set(run.sample.options):
            continue
        with np.errstate(all="ignore"):
            for slope in slopes(run, np.random.default_rng(place)):
                assert slope.agrees, f"{run.title}: {slope}"
                if slope.product != 0:
                    resolved[slope.operand].append(slope.resolves)
    for operand, found in resolved.items():
        assert any(found), f"no difference resolves {operand}"


FAULTS = {
    "a part in 1024": lambda y: y * (1 + 2.0**-10),
    "sign": np.negative,
    "one number": lambda y: y + np.eye(1, y.size).reshape(y.shape) * (np.abs(y) + 1) * 2.0**-10,
}


@every_record
@pytest.mark.parametrize("fault", FAULTS)
def test_a_planted_fault_is_told(operation: Operation, fault: str) -> None:
    told: dict[str, bool] = {}
    for run in runs(operation, np.float64, "normal"):
        for formula, name, tensor, at in equations(run, run.outputs, run.gradients):
            chosen = name in operation.choices
            if np.asarray(tensor).dtype.kind != "f" or chosen or told.get(formula.name):
                continue
            with np.errstate(all="ignore"):
                wrong = FAULTS[fault](np.asarray(tensor))
            if np.array_equal(wrong, tensor, equal_nan=True):
                continue
            forms = evaluated(run, formula, run.outputs, recorded, at)
            told[formula.name] = bool(share(formula, name, wrong, forms).complaint)
    assert all(told.values()), [name for name, found in told.items() if not found]


@every_record
def test_no_option_is_passed_over(operation: Operation) -> None:
    """With an option's value exchanged for another sample's, some sample is not its formula."""
    assert operation.samples is not None
    values = defaultdict(set)
    for sample in operation.samples():
        for option, value in operation.settled(sample.options).items():
            values[option].add(value)
    for option, found in values.items():
        if found in ({True}, {False}, {None}):  # always the same: to be refused otherwise
            values[option] = {None, "float16"} if found == {None} else {True, False}
    waiting = {option for option in values if len(values[option]) > 1}
    for option in operation.options:
        assert option in waiting, f"no sample varies {option}"
    for run in runs(operation, np.float64, "normal"):
        for option in tuple(waiting):
            for value in values[option] - {run.options[option]}:
                if option in waiting and differs(run, option, value):
                    waiting.discard(option)
    assert not waiting


def differs(run: Run, option: str, value: object) -> bool:
    """Whether what PyTorch computed is not what the formulas make of another value of an option."""
    other = Run(run.operation, run.overload, run.sample, run.dtype, run.regime, run.operands, run.outputs)
    other.upstream, other.sample = run.upstream, type(run.sample)({}, {**run.sample.options, option: value})
    try:
        return any(found.complaint for found in shares(other, run.outputs, run.gradients))
    except (ValueError, IndexError, TypeError, AssertionError, ZeroDivisionError, KeyError):
        return True


@every_record
def test_a_record_is_well_formed(operation: Operation) -> None:
    assert operation.samples is not None
    used = {name for sample in operation.samples() for name in overloads(operation, sample)}
    assert used == set(operation.aten)
    known = {"g", "*g", *map(plain, operation.operands), *operation.forward}
    known |= {f"g_{output}" for output in operation.forward}
    for formula in (*operation.forward.values(), *operation.vjps.values()):
        assert formula.latex, formula.name
        assert set(formula.takes) <= known, formula.name
    assert set(operation.vjps) <= set(map(plain, operation.operands))
    assert operation.value in operation.forward
    for name, record in operation.aten.items():
        arguments, results = signature(record)
        schema = overload_of(name)._schema
        assert len(arguments) == len(schema.arguments), name
        assert len(results) == len(schema.returns), name
        assert set(arguments) <= {"-", *map(plain, operation.operands), *operation.options}, name
        assert set(results) <= {"-", *operation.forward}, name
