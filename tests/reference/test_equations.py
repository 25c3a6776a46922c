"""The list of a step's equations: what they are called and which tensors they name."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from reference import formulas
from reference.architecture import architecture
from reference.clipping import CLIPPINGS
from reference.equations import constants, step_equations, update_equations
from reference.formula import FORMULAS
from reference.operations.activations import ACTIVATIONS
from reference.optimizers import OPTIMIZERS

# --- Formulas that the engine runs in halves ------------------------------------------------------


def test_slide_6_for_biases():
    b, db, out = np.array([[1.0], [2.0]]), np.array([[4.0], [-2.0]]), np.empty((2, 1))
    assert formulas.bias_update(b, db, 0.5, out) is out
    assert out.tolist() == formulas.bias_update(b, db, 0.5).tolist() == [[-1.0], [3.0]]


def test_slide_5_whole():
    W, delta, slope = np.array([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]), np.eye(3)[:, :2], np.full((2, 2), 0.5)
    s, out = np.empty((2, 2)), np.empty((2, 2))
    assert formulas.hidden_delta(W, delta, slope, s, out) is out
    assert s.tolist() == [[1.0, 3.0], [2.0, 4.0]]
    assert out.tolist() == [[0.5, 1.5], [1.0, 2.0]]
    assert formulas.hidden_delta(W, delta, slope).tolist() == out.tolist()


def test_the_way_back_through_f():
    z, s, f_prime, out = (
        np.array([[0.5], [-2.0]]),
        np.array([[3.0], [4.0]]),
        np.empty((2, 1)),
        np.empty((2, 1)),
    )
    f = ACTIVATIONS["leaky_relu"].configured(negative_slope=0.25)
    assert formulas.through(f, s, z, f.function(z), f_prime=f_prime, out=out) is out
    assert out.tolist() == [[3.0], [1.0]]
    f = ACTIVATIONS["sigmoid"]
    formulas.through(f, s, z, np.array([[0.5], [0.2]]), f_prime=f_prime)
    assert f_prime.tolist() == [[0.25], [0.2 * (1 - 0.2)]]
    mixing = replace(ACTIVATIONS["softmax"], jacobian=lambda s, z, a: s + 10 * z + 100 * a)
    assert formulas.through(mixing, s, z, z, out=out).tolist() == [[58.0], [-216.0]]


# --- Equations ------------------------------------------------------------------------------------


def named(made):
    return [
        (e.makes, e.formula.name, e.formula.slide, e.layer, e.quantity, e.inputs)
        for e in step_equations(made)
    ]


def test_the_list_of_a_plain_step():
    made = architecture((3, 4, 2), ("prelu", "tanh"))
    assert named(made) == [
        ("z1", "affine", 2, 1, "z", ("W1", "x", "b1")),
        ("a1", "activation", 2, 1, "a", ("z1", "alpha1")),
        ("z2", "affine", 2, 2, "z", ("W2", "a1", "b2")),
        ("a2", "activation", 2, 2, "a", ("z2",)),
        ("loss", "loss", 3, 2, "loss", ("a2", "y")),
        ("s2", "loss_gradient", 3, 2, "s", ("a2", "y")),
        ("delta2", "output_delta", 4, 2, "delta", ("s2", "z2", "a2")),
        ("s1", "hidden_delta", 5, 1, "s", ("W2", "delta2")),
        ("delta1", "hidden_delta", 5, 1, "delta", ("s1", "z1", "a1", "alpha1")),
        ("dW1", "weight_gradient", 6, 1, "dW", ("delta1", "x")),
        ("db1", "bias_gradient", 6, 1, "db", ("delta1",)),
        ("dalpha1", "slope_gradient", 6, 1, "dalpha", ("s1", "z1", "alpha1")),
        ("dW2", "weight_gradient", 6, 2, "dW", ("delta2", "a1")),
        ("db2", "bias_gradient", 6, 2, "db", ("delta2",)),
        ("W1_next", "weight_update", 6, 1, "W_next", ("W1", "dW1")),
        ("b1_next", "bias_update", 6, 1, "b_next", ("b1", "db1")),
        ("alpha1_next", "slope_update", 6, 1, "alpha_next", ("alpha1", "dalpha1")),
        ("W2_next", "weight_update", 6, 2, "W_next", ("W2", "dW2")),
        ("b2_next", "bias_update", 6, 2, "b_next", ("b2", "db2")),
    ]
    found = {e.makes: e for e in step_equations(made)}
    assert {found[m].constants for m in ("loss", "s2")} == {("n",)}
    assert found["W1_next"].constants == ("lr",)
    assert found["z1"].constants == ()
    assert found["a2"].other_forms == ACTIVATIONS["tanh"].other_functions
    assert found["delta2"].also == ()
    assert len(found["delta2"].other_forms) == len(ACTIVATIONS["tanh"].other_forms)
    assert found["a1"].formula.latex == FORMULAS["activation"].latex
    assert found["loss"].formula.latex == FORMULAS["loss"].latex
    assert found["W1_next"].formula is FORMULAS["weight_update"]
    assert r"\min(0, z)" in found["dalpha1"].formula.latex
    assert found["dalpha1"].formula.function.func is formulas.slope_gradient
    assert found["alpha1_next"].formula.function is FORMULAS["weight_update"].function


def test_the_list_of_a_step_with_adam_and_clipping():
    made = architecture((3, 2), "softsign", optimizer=OPTIMIZERS["adam"].configured(), loss="huber")
    made = replace(made, clipping=CLIPPINGS["norm"].configured(max_norm=1.0))
    assert named(made)[7:] == [
        ("norm", "gradient_norm", 6, 1, "norm", ("dW1", "db1")),
        ("clipped_W1", "weight_clipping", 6, 1, "clipped_W", ("dW1", "norm")),
        ("clipped_b1", "bias_clipping", 6, 1, "clipped_b", ("db1", "norm")),
        ("m_W1_next", "weight_first_moment", 6, 1, "m_W_next", ("m_W1", "clipped_W1", "W1")),
        ("v_W1_next", "weight_second_moment", 6, 1, "v_W_next", ("v_W1", "clipped_W1", "W1")),
        ("W1_next", "weight_update", 6, 1, "W_next", ("W1", "m_W1_next", "v_W1_next")),
        ("m_b1_next", "bias_first_moment", 6, 1, "m_b_next", ("m_b1", "clipped_b1", "b1")),
        ("v_b1_next", "bias_second_moment", 6, 1, "v_b_next", ("v_b1", "clipped_b1", "b1")),
        ("b1_next", "bias_update", 6, 1, "b_next", ("b1", "m_b1_next", "v_b1_next")),
    ]
    found = {e.makes: e for e in step_equations(made)}
    own = ("lr", "t", "beta1", "beta2", "eps", "weight_decay")
    assert found["W1_next"].constants == own
    assert (
        found["norm"].constants
        == found["clipped_W1"].constants
        == ("clipping.max_norm", "clipping.norm_type")
    )
    clipping, rules = made.clipping, made.optimizer.rules
    assert (found["norm"].formula.latex, found["norm"].formula.function) == (
        clipping.latex_measure,
        clipping.measure,
    )
    assert (found["clipped_W1"].formula.latex, found["clipped_W1"].formula.function) == (
        clipping.latex,
        clipping.clip,
    )
    assert (found["W1_next"].formula.latex, found["W1_next"].formula.function) == (
        rules[-1].latex,
        rules[-1].function,
    )
    assert found["loss"].formula.latex == made.loss.latex
    assert found["s1"].formula.latex == made.loss.latex_gradient
    assert found["loss"].formula.name == "loss"
    assert found["delta1"].also == (ACTIVATIONS["softsign"].torch_form,)
    assert found["delta1"].other_forms[-1] is ACTIVATIONS["softsign"].torch_form
    s, z = np.array([[2.0]]), np.array([[3.0]])
    assert found["delta1"].other_forms[0](s, z, np.array([[0.75]])) == 0.125
    assert constants(made, 4, 0.5) == {
        "n": 8,
        "lr": 0.5,
        "t": 1,
        "clipping.max_norm": 1.0,
        "clipping.norm_type": 2.0,
        "beta1": 0.9,
        "beta2": 0.999,
        "eps": 1e-8,
        "weight_decay": 0.0,
    }
    sigmoid = architecture((3, 2), "sigmoid")
    forms = next(e for e in step_equations(sigmoid) if e.makes == "delta1").other_forms
    half = 1 / (1 + np.exp(-z))
    assert [form(s, z, half).item() for form in forms] == pytest.approx(
        [2 * half.item() * (1 - half.item())] * 5
    )


def test_constants_of_two_optimizers_are_kept_apart():
    made = architecture((3, 2), "tanh", optimizer=OPTIMIZERS["muon"].configured())
    found = constants(made, 4, 0.5, 3)
    assert (found["weight_decay"], found["adamw.weight_decay"], found["t"]) == (0.1, 0.01, 3)
    equations = {e.makes: e for e in step_equations(made)}
    assert equations["b1_next"].constants[:3] == ("lr", "t", "adamw.beta1")
    assert equations["W1_next"].constants[:3] == ("lr", "t", "weight_decay")
    assert equations["B_W1_next"].quantity == "B_W_next"
    nadam = architecture((3, 2), "tanh", optimizer=OPTIMIZERS["nadam"].configured())
    assert step_equations(nadam)[-1].constants[-1] == "mu_product"
    assert constants(nadam, 4, 0.5, 2)["mu_product"].roundings == 32
    rules = made.optimizer.rules
    assert [e.makes for e in update_equations(made, "W1", rules[:1])] == ["B_W1_next"]
