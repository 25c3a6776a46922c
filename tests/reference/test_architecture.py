"""The register of formulas, and what a network is made of."""

from __future__ import annotations

import math
from dataclasses import FrozenInstanceError

import numpy as np
import pytest

from reference.architecture import Architecture, architecture
from reference.equations import shapes
from reference.formula import FORMULAS, Formula, formula
from reference.initialisers import INITIALISERS
from reference.operations.activations import ACTIVATIONS
from reference.operations.losses import LOSSES
from reference.optimizers import OPTIMIZERS
from tests.reference.near import near

# --- The deck -------------------------------------------------------------------------------------

DECK = {
    "affine": ("z", 2),
    "activation": ("a", 2),
    "loss": ("loss", 3),
    "loss_gradient": ("s", 3),
    "output_delta": ("delta", 4),
    "hidden_delta": ("delta", 5),
    "weight_gradient": ("dW", 6),
    "bias_gradient": ("db", 6),
    "weight_update": ("W_next", 6),
    "bias_update": ("b_next", 6),
}


def test_the_register():
    assert {name: (f.quantity, f.slide) for name, f in FORMULAS.items()} == DECK

    def cited():
        return 1

    try:
        assert formula("q", 9, "x")(cited) is cited
        assert FORMULAS["cited"] == Formula("cited", "x", cited, quantity="q", slide=9)
    finally:
        FORMULAS.pop("cited", None)


# --- Architecture ---------------------------------------------------------------------------------


def test_shapes_and_names():
    adam = OPTIMIZERS["adam"].configured()
    made = architecture((3, 4, 2), ("prelu", "tanh"), optimizer=adam)
    assert made.depth == 2
    assert made.parameter_shapes() == {
        "W1": (4, 3),
        "b1": (4, 1),
        "alpha1": (1, 1),
        "W2": (2, 4),
        "b2": (2, 1),
    }
    assert list(made.parameter_shapes()) == ["W1", "b1", "alpha1", "W2", "b2"]
    assert list(made.state_shapes()) == [
        f"{s}_{p}" for p in ("W1", "b1", "alpha1", "W2", "b2") for s in ("m", "v")
    ]
    assert made.state_shapes()["v_W2"] == (2, 4)
    assert made.gradient("W1") == "dW1"
    parameters = made.initial_parameters(0)
    assert parameters["alpha1"].tolist() == [[0.25]]
    assert {p.dtype for p in parameters.values()} == {np.dtype(np.float32)}
    state = made.initial_state(parameters, 0.5)
    assert {name: s.shape for name, s in state.items()} == made.state_shapes()
    assert list(shapes(made, 5)) == (
        ["x", "y", "W1", "b1", "alpha1", "W2", "b2", *made.state_shapes(), "z1", "a1", "z2", "a2", "loss"]
        + ["s2", "delta2", "s1", "delta1", "dW1", "db1", "dalpha1", "dW2", "db2"]
        + [f"{n}_next" for n in (*made.parameter_shapes(), *made.state_shapes())]
    )


def test_what_an_optimizer_starts_with():
    rprop = architecture((2, 3), "tanh", optimizer=OPTIMIZERS["rprop"].configured())
    p = rprop.initial_parameters(1)
    assert np.all(rprop.initial_state(p, 0.5)["h_W1"] == 0.5)
    assert np.all(rprop.initial_state(p, 0.5)["last_b1"] == 0)
    factored = architecture((2, 3), "tanh", optimizer=OPTIMIZERS["adafactor"].configured())
    start = factored.initial_state(p, 0.5)
    assert {name: s.shape for name, s in start.items()} == {
        "R_W1": (3, 1),
        "C_W1": (1, 2),
        "v_b1": (3, 1),
    }
    assert start["R_W1"].flags.owndata
    grad = OPTIMIZERS["adagrad"].configured(initial_accumulator_value=0.5)
    assert np.all(architecture((2, 3), "tanh", optimizer=grad).initial_state(p, 1.0)["S_W1"] == 0.5)


def test_what_is_drawn():
    made = architecture((100, 50, 2), "tanh", np.float64)
    drawn = made.initial_parameters(3)
    random = np.random.default_rng(3)
    for name, shape in made.parameter_shapes().items():
        bound = 1 / (10 if name[-1] == "1" else math.sqrt(50))
        assert np.array_equal(drawn[name], random.uniform(-bound, bound, shape)), name
    ones, tenth = INITIALISERS["constant"].configured(val=1.0), INITIALISERS["constant"].configured(val=0.1)
    mixed = made.initial_parameters(3, ones, tenth)
    assert np.all(mixed["W2"] == 1.0)
    assert np.all(mixed["b2"] == 0.1)
    assert architecture((3, 2), "tanh").initial_parameters(0, ones)["W1"].dtype == np.float32
    assert np.array_equal(made.initial_parameters(3, None, None)["b1"], drawn["b1"])
    normal = INITIALISERS["normal"].configured(std=0.1)
    again = np.random.default_rng(3)
    again.uniform(size=(50, 100))
    near(made.initial_parameters(3, None, normal)["b1"], 0.1 * again.standard_normal((50, 1)))
    many = architecture((2,) * 12, "prelu", np.float64)
    assert many.initial_parameters(0)["alpha11"].tolist() == [[0.25]]
    for layers, own in (((1, 2), 2), ((2, 2), 1)):
        f = ACTIVATIONS["prelu"].configured(num_parameters=own, init=0.5)
        assert np.all(architecture(layers, f).initial_parameters(0)["alpha1"] == np.full((own, 1), 0.5))


def test_what_slide_3_divides_by():
    for reduction, loss, n in (
        ("mean", "mse", 10),
        ("sum", "mse", 1),
        ("none", "mse", 1),
        ("batchmean", "kl_div", 5),
        ("mean", "nll", 5),
    ):
        assert architecture((3, 2), "tanh", np.float32, reduction, loss).n(5) == n
    assert architecture((3, 2), "tanh").target_shape(5) == (2, 5)
    assert architecture((3, 2), "tanh", loss="nll").target_shape(5) == (1, 5)
    assert architecture((3, 2), "tanh", loss="cross_entropy").target_shape(5) == (2, 5)
    made = architecture((3, 2), "tanh", loss="nll")
    assert made.reduced_loss.value.keywords["mean"] is True
    assert (made.loss, made.reduction, made.dtype) == (LOSSES["nll"], "mean", np.float32)
    assert architecture((3, 2), "tanh").loss is LOSSES["mse"]
    assert architecture((3, 2, 1), (ACTIVATIONS["relu"], "tanh")).activations[1].name == "tanh"
    assert architecture([3, 2], "tanh").layers == (3, 2)
    with pytest.raises(FrozenInstanceError):
        made.reduction = "sum"


@pytest.mark.parametrize(
    ("layers", "activation", "words"),
    [
        ((3,), "tanh", r"layers: need an input and a layer, each at least 1: \(3,\)"),
        ((3, 0), "tanh", r"layers: need an input and a layer, each at least 1: \(3, 0\)"),
        ((3, 2), ("tanh", "tanh"), "activation: 2 given for 1 layers"),
        (
            (4, 3),
            ACTIVATIONS["prelu"].configured(num_parameters=4),
            "activation: prelu has 1 parameter or 3, one a unit",
        ),
    ],
)
def test_impossible_architectures(layers, activation, words):
    with pytest.raises(ValueError, match=f"^{words}$"):
        architecture(layers, activation)
    Architecture((1, 1), (ACTIVATIONS["tanh"],))
