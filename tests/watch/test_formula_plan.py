"""Plans of watched formulas: they take the recorded decisions again, or leave a block to the rules."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from parity.bounds.formats import arithmetic
from parity.certify.certificate import bounded_constants
from parity.certify.plan.tape import UnplannableError
from parity.pytorch.recorder.data import Recorded
from parity.watch.compiled import PATIENCE, Accepting
from parity.watch.forms import by_rules
from parity.watch.formula_plan import FormulaCall, FormulaPlan
from reference.operation import bound
from reference.operations import OPERATIONS
from reference.optimizers import OPTIMIZERS

KIND = arithmetic("float32")
TABLE = {operation.name: operation for operation in OPERATIONS.values()}
RANDOM = np.random.default_rng(3)


def _formula(name, options):
    operation = TABLE[name]
    return bound(operation.forward[operation.value].function, options)


def _asked(form, *operands, divided=None, constants=None, plain=None):
    given = [Recorded.of(np.asarray(part, np.float32), "float32") for part in operands]
    wide = [one.array.astype(np.float64) for one in given]
    made = np.asarray(form(*wide, *(() if plain is None else (plain,)))).astype(np.float32)
    flags = divided or [True] * len(given)
    return FormulaCall(form, KIND, given, flags, Recorded.of(made, "float32"), constants)


def _by_rules(asked):
    return by_rules(asked.form, asked.operands, (), asked.observed, KIND, None, asked.constants)


def _normal(*shape):
    return RANDOM.standard_normal(shape)


def test_a_plan_says_what_the_rules_say_of_other_numbers():
    form = _formula("gelu", {"approximate": "none"})
    plan = FormulaPlan(_asked(form, _normal(7, 5)))
    for _ in range(5):
        asked = _asked(form, _normal(7, 5))
        assert plan.begin(asked)
        found, plain = plan.measured(asked), _by_rules(asked)
        assert found == plain
        assert found.worst.ratio > 0


def test_numbers_that_need_another_branch_are_left_to_the_rules():
    """x³ overflows in float32: the plan was recorded where nothing does."""
    form = _formula("gelu", {"approximate": "tanh"})
    plan = FormulaPlan(_asked(form, _normal(6)))
    asked = _asked(form, 1e25 * _normal(6))
    assert plan.begin(asked)
    assert plan.measured(asked) is None
    assert not plan.as_recorded
    assert _by_rules(asked).undecided == 6
    again = FormulaPlan(asked, plan.general)
    assert again.begin(asked)
    assert again.measured(asked) is None  # and one of that branch accepts nothing undecided


@pytest.mark.parametrize("wrong", [np.nan, np.inf, -np.inf, 0.0, 3.0])
def test_one_wrong_number_is_left_to_the_rules(wrong):
    form = _formula("silu", {})
    asked = _asked(form, 1 + np.abs(_normal(4, 9)))
    plan = FormulaPlan(asked)
    assert plan.begin(asked)
    assert plan.measured(asked) is not None
    shown = asked.observed.array.copy()
    shown[2, 7] = wrong
    changed = FormulaCall(form, KIND, asked.operands, asked.divided, Recorded.of(shown, "float32"), None)
    assert plan.measured(changed) is None
    assert plan.as_recorded
    assert _by_rules(changed).worst.index == (2, 7)


def test_what_blocks_share_is_taken_in_once_for_each_tensor():
    """Two tensors with other weights, in turn, through plans that write into the same memory."""
    product, scaled = _formula("mm", {}), _formula("multiply", {})
    first = _asked(product, _normal(3, 5), _normal(5, 4), divided=[True, False])
    second = _asked(scaled, _normal(3, 4), _normal(4), divided=[True, False])
    plans = [FormulaPlan(first), FormulaPlan(second)]
    for _ in range(3):
        matrix, vector = _normal(5, 4), _normal(4)
        tensors = [
            [_asked(product, _normal(3, 5), matrix, divided=[True, False]) for _ in range(2)],
            [_asked(scaled, _normal(3, 4), vector, divided=[True, False]) for _ in range(2)],
        ]
        for plan, blocks in zip(plans, tensors, strict=True):
            assert plan.begin(blocks[0])
            assert [plan.measured(block) for block in blocks] == [_by_rules(block) for block in blocks]


def test_an_optimizers_constants_and_its_count_of_steps_change():
    optimizer = OPTIMIZERS["adamw"].configured().of(matrix=True)
    rule = next(one for one in optimizer.rules if one.makes == "p")
    plan = None
    for t, lr in ((1, 1e-3), (2, 1e-3), (40, 2e-4)):
        numbers = {"lr": lr, "t": t, **optimizer.numbers, **optimizer.derive(lr, t)}
        constants = SimpleNamespace(**bounded_constants(KIND, numbers))
        state = _normal(8), _normal(8), np.abs(_normal(8))
        asked = _asked(rule.function, *state, constants=constants, plain=SimpleNamespace(**numbers))
        plan = plan or FormulaPlan(asked)
        assert plan.begin(asked)
        assert plan.measured(asked) == _by_rules(asked)


def test_a_formula_without_a_bound_has_no_plan():
    with pytest.raises(UnplannableError):
        FormulaPlan(_asked(lambda x: np.ones(6), _normal(6)))


def test_a_plan_is_recorded_only_when_blocks_come_again():
    form = _formula("tanh", {})
    found = [Accepting().measured(_asked(form, _normal(3, 11))) is not None for _ in range(PATIENCE + 3)]
    assert found == [False] * PATIENCE + [True] * 3
