"""Faults planted into real execution are told, each in its own row, and nothing else is accused."""

from __future__ import annotations

import pytest
import torch

from tests.nightly import one_in
from tests.watch.faults import LITTLE, Scaled, gradients, kernel, kinds, steps
from tests.watch.structural import STRUCTURAL

NODES = [
    (model, kind)
    for model in ("mlp_classifier", "cnn_batch_norm", "gpt_fused_attention")
    for kind in kinds(model)
]


@pytest.mark.parametrize("place", one_in(2, NODES), ids="-".join)
def test_a_product_that_is_a_little_too_large_is_told_where_it_is(place):
    model, node = place
    large, _ = steps(model, gradients(node, 1.5))
    rows = {(wrong.operation, wrong.check) for wrong in large.wrong}
    assert len(rows) == 1, rows
    ((operation, check),) = rows
    assert check == "vjp"
    little, ran = steps(model, gradients(node, LITTLE))
    assert ran
    found = {(wrong.operation, wrong.check) for wrong in little.wrong}
    assert found <= rows
    if not found:
        clean, _ = steps(model)
        unseen = [row.resolution for row in clean.rows if (row.operation, row.check) == (operation, check)]
        assert all(resolution > LITTLE - 1 for resolution in unseen), unseen


@pytest.mark.parametrize("fault", STRUCTURAL, ids=lambda fault: fault.name)
def test_a_wrong_formula_is_told_where_it_is(fault):
    result, ran = steps(fault.model, kernel(fault.kernel, fault.wrong, back=fault.check == "vjp"))
    assert ran
    assert {(wrong.operation, wrong.check) for wrong in result.wrong} == {(fault.row, fault.check)}


@pytest.mark.parametrize("factor", [0.5, LITTLE, 1 + 2.0**-23], ids=["halved", "a little", "one ulp"])
def test_a_sum_of_gradients_that_is_none_is_told_as_that(factor):
    """Autograd adds what two users of a tensor send by an operation, which is replaced here."""

    plant = kernel("aten.add.Tensor", lambda true, *args: true(*args) * factor, back=True)
    result, ran = steps("gpt", plant)
    assert ran
    told = {wrong.check for wrong in result.wrong}
    assert told <= {"sum", "grad"}
    assert told or factor == 1 + 2.0**-23  # to a sum of two, half a unit of rounding is allowed


# --- What must pass -----------------------------------------------------------------------------------


def _two_passes(true, x, shape, w, b, eps):
    _, mean, rstd = true(x, shape, w, b, eps)
    mean = x.mean(-1, keepdim=True)
    var = (x - mean).square().sum(-1, keepdim=True) / x.shape[-1]
    rstd = (var + eps).rsqrt()
    return (x - mean) * rstd * w + b, mean, rstd


def _welford(true, x, shape, w, b, eps):
    mean, m2 = torch.zeros_like(x[..., :1]), torch.zeros_like(x[..., :1])
    for n in range(x.shape[-1]):
        one = x[..., n : n + 1]
        apart = one - mean
        mean = mean + apart / (n + 1)
        m2 = m2 + apart * (one - mean)
    rstd = 1 / (m2 / x.shape[-1] + eps).sqrt()
    return (x - mean) * rstd * w + b, mean, rstd


def _backwards(x, z):
    """A product with its terms added from the last to the first, one after the other."""
    made = torch.zeros(*x.shape[:-1], z.shape[-1])
    for k in reversed(range(x.shape[-1])):
        made = made + x[..., :, k : k + 1] * z[..., k : k + 1, :]
    return made


def _fused(x, z):
    """Every product exact, as a fused multiply-add has it."""
    made = torch.zeros(*x.shape[:-1], z.shape[-1])
    for k in range(x.shape[-1]):
        exact = x[..., :, k : k + 1].double() * z[..., k : k + 1, :].double() + made.double()
        made = exact.float()
    return made


ADMITTED = {
    "two passes": ("gpt", "aten.native_layer_norm.default", _two_passes),
    "Welford's": ("gpt", "aten.native_layer_norm.default", _welford),
    "a product backwards": ("gpt", "aten.mm.default", lambda true, x, z: _backwards(x, z)),
    "a product in fused steps": ("gpt", "aten.mm.default", lambda true, x, z: _fused(x, z)),
    "a batch of products backwards": ("gpt", "aten.bmm.default", lambda true, x, z: _backwards(x, z)),
    "the bias last": ("gpt", "aten.addmm.default", lambda true, b, x, z: _backwards(x, z) + b),
    "the bias first": (
        "gpt",
        "aten.addmm.default",
        lambda true, b, x, z: torch.addmm(b, x, z.contiguous()),
    ),
    "a sum in two halves": (
        "variational",
        "aten.sum.dim_IntList",
        lambda true, x, d, *r: (
            true(x[..., :2], d, *r) + true(x[..., 2:], d, *r) if d == [-1] else true(x, d, *r)
        ),
    ),
    "1 − a² as (1 − a)(1 + a)": (
        "mlp_tanh",
        "aten.tanh_backward.default",
        lambda true, g, a: g * ((1 - a) * (1 + a)),
    ),
}


@pytest.mark.parametrize("name", ADMITTED)
def test_another_algorithm_of_the_same_formula_passes(name):
    model, operation, other = ADMITTED[name]
    result, ran = steps(model, kernel(operation, other))
    assert ran
    assert [f"{wrong.operation} {wrong.check} {wrong.ratio:.3g}" for wrong in result.wrong] == []


def test_a_kernel_a_little_too_large_is_told_where_it_is():
    for operation in ("addmm", "gelu", "_softmax", "mm", "add.Tensor", "native_layer_norm"):
        full = operation if "." in operation else f"{operation}.default"
        result, ran = steps("gpt", kernel(f"aten.{full}", Scaled(), back=False))
        assert ran
        accused = {wrong.operation for wrong in result.wrong}
        assert accused == {operation.split(".")[0]}
