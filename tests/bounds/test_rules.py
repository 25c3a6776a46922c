"""Every rule by brute force: each admissible result is inside the bound, and the bound is needed."""

from __future__ import annotations

import inspect
from pathlib import Path

import numpy as np
import pytest

from parity.bounds import RULES, Bounded, exact
from parity.bounds.formats import arithmetic
from tests.bounds import orders
from tests.bounds.case import search
from tests.bounds.cases import CASES
from tests.bounds.operands import KINDS
from tests.nightly import in_turn
from tests.reports.bounds import FAMILIES, one_line

FORMATS = (np.float32, np.float64)
NAMES = [f"{name}-{method}" for name, method in RULES]


def test_every_rule_has_a_case_and_says_where_it_is_from():
    assert set(CASES) == set(RULES)
    for rule in RULES.values():
        assert "Source:" in rule.function.__doc__


@pytest.mark.parametrize(
    ("key", "dtype"),
    in_turn(RULES, FORMATS),
    ids=lambda value: value.__name__ if isinstance(value, type) else "-".join(value),
)
def test_every_result_is_inside_and_the_bound_is_needed(key, dtype):
    case, found = CASES[key], search(CASES[key], dtype)
    assert found.worst <= 1, found
    assert found.numbers > 0
    assert found.undecided < found.numbers, found
    if case.multiple is None:
        assert found.exact == 0, found
    else:
        assert found.exact >= 1 / case.multiple, found


@pytest.mark.parametrize("key", RULES, ids=NAMES)
def test_balls_are_truths_too(key):
    found = search(CASES[key], np.float64, seed=1, truth="ball", kinds=("normal", "zeros"))
    assert found.worst <= 1, found
    assert found.numbers > 0


@pytest.mark.parametrize("dtype", FORMATS, ids=lambda dtype: dtype.__name__)
@pytest.mark.parametrize("n", [2, 1000])
def test_a_chain_of_additions_attains_gamma(dtype, n):
    judge, terms = arithmetic(dtype), orders.chain(dtype, n)
    total = np.add.reduce(exact(judge, terms), axis=0)
    product = exact(judge, terms) @ exact(judge, np.ones(n, dtype))
    lost = np.abs(judge.lift(orders.in_sequence(terms)) - total.value)
    assert 0.98 <= float(lost / total.bound) <= 1
    assert 0.98 * (n - 1) / n <= float(lost / product.bound) <= 1


def test_what_no_rule_bounds_is_refused():
    x = exact(arithmetic(np.float32), np.ones(3, np.float32))
    with pytest.raises(TypeError, match=r"no rounding bound is known for numpy\.cbrt"):
        np.cbrt(x)
    with pytest.raises(TypeError, match=r"no rounding bound is known for numpy\.sort"):
        np.sort(x)
    with pytest.raises(TypeError, match="cannot decide"):
        bool(x[0] > 0)


def test_the_committed_page_says_what_the_rules_say():
    page = (Path(__file__).parents[2] / "reports" / "bounds.md").read_text(encoding="utf-8")
    assert {rule.function.__module__ for rule in RULES.values()} == {f.__name__ for f in FAMILIES.values()}
    for (name, _), rule in RULES.items():
        assert name.removesuffix(" (vectorized)") in page
        for paragraph in (inspect.getdoc(rule.function) or "").split("\n\n"):
            assert one_line(paragraph) in page, "make it anew: python -m tests.reports.bounds"


def test_kinds_of_operand_are_what_they_say():
    from tests.bounds.operands import drawn

    random = np.random.default_rng(0)
    drawings = {kind: drawn(random, np.float32, kind, (200,)) for kind in KINDS}
    assert np.all(np.abs(drawings["subnormal"]) < np.finfo(np.float32).smallest_normal)
    assert np.signbit(drawings["zeros"][drawings["zeros"] == 0]).any()
    assert np.abs(drawings["largest"]).max() == np.finfo(np.float32).max
    assert all(np.isfinite(drawing).all() for drawing in drawings.values())
    assert isinstance(exact(arithmetic(np.float32), drawings["wide"]), Bounded)
