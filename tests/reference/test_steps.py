"""Whole steps of every optimizer, ours against `torch.optim`."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from reference.architecture import architecture
from reference.engine import Network
from reference.equations import constants, step_equations
from reference.optimizers import OPTIMIZERS
from tests.reference.agreement import agree, offered, start, written
from tests.reference.near import near

DECAY = {"weight_decay": 0.1, "maximize": True}
OPTIONS = {
    "sgd": [
        {"momentum": 0.9},
        {"momentum": 0.9, "dampening": 0.3, **DECAY},
        {"momentum": 0.8, "nesterov": True, "weight_decay": 0.1},
        {"weight_decay": 0.1},
        {"maximize": True},
    ],
    "asgd": [{"t0": 2.0, "lambd": 0.1, "alpha": 0.5}, {"t0": 1.0, **DECAY}],
    "rprop": [
        {"maximize": True},
        {"etaminus": 0.25, "etaplus": 1.5, "step_size_min": 0.005, "step_size_max": 0.021},
    ],
    "adam": [{"amsgrad": True, "eps": 0.1}, {**DECAY, "beta1": 0.5, "beta2": 0.9}],
    "adamw": [{"amsgrad": True, "eps": 0.1, "maximize": True}, {"weight_decay": 0.0}],
    "adamax": [{**DECAY, "eps": 0.1, "beta1": 0.7}],
    "nadam": [
        {**DECAY, "eps": 0.1},
        {"weight_decay": 0.2, "decoupled_weight_decay": True, "momentum_decay": 0.5},
    ],
    "radam": [
        {**DECAY, "eps": 0.1},
        {"weight_decay": 0.2, "decoupled_weight_decay": True, "beta2": 0.9},
        {"beta2": 0.5},
        {"beta2": 0.0},
    ],
    "adagrad": [{**DECAY, "eps": 0.1, "lr_decay": 0.5, "initial_accumulator_value": 0.3}],
    "adadelta": [{**DECAY, "rho": 0.5, "eps": 0.1}],
    "rmsprop": [
        {**DECAY, "eps": 0.1},
        {"centered": True},
        {"centered": True, "eps": 0.1, **DECAY},
        {"momentum": 0.8, **DECAY},
        {"momentum": 0.8, "alpha": 0.5},
        {"momentum": 0.8, "centered": True, "eps": 0.1},
    ],
    "adafactor": [
        {"maximize": True, "eps1": 0.1, "eps2": 0.5, "weight_decay": 0.2, "beta2_decay": -0.5},
        {"d": 1.5, "eps1": 0.001},
        {"d": 3.0, "eps2": 0.0001},
    ],
}
CASES = [
    (name, options) for name in OPTIMIZERS for options in ({}, *OPTIONS.get(name, ())) if name != "muon"
]


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(("name", "options"), CASES)
def test_every_optimizer(name, options):
    offered(name)
    for rule in OPTIMIZERS[name].configured(**options).rules:
        written(rule)
    made = architecture(
        (3, 4, 2), "tanh", np.float64, "sum", optimizer=OPTIMIZERS[name].configured(**options)
    )
    agree(made)
    wide = replace(made, layers=(2, 1, 3), reduction="mean")
    agree(wide, 3, seed=1)
    if name == "adafactor":
        agree(made, 3, lr=0.9)  # more than 1/√t


MUON = [
    {},
    {"nesterov": False, "weight_decay": 0.3, "ns_steps": 2.0},
    {"adjust_lr_fn": "match_rms_adamw", "momentum": 0.5, "ns_a": 3.0, "ns_b": -4.0, "ns_c": 2.0},
    {"adjust_lr_fn": "original", "ns_steps": 1.0, "eps": 10.0},
    {"ns_steps": 0.0},
]


@pytest.mark.parametrize("options", MUON)
@pytest.mark.parametrize("layers", [(3, 4, 2), (5, 2, 2)])
def test_muon_is_newton_schulz_and_adamw(options, layers):
    """PyTorch iterates in bfloat16; so the iteration is held to one written out here, the rest to AdamW."""
    rule = OPTIMIZERS["muon"].configured(**options)
    made = architecture(layers, "tanh", np.float64, "sum", optimizer=rule)
    parameters, x, y = start(made)
    network = Network(made, parameters)
    o, lr = rule.options, 0.05
    for t in range(1, 4):
        step = network.step(x, y, lr)
        numbers = constants(made, 4, lr, t)
        again = {name: step[name] for name in (*made.parameter_shapes(), *made.state_shapes())}
        again |= {"x": x, "y": y}
        for equation in step_equations(made):
            again[equation.makes] = np.asarray(equation.of(again, numbers))
            near(again[equation.makes], step[equation.makes], equation.makes, 1e-9)
        for layer in (1, 2):
            W, g, B = (step[f"{name}{layer}"] for name in ("W", "dW", "B_W"))
            after = o["momentum"] * B + (1 - o["momentum"]) * g
            near(step[f"B_W{layer}_next"], after)
            u = o["momentum"] * after + (1 - o["momentum"]) * g if o["nesterov"] else after
            tall = u.shape[0] > u.shape[1]
            X = u.T if tall else u
            X = X / max(np.sqrt((X * X).sum()), o["eps"])
            for _ in range(int(o["ns_steps"])):
                A = X @ X.T
                X = o["ns_a"] * X + (o["ns_b"] * A + o["ns_c"] * A @ A) @ X
            size = max(1, W.shape[0] / W.shape[1]) ** 0.5
            if o["adjust_lr_fn"] == "match_rms_adamw":
                size = 0.2 * max(W.shape) ** 0.5
            near(
                step[f"W{layer}_next"],
                W * (1 - lr * o["weight_decay"]) - lr * size * (X.T if tall else X),
                "W",
                1e-9,
            )
            b, m = step[f"b{layer}"], 0.9 * step[f"m_b{layer}"] + 0.1 * step[f"db{layer}"]
            v = 0.999 * step[f"v_b{layer}"] + 0.001 * step[f"db{layer}"] ** 2
            moved = lr * m / (1 - 0.9**t) / (np.sqrt(v / (1 - 0.999**t)) + 1e-8)
            near(step[f"b{layer}_next"], b * (1 - lr * 0.01) - moved, "b", 1e-9)
