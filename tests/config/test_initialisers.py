"""PyTorch's initialisers, held to our formulas: from the same standard draw, the same weights."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from parity.bounds.formats import arithmetic
from parity.config.case import build
from parity.config.config import Config
from parity.errors import UsageError
from reference.initialisers import GAINS, INITIALISERS

OPTIONS = {
    "uniform": ({}, {"a": -0.3, "b": 0.7}),
    "normal": ({}, {"mean": 0.2, "std": 0.4}),
    "constant": ({"val": 0.3},),
    "eye": ({},),
    "xavier_uniform": ({}, {"gain": 5 / 3}),
    "xavier_normal": ({}, {"gain": 0.5}),
    "kaiming_uniform": ({}, {"a": 0.2, "mode": "fan_out"}, {"nonlinearity": "relu"}),
    "kaiming_normal": ({}, {"nonlinearity": "tanh"}, {"mode": "fan_out", "nonlinearity": "selu"}),
}
CASES = [(name, options) for name, choices in OPTIONS.items() for options in choices]
SHAPES = [(2, 3), (5, 4), (17, 33), (1, 7)]
ROUNDINGS = 8
"""Of the scale: two fans, a root, the gain, the rounding to the format; b − a; the product; the sum."""


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize(("name", "options"), CASES)
def test_from_the_same_draw_pytorch_makes_the_same_weights(name, options, shape, dtype):
    entry, kind = INITIALISERS[name].configured(**options), getattr(torch, dtype)
    draw = torch.empty(shape, dtype=kind)
    generator = torch.Generator().manual_seed(3)
    if entry.draws == "uniform":
        draw.uniform_(generator=generator)
    elif entry.draws == "normal":
        draw.normal_(generator=generator)
    theirs = torch.empty(shape, dtype=kind)
    more = {} if entry.draws == "none" else {"generator": torch.Generator().manual_seed(3)}
    getattr(torch.nn.init, name + "_")(theirs, **entry.options, **more)
    exact = draw.numpy().astype(np.longdouble) if entry.draws != "none" else np.zeros(shape)
    ours = entry.scale(exact, shape[1], shape[0], **entry.options)
    offset = entry.scale(np.zeros(shape), shape[1], shape[0], **entry.options)
    terms = np.abs(ours - offset) + np.abs(offset)
    judge = arithmetic(np.dtype(dtype))
    assert np.all(np.abs(theirs.numpy() - ours) <= judge.gamma(ROUNDINGS) * terms + 2 * judge.eta)
    assert entry.draws == "none" or len(np.unique(theirs.numpy())) > 1


@pytest.mark.parametrize("shape", SHAPES)
def test_the_orthogonal_one_is_the_same_q(shape):
    """Q is unique, R's diagonal being positive; in float64 the two differ by the draw's condition."""
    draw = torch.empty(shape, dtype=torch.float64).normal_(generator=torch.Generator().manual_seed(3))
    theirs = torch.empty(shape, dtype=torch.float64)
    torch.nn.init.orthogonal_(theirs, gain=1.5, generator=torch.Generator().manual_seed(3))
    ours = INITIALISERS["orthogonal"].scale(draw.numpy(), shape[1], shape[0], gain=1.5)
    condition = np.linalg.cond(draw.numpy())
    bound = arithmetic(np.float64).gamma(10 * shape[0] * shape[1]) * condition * 1.5
    assert np.abs(theirs.numpy() - ours).max() <= bound


def test_gains_are_pytorchs():
    for name, value in GAINS.items():
        assert torch.nn.init.calculate_gain(name) == pytest.approx(value, rel=4e-16)


def config(**network):
    return Config.model_validate({"network": network, "data": {"name": "iris"}, "training": {"steps": 1}})


def test_a_config_draws_by_them():
    drawn = build(config(initialiser="orthogonal", bias_initialiser={"name": "constant", "val": 0.1}))
    W, b = drawn.parameters["W1"].astype(np.float64), drawn.parameters["b1"]
    assert np.allclose(W.T @ W, np.eye(4), atol=1e-6)
    assert np.all(b == np.float32(0.1))


@pytest.mark.parametrize(
    ("network", "words"),
    [
        ({"initialiser": "he"}, "unknown 'he'"),
        ({"bias_initialiser": "orthogonal"}, "unknown 'orthogonal'"),
        ({"initialiser": {"name": "kaiming_normal", "mode": "fan_up"}}, "mode is"),
        ({"initialiser": {"name": "kaiming_normal", "nonlinearity": "swish"}}, "nonlinearity is one of"),
        ({"initialiser": {"name": "xavier_normal", "gian": 1.0}}, "takes no 'gian'"),
    ],
)
def test_a_wrong_one_is_said_in_one_line(network, words):
    with pytest.raises(UsageError, match=words):
        build(config(**network))
