"""Every loss against `torch.nn`, with its options, its reductions and its kinks."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from parity.pytorch.modules import loss_module
from reference import formulas
from reference.architecture import architecture
from reference.operations.losses import LOSSES, Loss
from reference.operations.losses.loss import elementwise, into
from reference.operations.losses.regression import _loss
from tests.reference.near import SINGLE, near

OUTPUTS, BATCH = 4, 6
WEIGHT = (0.5, 2.0, 1.0, 0.25)
OPTIONS = {
    "smooth_l1": [{"beta": 0.5}],
    "huber": [{"delta": 0.5}, {"delta": 2.0}],
    "bce_with_logits": [{"pos_weight": WEIGHT}],
    "kl_div": [{"log_target": True}],
    "poisson_nll": [
        {"full": True},
        {"log_input": False},
        {"log_input": False, "full": True, "eps": 0.25},
    ],
    "gaussian_nll": [{"var": 2.0, "full": True}, {"var": 0.01, "eps": 0.5}],
    "hinge_embedding": [{"margin": 0.5}],
    "cross_entropy": [
        {"weight": WEIGHT},
        {"label_smoothing": 0.1},
        {"weight": WEIGHT, "label_smoothing": 0.3, "ignore_index": 2.0},
    ],
    "nll": [{"weight": WEIGHT, "ignore_index": 1.0}],
    "multi_margin": [{"p": 2.0}, {"margin": 0.5, "weight": WEIGHT}, {"p": 2.0, "weight": WEIGHT}],
    "multilabel_soft_margin": [{"weight": WEIGHT}],
}
REDUCTIONS = ("mean", "sum", "none", "batchmean")


def cases():
    for name in LOSSES:
        for options in ({}, *OPTIONS.get(name, ())):
            for reduction in REDUCTIONS[: 4 if name == "kl_div" else 3]:
                targets = ("class", "values") if name == "cross_entropy" else (None,)
                for target in targets:
                    if target == "values" and "ignore_index" in options:
                        continue
                    yield pytest.param(name, options, reduction, target)


def data(name, target, options):
    """ŷ and y, some of them exactly at kinks."""
    random = np.random.default_rng(len(name))
    y_hat = np.round(4 * random.normal(size=(OUTPUTS, BATCH))) / 4  # quarters: gaps of exactly a margin
    y = np.round(4 * random.normal(size=(OUTPUTS, BATCH))) / 4
    y[0, :5] = y_hat[0, :5] + np.array([0.0, 0.5, -0.5, 1.0, -1.0])
    y[1, :4] = y_hat[1, :4] + np.array([2.0, -2.0, 3.0, -3.0])
    L = LOSSES[name]
    if name == "bce":
        y_hat, y = random.uniform(0.01, 0.99, size=(2, OUTPUTS, BATCH))
        y_hat[0, :4], y[0, :4] = [0.0, 1.0, 0.0, 1.0], [0.0, 1.0, 1.0, 0.0]
    elif name == "bce_with_logits" or name == "multilabel_soft_margin":
        y = random.choice([0.0, 1.0, 0.25], size=y.shape)
    elif name == "kl_div":
        y = random.uniform(size=y.shape) * (random.uniform(size=y.shape) > 0.3)
    elif name == "poisson_nll":
        y = random.choice([0.5, 1.0, 1.5, 3.0, 0.25], size=y.shape)
        y_hat = y_hat if options.get("log_input", True) else np.abs(y_hat) + 0.1
    elif name in ("soft_margin", "hinge_embedding"):
        y = random.choice([-1.0, 1.0], size=y.shape)
        y_hat[0, :3] = [1.0, 0.5, 0.0]
        y[0, :3] = [-1.0, -1.0, -1.0]
    elif target == "class" or L.target == "class":
        y = np.array([[0.0, 1.0, 2.0, 3.0, 1.0, 2.0]])
    elif name == "cross_entropy":
        y = random.dirichlet(np.ones(OUTPUTS), size=BATCH).T
    elif L.target == "labels":
        y = np.array(
            [[0, 3, -1, 2, 1, 0], [2, -1, 0, 1, 2, 1], [-1, 0, 1, -1, 3, 2], [1, 2, 3, 3, -1, 3.0]]
        )
    return y_hat, y


def of(name, options, reduction, target):
    made = architecture((3, OUTPUTS), "identity", np.float64, reduction)
    L = LOSSES[name].configured(**options)
    return replace(made, loss=L, class_indices=target == "class" or L.target == "class")


@pytest.mark.filterwarnings("ignore:reduction")
@pytest.mark.parametrize(("name", "options", "reduction", "target"), list(cases()))
def test_value_and_gradient(name, options, reduction, target):
    made = of(name, options, reduction, target)
    y_hat, y = data(name, target, options)
    rows = torch.tensor(np.ascontiguousarray(y_hat.T), requires_grad=True)
    theirs = loss_module(made, torch.float64)(rows, torch.tensor(np.ascontiguousarray(y.T)))
    theirs.backward()
    L, n = made.reduced_loss, made.n(BATCH)
    rtol = SINGLE if name == "bce" else 1e-10
    log_0 = "ignore" if name in ("bce", "kl_div") else "raise"
    quiet = {"divide": log_0, "invalid": log_0}
    with np.errstate(**quiet):
        near(formulas.loss(L, y_hat, y, n), theirs.detach().numpy(), "value")
        gradient = rows.grad.numpy().T
        near(formulas.loss_gradient(L, y_hat, y, n), gradient, "gradient", rtol)
        out = np.empty_like(y_hat)
        assert formulas.loss_gradient(L, y_hat, y, n, out=out) is out
        near(out, gradient, "gradient into out", rtol)
        small = formulas.loss_gradient(L, y_hat.astype(np.float32), y.astype(np.float32), n)
    assert small.dtype == np.float32
    with np.errstate(**quiet):
        value = formulas.loss(L, y_hat.astype(np.float32), y.astype(np.float32), n)
    assert np.asarray(value).dtype == np.float32


def test_all_samples_ignored():
    L = LOSSES["cross_entropy"].configured(ignore_index=1.0).under("mean")
    y_hat, y = np.array([[1.0, 2.0], [3.0, 0.5], [0.0, -1.0]]), np.ones((1, 2))
    with np.errstate(invalid="ignore"):
        assert np.isnan(formulas.loss(L, y_hat, y, 1))
        for other in (L, LOSSES["nll"].configured(ignore_index=1.0).under("mean")):
            assert np.array_equal(formulas.loss_gradient(other, y_hat, y, 1), np.zeros((3, 2)))


@pytest.mark.parametrize("name", ["cross_entropy", "nll", "multi_margin", "multilabel_margin"])
def test_minus_infinity_where_nothing_belongs(name):
    y_hat = np.array([[1.0, -np.inf], [2.0, 0.5], [-np.inf, 1.5]])
    y = np.array([[1.0, 2.0]]) if name != "multilabel_margin" else np.array([[1.0, 2], [1, -1], [-1, 0]])
    made = of(name, {}, "mean", "class" if len(y) == 1 else None)
    rows = torch.tensor(np.ascontiguousarray(y_hat.T), requires_grad=True)
    theirs = loss_module(made, torch.float64)(rows, torch.tensor(np.ascontiguousarray(y.T)))
    theirs.backward()
    with np.errstate(invalid="ignore"):
        near(formulas.loss(made.reduced_loss, y_hat, y, 2), theirs.detach().numpy())
        near(formulas.loss_gradient(made.reduced_loss, y_hat, y, 2), rows.grad.numpy().T)


def test_two_classes_with_probabilities_of_one_sample_are_told_from_indices():
    made = of("cross_entropy", {"label_smoothing": 0.2}, "mean", "values")
    y_hat, y = np.array([[0.5], [1.0], [0.0], [2.0]]), np.array([[0.1], [0.2], [0.3], [0.4]])
    theirs = torch.nn.CrossEntropyLoss(label_smoothing=0.2)(torch.tensor(y_hat.T), torch.tensor(y.T))
    near(formulas.loss(made.reduced_loss, y_hat, y, 1), theirs.numpy())


def test_defaults_are_pytorchs():
    for name, L in LOSSES.items():
        made = getattr(torch.nn, L.source.removeprefix("torch.nn."))()
        for option, value in L.options.items():
            if option != "var":
                assert getattr(made, option) == value, (name, option)


def test_terms_count():
    assert LOSSES["mse"].terms(3, 5) == 15
    assert LOSSES["nll"].terms(3, 5) == 5


@pytest.mark.parametrize(
    ("name", "options", "words"),
    [
        ("mse", {"beta": 1.0}, "mse takes no 'beta'"),
        ("huber", {"delta": True}, "huber: delta is a number"),
        ("huber", {"delta": (1.0,)}, "huber: delta is a number"),
        ("huber", {"delta": None}, "huber: delta is a number"),
        ("kl_div", {"log_target": 1.0}, "kl_div: log_target is true or false"),
        ("nll", {"weight": 1.0}, "nll: weight is a list, one number for each output"),
        ("nll", {"weight": True}, "nll: weight is a number"),
    ],
)
def test_options_are_checked(name, options, words):
    with pytest.raises(ValueError, match=f"^{words}$"):
        LOSSES[name].configured(**options)


def test_options_reach_both_functions():
    L = Loss("L", max, min, "", "", "", options={"beta": 1.0})
    assert L.configured(beta=2.0).value.keywords == {"beta": 2.0}
    assert L.configured(beta=2.0).gradient.keywords == {"beta": 2.0}
    assert L.configured(beta=2.0).options == {"beta": 2.0}
    assert LOSSES["mse"].configured() is LOSSES["mse"]
    counting = replace(L, counts=True)
    for reduction in REDUCTIONS:
        assert L.under(reduction) is L
        for function in (counting.under(reduction).value, counting.under(reduction).gradient):
            assert function.keywords == {"mean": reduction == "mean"}
    assert counting.under("mean").name == "L"
    assert LOSSES["nll"].configured(weight=(1.0,)).options["weight"] == (1.0,)
    assert LOSSES["nll"].configured(weight=None).options["weight"] is None


def test_a_row_of_the_table():
    row = _loss("n", (max, min), "value", "slope", "S", options={"k": 1.0})
    assert row == Loss("n", max, min, "value", "slope", "torch.nn.S", options={"k": 1.0})
    assert row.options == {"k": 1.0}


def test_elementwise_divides_both_by_n():
    value, gradient = elementwise(lambda p, q, k: k * (p - q), lambda p, q, k: k * (p + q))
    p, q, out = np.array([[3.0, 5.0]]), np.array([[1.0, 1.0]]), np.empty((1, 2))
    assert value(p, q, 4, k=2.0) == 3.0
    assert np.array_equal(gradient(p, q, 4, k=2.0), [[2.0, 3.0]])
    assert gradient(p, q, 4, out, k=2.0) is out
    assert np.array_equal(out, [[2.0, 3.0]])
    assert into(None, p) is p
    assert into(out, p) is out
    assert np.array_equal(out, p)
