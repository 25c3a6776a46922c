"""Formulas in plain numpy, of any number of axes, on bounded numbers: held against PyTorch's results."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from parity.bounds import Bounded, exact, stored
from parity.bounds.formats import arithmetic
from reference import arrays
from tests.bounds import orders
from tests.bounds.formulas import COMPOSED, held, logits, share

DTYPES = pytest.mark.parametrize("dtype", [np.float32, np.float64], ids=lambda dtype: dtype.__name__)


def numbers(random, dtype, *shape):
    return random.normal(size=shape).astype(dtype)


def within(judge, observed, formula, *floats, truth=None):
    """A result of PyTorch's is inside the bound of a formula of the same floats, none left undecided."""
    with np.errstate(all="ignore"), judge.precision():
        found = held(judge, observed.numpy(), formula(*(exact(judge, part) for part in floats)))
    assert found.worst <= 1, found
    assert found.undecided == 0
    return found


@DTYPES
@pytest.mark.parametrize("name", COMPOSED)
def test_pytorchs_softmax_is_inside_on_hard_logits(name, dtype):
    random, worst = np.random.default_rng(0), 0.0
    for n in (2, 33, 1000):
        for kind, x in logits(random, dtype, n):
            g = numbers(random, dtype, *x.shape)
            found = share(COMPOSED[name], x, g)
            assert found.worst <= 1, (kind, n, found)
            # x − m − log Σ of a masked x may overflow; nothing else may
            allowed = np.count_nonzero(x < -1e37) if name == "log_softmax" else 0
            allowed = np.count_nonzero(x < -1e37) if name == "log_softmax of ℓ" else allowed
            assert found.undecided <= allowed, (kind, n, found)
            worst = max(worst, found.worst)
    assert worst >= 0.1


def operands_of(x, shape, g):
    return torch.from_numpy(x), shape, torch.from_numpy(g)


@DTYPES
@pytest.mark.parametrize("truth", [None, "ball"])
def test_convolution_of_windows(dtype, truth):
    random, judge = np.random.default_rng(1), arithmetic(dtype, truth)
    x, w, b = (numbers(random, dtype, *s) for s in ((2, 3, 6, 7), (4, 3, 2, 3), (4,)))
    stride, padding, dilation = (2, 1), (1, 2), (2, 1)

    def convolution(x, w, b):
        seen = arrays.windows(x, (2, 3), stride, padding, dilation)
        return arrays.contract("nchwij,ocij->nohw", seen, w) + b[:, None, None]

    operands = map(torch.from_numpy, (x, w, b))
    observed = torch.nn.functional.conv2d(*operands, stride, padding, dilation)
    within(judge, observed, convolution, x, w, b)
    g = numbers(random, dtype, *observed.shape)
    gradient = torch.nn.grad.conv2d_weight(*operands_of(x, w.shape, g), stride, padding, dilation)

    def weight_gradient(x, g):
        return arrays.contract("nchwij,nohw->ocij", arrays.windows(x, (2, 3), stride, padding, dilation), g)

    within(judge, gradient, weight_gradient, x, g)
    plain = convolution(*(part.astype(np.float64) for part in (x, w, b)))
    assert np.abs(plain - observed.numpy()).max() < 1e-4
    result = convolution(*(exact(judge, part) for part in (x, w, b)))
    assert np.unique(result.open_sum.roundings).tolist() == [3 * 2 * 3 + 1]  # the bias is one more term


@pytest.mark.parametrize("axes", [1, 2, 3])
def test_windows_are_pytorchs(axes):
    x = np.random.default_rng(axes).normal(size=(2, 3, *range(5, 5 + axes))).astype(np.float32)
    pool = (torch.nn.functional.max_pool1d, torch.nn.functional.max_pool2d, torch.nn.functional.max_pool3d)
    kernel, stride, padding, dilation = ((k,) * axes for k in (3, 2, 1, 2))
    seen = arrays.windows(x, kernel, stride, padding, dilation, around=-np.inf)
    expected = pool[axes - 1](torch.from_numpy(x), kernel, stride, padding, dilation).numpy()
    places = tuple(range(-axes, 0))
    assert np.array_equal(np.max(seen, axis=places), expected)
    bounded = arrays.windows(exact(arithmetic(np.float32), x), kernel, stride, padding, dilation, -np.inf)
    largest = np.max(bounded, axis=places)
    assert largest.is_exact
    assert np.array_equal(largest.lowered(), expected)
    assert np.array_equal(arrays.windows(x, kernel), arrays.windows(x, kernel, padding=(0,) * axes))


@DTYPES
def test_attention_with_masks(dtype):
    random, judge = np.random.default_rng(2), arithmetic(dtype)
    q, k, v = (numbers(random, dtype, 2, 3, 5, 4) for _ in range(3))
    for lowest in (-np.inf, np.finfo(dtype).min):
        mask = np.where(np.tril(np.ones((5, 5), bool)), 0, lowest).astype(dtype)

        def attention(q, k, v, mask=mask):
            scores = arrays.contract("bhqd,bhkd->bhqk", q, k) / np.sqrt(4.0) + mask
            e = np.exp(scores - np.max(scores, axis=-1, keepdims=True))
            return arrays.contract("bhqk,bhkd->bhqd", e / np.sum(e, axis=-1, keepdims=True), v)

        observed = torch.nn.functional.scaled_dot_product_attention(
            *map(torch.from_numpy, (q, k, v)), attn_mask=torch.from_numpy(mask)
        )
        within(judge, observed, attention, q, k, v)


@DTYPES
@pytest.mark.parametrize("offset", [0.0, 30.0])
def test_batch_norm(dtype, offset):
    random, judge = np.random.default_rng(3), arithmetic(dtype)
    x = numbers(random, dtype, 4, 3, 5, 6) + dtype(offset)
    eps = 1e-5

    def normalised(x):
        mean = np.mean(x, axis=(0, 2, 3), keepdims=True)
        variance = arrays.variance(x, (0, 2, 3), mean, 4.0 * 5 * 6)
        return (x - mean) * (1 / np.sqrt(variance + eps))

    within(
        judge, torch.nn.functional.batch_norm(torch.from_numpy(x), None, None, training=True), normalised, x
    )


@DTYPES
def test_the_one_pass_variance_is_outside_and_welfords_inside(dtype):
    random, judge = np.random.default_rng(4), arithmetic(dtype)
    x = (numbers(random, dtype, 2000, 2) + 1000).astype(dtype)
    n = len(x)
    result = arrays.variance(exact(judge, x), 0, np.mean(exact(judge, x), axis=0, keepdims=True), float(n))
    for found in (orders.welford(x, n), orders.joined(x, n), np.var(x, axis=0)):
        assert held(judge, found[None], result).worst <= 1
    total, squares = orders.in_sequence(x), orders.in_sequence(np.square(x))
    one_pass = squares / dtype(n) - np.square(total / dtype(n))
    assert held(judge, one_pass[None], result).worst > 1


@DTYPES
def test_embedding_gradient_counts_by_cell(dtype):
    random, judge = np.random.default_rng(5), arithmetic(dtype)
    index, g = random.integers(0, 4, (3, 7)), numbers(random, dtype, 3, 7, 2)
    table = torch.zeros(6, 2, dtype=getattr(torch, np.dtype(dtype).name), requires_grad=True)
    torch.nn.functional.embedding(torch.from_numpy(index), table).backward(torch.from_numpy(g))
    within(judge, table.grad, lambda g: arrays.scatter_add((6, 2), index, g), g)
    result = arrays.scatter_add((6, 2), index, exact(judge, g))
    assert result.bound[4:].tolist() == [[0, 0], [0, 0]]
    assert (result + 1.0).open_sum.roundings.max() == np.bincount(index.ravel()).max()


@pytest.mark.parametrize("name", ["bfloat16", "float16"])
def test_sixteen_bits_are_stored_and_float32_accumulates(name):
    random, judge, kind = np.random.default_rng(6), arithmetic(name), getattr(torch, name)
    x, w = (torch.from_numpy(numbers(random, np.float32, *s)).to(kind) for s in ((3, 700), (700, 5)))
    observed = (x @ w).float()
    found = within(judge, observed, lambda x, w: stored(x @ w), x.float().numpy(), w.float().numpy())
    assert found.worst > 0.2
    closed = exact(judge, x.float().numpy()) @ exact(judge, w.float().numpy())
    assert np.isfinite(stored(closed).bound).all()  # γ₇₀₀ of 2⁻⁸ would be infinite


@pytest.mark.parametrize("name", ["bfloat16", "float16", "float32", "float64"])
def test_casts_inside_a_formula(name):
    kind = getattr(torch, name)
    for dtype in (np.float32, np.float64):
        random, judge = np.random.default_rng(7), arithmetic(dtype)
        x = numbers(random, dtype, 400)
        tensor = torch.from_numpy(x)
        wide = torch.float32 if kind.itemsize == 2 else kind
        observed = (tensor * 3).to(kind).to(wide) * 0.1

        def formula(x):
            return arrays.cast(x * 3.0, name) * 0.1

        result = formula(exact(judge, x))
        assert result.arithmetic.dtype == np.dtype(str(wide).removeprefix("torch."))
        with np.errstate(all="ignore"):
            assert held(result.arithmetic, observed.numpy(), result).worst <= 1
        assert np.array_equal(arrays.cast(x, name).astype(np.float64), tensor.to(kind).double().numpy())
    largest = exact(arithmetic(np.float64), np.array([1e300, -1.0, 70000.0]))
    with np.errstate(all="ignore"):
        assert np.isinf(arrays.cast(largest, "float16").bound).tolist() == [True, False, True]


def test_a_contraction_is_einsum():
    random, judge = np.random.default_rng(8), arithmetic(np.float64)
    for subscripts, of_x, of_y in (
        ("ij,jk->ik", (2, 3), (3, 4)),
        ("bij,bkj->kbi", (2, 3, 4), (2, 5, 4)),
        ("i,j->ji", (2,), (3,)),
        ("ijk,kj->i", (2, 3, 4), (4, 3)),
        ("i,i->", (3,), (3,)),
    ):
        x, y = numbers(random, np.float64, *of_x), numbers(random, np.float64, *of_y)
        expected = np.einsum(subscripts, x, y)
        assert np.abs(arrays.contract(subscripts, x, y) - expected).max() < 1e-13
        result = arrays.contract(subscripts, exact(judge, x), y)
        assert isinstance(result, Bounded)
        assert held(judge, expected, result).worst <= 1
    for wrong in ("ii,ij->j", "ij,jk->i", "ij,jk->ikl", "ij,jk->iik"):
        with pytest.raises(ValueError, match="contract"):
            arrays.contract(wrong, np.ones((2, 2)), np.ones((2, 2)))
