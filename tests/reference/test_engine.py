"""Every kind of network, in the engine, in PyTorch and as a graph; and what the engine keeps."""

from __future__ import annotations

import warnings
from dataclasses import replace

import numpy as np
import pytest
import torch

from parity.pytorch.twin import Twin
from reference.architecture import architecture
from reference.clipping import CLIPPINGS
from reference.engine import Network
from reference.equations import constants, shapes, step_equations
from reference.operations.activations import ACTIVATIONS
from reference.optimizers import OPTIMIZERS, State
from reference.training import train
from tests.reference.agreement import agree, rows, start
from tests.reference.near import near
from tests.reference.sweeps import Sweeps
from tests.reference.test_chain import trace as swept

ARCHITECTURES = [
    architecture((3, 5, 4, 2), ("tanh", "relu", "sigmoid"), np.float64),
    architecture((3, 5, 2), ("softmax", "gelu"), np.float64, "sum"),
    architecture((2, 3, 3, 2), ("identity", "log_softmax", "softmin"), np.float64, "none"),
    architecture((1, 1), "identity", np.float64),
    architecture((3, 4), "log_softmax", np.float64, "batchmean", "kl_div"),
    architecture((3, 4), "log_softmax", np.float64, "mean", "kl_div"),
    architecture(
        (3, 4, 2), (ACTIVATIONS["prelu"].configured(num_parameters=4), "prelu"), np.float64, loss="huber"
    ),
    architecture(
        (3, 4, 2),
        ("softsign", "tanhshrink"),
        np.float64,
        loss="l1",
        optimizer=OPTIMIZERS["adam"].configured(),
    ),
    architecture(
        (3, 2, 2),
        ACTIVATIONS["prelu"].configured(num_parameters=2),
        np.float64,
        optimizer=OPTIMIZERS["adam"].configured(),
    ),
]


def positive(made, y):
    return np.abs(y) / np.abs(y).sum() if made.loss.name == "kl_div" else y


@pytest.mark.parametrize(
    "made", ARCHITECTURES, ids=lambda made: f"{made.loss.name}-{made.reduction}-{made.depth}"
)
@pytest.mark.filterwarnings("ignore:reduction")
def test_every_kind_of_network(made):
    with np.errstate(divide="ignore", invalid="ignore"):
        if made.loss.name != "kl_div":
            agree(made, 3)
            agree(made, 2, seed=1, batch=1)
        parameters, x, y = start(made)
        y = positive(made, y)
        step = Network(made, parameters).step(x, y, 0.1)
        theirs = Twin(made, parameters, 0.1).step(rows(x), rows(y))
        for name in theirs:
            near(step[name], theirs[name], name, 1e-9)
        graph = made.unfolded(Sweeps({"n": made.n(x.shape[1])}))
        graph.forward({**parameters, "x": x, "y": y})
        graph.backward("loss")
        found = swept(graph)
    assert ({"r", "squares"} <= graph.values.keys()) == (made.loss.name == "mse")
    assert found.keys() == {
        name for name in step if not name.endswith("_next") and name not in made.state_shapes()
    }
    for name, tensor in found.items():
        near(tensor, step[name], name)


@pytest.mark.parametrize(
    ("loss", "indices"),
    [("cross_entropy", True), ("nll", False), ("multi_margin", False), ("multilabel_margin", False)],
)
def test_losses_of_classes_in_a_network_and_in_a_graph(loss, indices):
    made = architecture((3, 4), "log_softmax", np.float64, loss=loss)
    made = replace(made, class_indices=indices or made.class_indices)
    parameters, x, _ = start(made)
    y = np.array([[0.0, 3.0, 1.0, 2.0]])
    if loss == "multilabel_margin":
        y = np.array([[0.0, 3, 1, -1], [1, -1, 2, 0], [-1, 0, 3, 0], [2, 1, -1, 0]])
    step = Network(made, parameters).step(x, y, 0.1)
    theirs = Twin(made, parameters, 0.1).step(rows(x), rows(y))
    graph = made.unfolded(Sweeps({"n": made.n(x.shape[1])}))
    graph.forward({**parameters, "x": x, "y": y})
    graph.backward("loss")
    found = swept(graph)
    for name in theirs:
        near(step[name], theirs[name], name, 1e-9)
        if not name.endswith("_next"):
            near(found[name], theirs[name], name, 1e-9)
    graph.forward({**parameters, "x": x, "y": y})
    graph.backward("loss", np.full((), 3.0))
    near(graph.gradient("W1"), 3 * theirs["dW1"], "three times the loss", 1e-9)


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("norm", {"max_norm": 0.1}),
        ("norm", {"max_norm": 1e3}),
        ("norm", {"max_norm": 1e-6}),
        ("norm", {"max_norm": 0.05, "norm_type": 1.0}),
        ("norm", {"max_norm": 0.05, "norm_type": 3.0}),
        ("norm", {"max_norm": 0.05, "norm_type": float("inf")}),
        ("value", {"clip_value": 0.3}),
    ],
)
@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
def test_clipped_gradients_are_pytorchs(name, options, optimizer):
    clipping = CLIPPINGS[name].configured(**options)
    made = architecture((3, 4, 2), "prelu", np.float64, "sum", optimizer=OPTIMIZERS[optimizer].configured())
    made = replace(made, clipping=clipping)
    parameters, x, y = start(made)
    network = Network(made, parameters)
    for t in (1, 2):
        step = network.step(x, y, 0.1)
        gradients = {key: torch.tensor(step[f"d{key}"]) for key in parameters}
        own = [torch.nn.Parameter(gradient.clone()) for gradient in gradients.values()]
        for parameter, gradient in zip(own, gradients.values(), strict=True):
            parameter.grad = gradient.clone()
        if name == "norm":
            norm = torch.nn.utils.clip_grad_norm_(own, options["max_norm"], options.get("norm_type", 2.0))
            near(step["norm"], norm.numpy(), "norm")
        else:
            torch.nn.utils.clip_grad_value_(own, **options)
            assert "norm" not in step
        for key, parameter in zip(parameters, own, strict=True):
            near(step[f"clipped_{key}"], parameter.grad.numpy(), key)
        assert {key: tensor.shape for key, tensor in step.items()} == shapes(made, 4)
        again = {key: step[key] for key in (*made.parameter_shapes(), *made.state_shapes())} | {
            "x": x,
            "y": y,
        }
        for equation in step_equations(made):
            again[equation.makes] = np.asarray(equation.of(again, constants(made, 4, 0.1, t)))
            near(again[equation.makes], step[equation.makes], equation.makes, 1e-9)
        assert again.keys() == step.keys()


def test_a_step_of_another_batch_and_views_that_last():
    made = ARCHITECTURES[0]
    parameters, x, y = start(made)
    network = Network(made, parameters)
    assert network.model is made
    first = network.step(x, y, 0.1).kept()
    network.step(x[:, :2], y[:, :2], 0.1)
    again = network.step(x, y, 0.1)
    assert not np.array_equal(first["W1"], again["W1"])
    assert np.array_equal(first["W1"], parameters["W1"])
    for l in (1, 2, 3):
        assert np.array_equal(network.gradients.views[f"W{l}"], again[f"dW{l}"])
        assert np.array_equal(network.gradients.views[f"b{l}"], again[f"db{l}"])
        assert np.array_equal(network.parameters[f"W{l}"], again[f"W{l}_next"])
        assert np.array_equal(network.parameters[f"b{l}"], again[f"b{l}_next"])
    assert network.forward(x).shape == (2, 4)
    near(network.backward(y), ((network.forward(x) - y) ** 2).mean())


@pytest.mark.parametrize(("name", "options"), [("sgd", {"momentum": 0.5}), ("adafactor", {}), ("muon", {})])
def test_elementwise_rules_run_once_for_all_parameters(name, options):
    seen = []

    def watched(rule):
        def function(p, *rest):
            seen.append(p.ndim)
            return rule.function(p, *rest)

        return replace(rule, function=function)

    rule = OPTIMIZERS[name].configured(**options)
    rule = replace(rule, rules=tuple(watched(r) for r in rule.rules))
    made = architecture((3, 4, 2), "tanh", np.float64, optimizer=rule)
    parameters, x, y = start(made)
    Network(made, parameters).step(x, y, 0.1)
    assert seen == ([1] * len(rule.rules) if rule.elementwise else [2] * 2 * len(rule.rules))


@pytest.mark.parametrize("together", [True, False])
def test_a_state_may_begin_as_anything(together):
    begun = State("ax", lambda p, lr: p + lr)
    rule = replace(OPTIMIZERS["asgd"].configured(), states={"ax": begun}, elementwise=together)
    made = architecture((3, 4, 2), "tanh", np.float64, optimizer=rule)
    parameters, x, y = start(made)
    step = Network(made, parameters).step(x, y, 0.1)
    for name, parameter in parameters.items():
        near(step[f"ax_{name}"], parameter + 0.1)
        near(step[f"ax_{name}_next"], step[f"{name}_next"])


def test_an_update_by_itself_starts_what_the_optimizer_keeps():
    made = architecture((3, 4, 2), "tanh", np.float64, optimizer=OPTIMIZERS["rprop"].configured())
    parameters, x, y = start(made)
    network = Network(made, parameters)
    network.forward(x)
    network.backward(y)
    network.update(0.1)
    expected = Network(made, parameters).step(x, y, 0.1)
    for name, parameter in network.parameters.items():
        assert np.array_equal(parameter, expected[f"{name}_next"])


def test_a_slope_beside_what_learns_nothing():
    made = architecture((3, 4, 2), ("prelu", "tanh"), np.float32)
    parameters, x, y = start(made)
    step = Network(made, parameters).step(x.astype(np.float32), y.astype(np.float32), 0.1)
    assert {tensor.dtype for tensor in step.values()} == {np.dtype(np.float32)}
    found = np.sum(step["s1"] * np.minimum(step["z1"], 0))
    near(step["dalpha1"], found.reshape(1, 1), "dalpha1", 1e-5)


def test_wrong_parameters_are_refused():
    made = architecture((3, 4, 2), "tanh")
    parameters = made.initial_parameters(0)
    with pytest.raises(ValueError, match=r"^W2: expected shape \(2, 4\), found nothing$"):
        Network(made, {name: parameters[name] for name in parameters if name != "W2"})
    with pytest.raises(ValueError, match=r"^b1: expected shape \(4, 1\), found \(1, 4\)$"):
        Network(made, {**parameters, "b1": parameters["b1"].T})


def test_overflowing_sigmoids_are_silent_in_training():
    made = architecture((1, 1), "sigmoid", np.float32)
    network = Network(made, {"W1": np.array([[1.0]]), "b1": np.array([[0.0]])})
    x, y = np.array([[-200.0]], np.float32), np.array([[1.0]], np.float32)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        steps = list(train(network, [(x, y), (x, y)], 0.5))
    assert len(steps) == 2
    assert steps[0]["a1"].item() == 0.0
    assert steps[0]["W1"].dtype == np.float32
    assert network.parameters["W1"].dtype == np.float32
