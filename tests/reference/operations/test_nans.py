"""Sums that another algorithm forms otherwise: which NaNs are certain, and that no other number is lost."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest
import torch

from parity.bounds import exact
from parity.bounds.formats import arithmetic
from parity.certify.measure import shares
from reference.operation import bound
from reference.operations import bags, convolution
from reference.operations.attention import ATTENTION
from reference.operations.bags import OPERATIONS as BAGS
from reference.operations.convolution import CONVOLUTION
from reference.operations.elementary import POWER
from reference.operations.resampling import OPERATIONS as RESAMPLING
from reference.operations.running import CUMPROD

JUDGE = arithmetic(np.float32)
SAMPLES = [
    ({name: one if one is None else one.astype(np.float32) for name, one in sample.operands.items()},
     CONVOLUTION.settled(sample.options))
    for sample in CONVOLUTION.samples()
]  # fmt: skip
TRILINEAR = next(operation for operation in BAGS if operation.name == "trilinear")


def products(options):
    """y without b, and both gradients of products, as functions of their two factors."""

    def of(formula):
        return bound(formula.function, options)

    return {
        "y": (("x", "W"), lambda x, W: of(CONVOLUTION.forward["y"])(x, W, None)),
        "x": (("g", "W"), lambda g, W, x: of(CONVOLUTION.vjps["x"])(g, x, W)),
        "W": (("g", "x"), lambda g, x, W: of(CONVOLUTION.vjps["W"])(g, x, W)),
    }


def every(number):
    """Each product of sample `number` with its factors by name: (product, names, function, factors)."""
    operands, options = SAMPLES[number]
    x, W = operands["x"], operands["W"]
    y = bound(CONVOLUTION.forward["y"].function, options)(x, W, None)
    g = np.random.default_rng(number).standard_normal(y.shape).astype(np.float32)
    values = {"x": x, "W": W, "g": g}
    for product, (names, function) in products(options).items():
        shapes = {name: values[name] for name in ("x", "W") if name not in names and product != "y"}
        yield product, partial(function, **shapes), {name: values[name] for name in names}


def pytorch(number, product, factors):
    operands, options = SAMPLES[number]
    rest = [
        options[name]
        for name in ("stride", "padding", "dilation", "transposed", "output_padding", "groups")
    ]
    x, W = (torch.from_numpy(factors.get(name, operands[name])) for name in ("x", "W"))
    if product == "y":
        return torch.ops.aten.convolution(x, W, None, *rest).numpy()
    g = torch.from_numpy(factors["g"])
    made = torch.ops.aten.convolution_backward(g, x, W, None, *rest, (True, True, False))
    return made["xW".index(product)].numpy()


def truth(function, factors):
    with np.errstate(all="ignore"):
        return function(*(exact(JUDGE, factor) for factor in factors.values()))


def wrong(observed, truth):
    """Whether a number is told to be wrong."""
    with np.errstate(all="ignore"):
        return shares(observed, truth).measured().wrong


def with_one(factors, name, special):
    """The factors, of which one has a special number in its middle."""
    changed = factors[name].copy()
    changed.flat[changed.size // 2] = special
    return {**factors, name: changed}


@pytest.mark.parametrize("number", range(len(SAMPLES)))
def test_the_sums_place_by_place_of_the_kernel_are_the_convolutions(number, monkeypatch):
    asked = []

    def compared(made, operands, certain):
        found = certain(*(operand.astype(float) for operand in operands))
        np.testing.assert_allclose(found, made, rtol=1e-4, atol=1e-4)
        asked.append(found.shape == made.shape)
        return made

    monkeypatch.setattr(convolution, "certain_nans", compared)
    for _, function, factors in every(number):
        function(*factors.values())
    assert asked == [True] * 4  # y is computed twice


@pytest.mark.parametrize("special", [np.nan, np.inf])
def test_only_what_a_zero_put_in_makes_a_nan_is_undecided(special, monkeypatch):
    undecided = certain = 0
    for number in range(len(SAMPLES)):
        for product, function, factors in every(number):
            for name in factors:
                given = with_one(factors, name, special)
                found = truth(function, given)
                with monkeypatch.context() as patch:
                    patch.setattr(convolution, "certain_nans", lambda made, *_: made)
                    plain = truth(function, given)
                where = {
                    key: np.isnan(one) if key == name else np.ones_like(one) for key, one in given.items()
                }
                met = truth(function, where).value > 0
                assert np.array_equal(np.isnan(found.value), met), (number, product, name)
                either = np.isnan(plain.value) & ~met
                assert np.isinf(found.carried[either]).all()
                assert np.array_equal(found.value[~either], plain.value[~either], equal_nan=True)
                assert np.array_equal(found.carried[~either], plain.carried[~either], equal_nan=True)
                undecided, certain = undecided + either.sum(), certain + met.sum()

                observed = pytorch(number, product, given)
                assert not wrong(observed, found), (number, product, name)
                for fault in (
                    faulty(observed, met, 0.5),
                    faulty(observed, np.isfinite(found.carried) & ~met),
                ):
                    assert fault is None or wrong(fault, found)
    assert undecided > 100
    assert (certain > 100) == np.isnan(special)


def faulty(observed, places, instead=np.nan):
    """The numbers with another one at the first of the places; None where there is no such place."""
    if not places.any():
        return None
    changed = observed.copy()
    changed[tuple(np.argwhere(places)[0])] = instead
    return changed


OPTIONS = {"expand1": (1, 3), "expand2": (0,), "expand3": (1, 2), "sumdim": (2, 3)}


def bilinear(p, q, r):
    return bound(TRILINEAR.forward["y"].function, OPTIONS)(p, q, r)


def slope(operand, *factors):
    return bound(TRILINEAR.vjps[operand].function, OPTIONS)(*factors)


@pytest.mark.parametrize("special", [np.nan, np.inf])
@pytest.mark.parametrize("name", "pqr")
def test_products_of_three_are_summed_in_any_order(name, special, monkeypatch):
    random = np.random.default_rng(3)
    shapes = {"p": (3, 4), "q": (2, 4, 5), "r": (3, 5)}
    given = {key: random.standard_normal(shape).astype(np.float32) for key, shape in shapes.items()}
    given = with_one(given, name, special)
    g = random.standard_normal((3, 2)).astype(np.float32)
    p, q, r = (torch.from_numpy(part).requires_grad_() for part in given.values())
    y = torch.nn.functional.bilinear(p, r, q)
    observed = {
        "y": y,
        **dict(zip("pqr", torch.autograd.grad(y, (p, q, r), torch.from_numpy(g)), strict=True)),
    }
    functions = {"y": bilinear, **{operand: partial(slope, operand) for operand in "pqr"}}
    undecided = 0
    for product, function in functions.items():
        factors = given if product == "y" else {"g": g, **given}
        found = truth(function, factors)
        with monkeypatch.context() as patch:
            patch.setattr(bags, "any_order", lambda made, *_: made)
            plain = truth(function, factors)
        either = np.isnan(plain.value) & ~np.isnan(found.value)
        assert np.isinf(found.carried[either]).all()
        decided = np.isfinite(plain.carried)
        assert np.allclose(found.carried[decided], plain.carried[decided], rtol=1e-6, atol=0)
        numbers = observed[product].detach().numpy()
        assert not wrong(numbers, found)
        sure = np.isnan(found.value)
        assert sure.any() == (np.isnan(special) and product != name)
        for fault in (faulty(numbers, sure, 0.5), faulty(numbers, np.isfinite(found.carried) & ~sure)):
            assert fault is None or wrong(fault, found)
        undecided += either.sum()
    assert (undecided > 0) == (np.isinf(special) and name != "q")  # of q, no two terms meet in a number


def test_a_negative_base_has_no_certain_nan_where_its_exponent_may_round_to_an_integer():
    judge = arithmetic(np.float64)
    x, p, g = (np.array(row) for row in ([-1e-19, -1e-19, -2.0], [9.7e-20, 0.5, 0.5], [1.0, 1.0, 1.0]))
    with np.errstate(all="ignore"):
        found = POWER.vjps["x"].function(*(exact(judge, part) for part in (g, x, p)))
    given = torch.from_numpy(x).requires_grad_()
    (observed,) = torch.autograd.grad(given ** torch.from_numpy(p), given, torch.from_numpy(g))
    assert np.isnan(observed.numpy()).tolist() == [False, True, True]
    assert not wrong(observed.numpy(), found)
    assert np.isnan(found.lowered()).tolist() == [False, True, True]
    assert wrong(np.array([observed[0], 0.5, np.nan]), found)


def test_running_products_are_divided_before_the_first_zero_alone():
    x = np.array([2.0, np.inf, 3.0, 0.0, 5.0], np.float32)
    given = torch.from_numpy(x).requires_grad_()
    (observed,) = torch.autograd.grad(torch.cumprod(given, 0), given, torch.ones(5))
    (form,) = CUMPROD.vjps["x"].other_forms
    y = np.array([2.0, np.inf, np.inf, np.nan, np.nan], np.float32)
    with np.errstate(all="ignore"):
        found = form(*(exact(JUDGE, part) for part in (np.ones_like(x), x, y)), dim=0)
        assert np.isnan(observed.numpy()[1])
    assert not wrong(observed.numpy(), found)
    assert wrong(faulty(observed.numpy(), np.isnan(found.value), 0.5), found)


def test_what_lies_ahead_of_a_query_has_a_weight_of_zero_or_none():
    random = np.random.default_rng(5)
    q, k, v, g = (random.standard_normal((1, 1, 3, 4)).astype(np.float32) for _ in range(4))
    q[0, 0, 1, 0] = np.nan
    operator = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu
    tensors = [torch.from_numpy(part) for part in (q, k, v)]
    y, logsumexp = operator(*tensors, 0.0, True)
    logsumexp[0, 0, 1] = np.nan
    (_, _, observed) = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu_backward(
        torch.from_numpy(g), *tensors, y, logsumexp, 0.0, True
    )
    operands = [exact(JUDGE, part) for part in (g, q, k, v)]
    with np.errstate(all="ignore"):
        found = ATTENTION.vjps["v"].function(
            *operands, None, exact(JUDGE, logsumexp.numpy()), is_causal=True, scale=None
        )
    assert np.isnan(observed.numpy()).all(axis=-1).tolist() == [[[True, True, False]]]
    assert not wrong(observed.numpy(), found)
    assert np.isinf(found.carried[0, 0, 2]).all()
    assert wrong(faulty(observed.numpy(), np.isnan(found.value), 0.5), found)


def test_products_of_three_may_overflow_in_another_order():
    large, small = np.float32(1e30), np.float32(1e-30)
    g, q, r = np.full((1, 1), large), np.full((1, 1, 1), large), np.full((1, 1), small)
    p = torch.ones(1, 1, requires_grad=True)
    y = torch.nn.functional.bilinear(p, torch.from_numpy(r), torch.from_numpy(q))
    (observed,) = torch.autograd.grad(y, p, torch.from_numpy(g))
    found = truth(partial(slope, "p"), {"g": g, "p": p.detach().numpy(), "q": q, "r": r})
    assert found.lowered().item() == pytest.approx(1e30)
    assert np.isinf(observed.item())
    assert not wrong(observed.numpy(), found)


@pytest.mark.parametrize("special", [np.nan, np.inf])
def test_what_has_no_weight_in_a_mixture_makes_no_certain_nan(special):
    (bilinear,) = (one for one in RESAMPLING if one.name == "upsample_bilinear2d")
    undecided = 0
    for sample in bilinear.samples():
        options = bilinear.settled(sample.options)
        size, corners, *scales = options.values()
        x = with_one({"x": sample.operands["x"].astype(np.float32)}, "x", special)["x"]
        plain = torch.from_numpy(x).requires_grad_()
        y = torch.ops.aten.upsample_bilinear2d(plain, size, corners, *scales)
        g = with_one({"g": np.ones(y.shape, np.float32)}, "g", special)["g"]
        (slope,) = torch.autograd.grad(y, plain, torch.from_numpy(g))
        forward, back = (bound(f.function, options) for f in (bilinear.forward["y"], bilinear.vjps["x"]))
        with np.errstate(all="ignore"):
            made = (forward(exact(JUDGE, x)), y), (back(exact(JUDGE, g), exact(JUDGE, x)), slope)
        for found, observed in made:
            numbers, sure = observed.detach().numpy(), np.isnan(found.value)
            assert not wrong(numbers, found)
            assert sure.any() == np.isnan(special)
            for fault in (faulty(numbers, sure, 0.5), faulty(numbers, np.isfinite(found.carried) & ~sure)):
                assert fault is None or wrong(fault, found)
            undecided += np.count_nonzero(~np.isfinite(found.carried) & np.isfinite(numbers))
    assert undecided > 0
