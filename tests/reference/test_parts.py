"""Graphs, traces, batches and initialisers: the small parts by themselves."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from reference.architecture import architecture
from reference.clipping import CLIPPINGS
from reference.equations import shapes, step_equations
from reference.graph import Graph
from reference.initialisers import GAINS, INITIALISERS, Initialiser, gain
from reference.operations.activations import ACTIVATIONS
from reference.operations.arithmetic import ADD, SQUARE, SUBTRACT
from reference.operations.linear import AFFINE, MATMUL
from reference.operations.losses import LOSSES
from reference.operations.reductions import MEAN, TOTAL
from reference.operations.rows import activation, loss
from reference.optimizers import OPTIMIZERS
from reference.trace import Trace, split, tensor_name
from reference.training import batches
from tests.reference.sweeps import Sweeps, _array

# --- Graphs ---------------------------------------------------------------------------------------


def test_a_leaf_that_nothing_uses_stands_at_the_left():
    graph = Graph()
    assert graph.leaf("p").label == "p"
    graph.leaf("idle")
    graph.add("q", SQUARE, "p")
    assert graph.columns() == {"p": 0, "idle": 0, "q": 1}


@pytest.mark.parametrize(
    ("operation", "shapes", "words"),
    [
        (AFFINE, [(2, 3), (4, 5), (2, 1)], r"affine: shapes \(2, 3\) and \(4, 5\) and \(2, 1\)"),
        (AFFINE, [(2, 3), (3, 5), (1, 2)], r"affine: shapes \(2, 3\) and \(3, 5\) and \(1, 2\)"),
        (AFFINE, [(2, 3), (3,), (2, 1)], r"affine: shapes \(2, 3\) and \(3,\) and \(2, 1\)"),
        (AFFINE, [(3,), (3, 2), (3, 1)], r"affine: shapes \(3,\) and \(3, 2\) and \(3, 1\)"),
        (MATMUL, [(2, 3), (3,)], r"matmul: shapes \(2, 3\) and \(3,\)"),
        (MATMUL, [(3,), (3, 2)], r"matmul: shapes \(3,\) and \(3, 2\)"),
        (ADD, [(2, 3), (2, 2)], r"add: shapes \(2, 3\) and \(2, 2\)"),
        (SUBTRACT, [(2, 3), (2, 2)], r"subtract: shapes \(2, 3\) and \(2, 2\)"),
        (MEAN, [(0, 3)], r"average: shapes \(0, 3\)"),
        (loss(LOSSES["nll"]), [(4, 5), (1, 4)], r"nll: shapes \(4, 5\) and \(1, 4\)"),
        (loss(LOSSES["nll"]), [(4, 5), (5,)], r"nll: shapes \(4, 5\) and \(5,\)"),
    ],
)
def test_operations_say_what_does_not_fit(operation, shapes, words):
    graph = Sweeps()
    leaves = {f"p{i}": np.ones(shape) for i, shape in enumerate(shapes)}
    for name in leaves:
        graph.leaf(name)
    graph.add("q", operation, *leaves)
    with pytest.raises(ValueError, match=f"^q: {words} do not fit$"):
        graph.forward(leaves)


def test_what_a_graph_refuses_and_what_it_keeps():
    graph = Graph()
    for leaf in "Wxby":
        graph.leaf(leaf)
    graph.add("z", AFFINE, "W", "x", "b")
    with pytest.raises(ValueError, match=r"^L: 'z' is computed, 'huber' wants data$"):
        graph.add("L", loss(LOSSES["huber"]), "y", "z")
    with pytest.raises(ValueError, match=r"^s: square takes no 'power'$"):
        graph.add("s", SQUARE, "x", power=3)
    other = SimpleNamespace(shape=())
    assert _array(other) is other
    assert type(_array(1.0)) is type(_array(np.float32(1))) is np.ndarray
    assert activation(ACTIVATIONS["tanh"]).label == "tanh"
    assert activation(ACTIVATIONS["prelu"]).operands == ("z", "alpha")
    assert activation(ACTIVATIONS["tanh"]).operands == ("z",)


def test_one_gradient_for_all_terms():
    class Other:
        shape = (2, 3)

    g, terms = np.array(6.0), np.ones((2, 3))
    total, mean = TOTAL.vjps["terms"].function, MEAN.vjps["terms"].function
    assert total(g, Other()) is g
    assert total(g, terms).tolist() == [[6.0] * 3] * 2
    assert mean(g, terms).tolist() == [[1.0] * 3] * 2
    assert mean(g, Other()) == 1.0


# --- Traces and batches ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        ("W2_next", ("W_next", 2)),
        ("W12", ("W", 12)),
        ("x", ("x", None)),
        ("m_W1", ("m_W", 1)),
        ("m_W1_next", ("m_W_next", 1)),
        ("loss", ("loss", None)),
    ],
)
def test_names_of_a_trace(name, parts):
    assert split(name) == parts


@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
def test_every_tensor_is_named_by_its_quantity_and_layer(optimizer):
    plain = architecture((3, 4, 2), "prelu", optimizer=OPTIMIZERS[optimizer].configured())
    of = replace(plain, clipping=CLIPPINGS["norm"].configured(max_norm=1.0, norm_type=2.0))
    names = shapes(of, batch=5)
    assert {"loss", "norm", "alpha1_next", "clipped_b2"} < names.keys()
    assert [tensor_name(*split(name)) for name in names] == list(names)
    for equation in step_equations(of):
        assert tensor_name(equation.quantity, equation.layer) == equation.makes


def test_no_names_of_a_trace():
    with pytest.raises(ValueError, match=r"^'1W' is not the name of a tensor$"):
        split("1W")


def test_kept_traces_are_copies():
    trace = Trace(x=np.ones(2))
    kept = trace.kept()
    trace["x"][:] = 2
    assert kept["x"].tolist() == [1.0, 1.0]
    assert type(kept) is Trace


def test_batches_are_epochs_in_a_new_order():
    x, y = np.arange(14.0).reshape(2, 7), np.arange(7.0)[None]
    for whole in (0, -1, 7, 8):
        found = batches(x, y, whole, 0)
        for _ in range(3):
            assert next(found)[0] is x
    drawn = batches(x, y, 3, 5)
    epochs = [[next(drawn) for _ in range(3)] for _ in range(3)]
    random = np.random.default_rng(5)
    for epoch in epochs:
        assert [b.shape for b, _ in epoch] == [(2, 3), (2, 3), (2, 1)]
        order = random.permutation(7)
        assert np.array_equal(np.hstack([b for b, _ in epoch]), x[:, order])
        assert np.array_equal(np.hstack([t for _, t in epoch]), y[:, order])
        assert all(b.T.flags.c_contiguous and t.T.flags.c_contiguous for b, t in epoch)
    assert next(batches(x, y, 1, 0))[0].shape == (2, 1)
    assert next(batches(x, y, 6, 0))[0].shape == (2, 6)


# --- Initialisers ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("uniform", {"a": -0.3, "b": 0.7}),
        ("normal", {"mean": 0.2, "std": 0.4}),
        ("constant", {"val": 0.3}),
        ("eye", {}),
        ("xavier_uniform", {"gain": 5 / 3}),
        ("xavier_normal", {"gain": 0.5}),
        ("kaiming_uniform", {}),
        ("kaiming_uniform", {"a": 0.2, "mode": "fan_out"}),
        ("kaiming_normal", {"nonlinearity": "relu"}),
        ("kaiming_normal", {"a": 0.3}),
        ("kaiming_normal", {"mode": "fan_out", "nonlinearity": "selu"}),
        ("orthogonal", {"gain": 1.5}),
    ],
)
@pytest.mark.parametrize("shape", [(3, 5), (5, 3), (4, 4)])
def test_initialisers_are_pytorchs(name, options, shape):
    entry = INITIALISERS[name].configured(**options)
    draw = torch.empty(shape, dtype=torch.float64)
    generator = torch.Generator().manual_seed(3)
    draw = (
        draw.uniform_(generator=generator)
        if entry.draws == "uniform"
        else draw.normal_(generator=generator)
    )
    theirs = torch.empty(shape, dtype=torch.float64)
    more = {} if entry.draws == "none" else {"generator": torch.Generator().manual_seed(3)}
    getattr(torch.nn.init, name + "_")(theirs, **entry.options, **more)
    ours = entry.scale(draw.numpy(), shape[1], shape[0], **entry.options)
    np.testing.assert_allclose(ours, theirs.numpy(), rtol=1e-9, atol=1e-12)
    numpys = np.random.default_rng(0)
    drawn = {"uniform": numpys.random, "normal": numpys.standard_normal, "none": np.zeros}[entry.draws](
        shape
    )
    assert np.array_equal(
        entry(np.random.default_rng(0), shape), entry.scale(drawn, shape[1], shape[0], **entry.options)
    )


def test_a_constant_draws_nothing():
    used, fresh = np.random.default_rng(0), np.random.default_rng(0)
    assert INITIALISERS["constant"].configured(val=0.5)(used, (2, 3)).tolist() == [[0.5] * 3] * 2
    assert used.random() == fresh.random()


def test_gains_and_options_of_initialisers():
    for name, value in GAINS.items():
        assert gain(name, 7.0) == value
        assert value == pytest.approx(torch.nn.init.calculate_gain(name))
    assert gain("leaky_relu", 0.5) == pytest.approx(torch.nn.init.calculate_gain("leaky_relu", 0.5))
    kaiming = INITIALISERS["kaiming_normal"]
    for options, words in (
        ({"gain": 1.0}, "kaiming_normal takes no 'gain'"),
        ({"a": "one"}, "kaiming_normal: a cannot be 'one'"),
        ({"mode": 1.0}, "kaiming_normal: mode cannot be 1.0"),
        ({"mode": "fan_up"}, "kaiming_normal: mode is one of fan_in, fan_out"),
        (
            {"nonlinearity": "swish"},
            "kaiming_normal: nonlinearity is one of linear, sigmoid, tanh, relu, selu, leaky_relu",
        ),
    ):
        with pytest.raises(ValueError, match=f"^{words}$"):
            kaiming.configured(**options)
    made = kaiming.configured(a=1.0, mode="fan_out", nonlinearity="leaky_relu")
    assert made.options == {"a": 1.0, "mode": "fan_out", "nonlinearity": "leaky_relu"}
    assert made.name == "kaiming_normal"
    assert kaiming.configured(mode="fan_in").options["mode"] == "fan_in"
    bare = Initialiser("bare", "none", max, "", "", {"val": 1.0})
    assert bare.configured(val=2.0).options == {"val": 2.0}
