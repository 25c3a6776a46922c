"""A few steps of ours, of PyTorch's and of the list of equations, held to each other."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from parity.pytorch.twin import Twin
from reference.engine import Network
from reference.equations import constants, shapes, step_equations
from reference.optimizers import OPTIMIZERS
from tests.reference.near import near

SINGLE_STATES = ("asgd", "nadam")
"""PyTorch keeps their η_t and Πμ as float32: see `reports/findings.md`."""


def offered(name):
    """PyTorch's optimizer; where this PyTorch is too old to have it, the test does not run."""
    kind = OPTIMIZERS[name].source.removeprefix("torch.optim.")
    if not hasattr(torch.optim, kind):
        pytest.skip(f"torch {torch.__version__} has no {kind}")
    return getattr(torch.optim, kind)


def written(rule):
    """A rule says in LaTeX what it does."""
    assert rule.latex.count("{") == rule.latex.count("}")
    assert rule.latex
    assert "None" not in rule.latex


def start(made, seed=0, batch=4):
    random = np.random.default_rng(seed)
    parameters = {name: random.normal(size=shape) for name, shape in made.parameter_shapes().items()}
    x = random.normal(size=(made.layers[0], batch))
    y = random.normal(size=made.target_shape(batch))
    return parameters, x, y


def rows(array):
    return np.ascontiguousarray(array.T).T


def agree(made, steps=7, lr=0.05, seed=0, batch=4):
    """Engine, PyTorch, and the list of equations from the engine's states; all names, all shapes."""
    parameters, x, y = start(made, seed, batch)
    rtol = 1e-5 if made.optimizer.name in SINGLE_STATES else 1e-8
    network, twin = Network(made, parameters), Twin(made, parameters, lr)
    for t in range(1, steps + 1):
        ours, theirs = network.step(x, y, lr), twin.step(rows(x), rows(y))
        assert {name: tensor.shape for name, tensor in ours.items()} == shapes(made, batch)
        assert theirs.keys() == ours.keys()
        for name, tensor in theirs.items():
            near(ours[name], tensor, f"{name} of step {t}", rtol)
        again = {name: ours[name] for name in ours if name in made.parameter_shapes()}
        again |= {name: ours[name] for name in made.state_shapes()} | {"x": x, "y": y}
        numbers = constants(made, batch, lr, t)
        for equation in step_equations(made):
            again[equation.makes] = np.asarray(equation.of(again, numbers))
            near(again[equation.makes], ours[equation.makes], equation.makes, 1e-9)
        assert again.keys() == ours.keys()
    return network
