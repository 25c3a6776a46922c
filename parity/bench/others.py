"""Other implementations of the same training step, if they are installed."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from importlib import import_module
from importlib.util import find_spec

import numpy as np
import torch

from parity.config.case import Case
from parity.pytorch.modules import activation_module
from parity.render.texts.message import Message

NAMES = ("torch.compile", "jax", "scikit-learn")


def absent() -> dict[str, str]:
    """The peers that are not available, each with the reason."""
    reasons: dict[str, str] = {}
    if not any(shutil.which(compiler) for compiler in ("c++", "g++", "clang++")):
        reasons["torch.compile"] = Message("bench_no_compiler")
    if find_spec("jax") is None:
        reasons["jax"] = Message("bench_not_installed")
    if find_spec("sklearn") is None:
        reasons["scikit-learn"] = Message("bench_not_installed")
    return reasons


def peers(case: Case) -> dict[str, Callable[[], object]]:
    """One training step of each available peer."""
    makers = {"torch.compile": _compiled, "jax": _jax, "scikit-learn": _sklearn}
    return {name: makers[name](case) for name in NAMES if name not in absent()}


def _compiled(case: Case) -> Callable[[], object]:
    """The whole step, forward to update, as one compiled function of tensors."""
    tensors = [torch.from_numpy(case.parameters[name].copy()) for name in case.parameters]
    functions = [activation_module(f, torch.float32) for f in case.architecture.activations]
    x, y = torch.from_numpy(case.x.T), torch.from_numpy(case.y.T)

    def loss(*parameters: torch.Tensor) -> torch.Tensor:
        a = x
        for l, f in enumerate(functions):
            a = f(torch.nn.functional.linear(a, parameters[2 * l], parameters[2 * l + 1][:, 0]))
        return torch.nn.functional.mse_loss(a, y)

    gradient = torch.func.grad(loss, argnums=tuple(range(len(tensors))))

    def step(*parameters: torch.Tensor) -> list[torch.Tensor]:
        return [p - case.lr * g for p, g in zip(parameters, gradient(*parameters), strict=True)]

    compiled = torch.compile(step)
    state = [tensors]

    def run() -> None:
        state[0] = compiled(*state[0])

    return run


def _jax(case: Case) -> Callable[[], object]:
    """`jax.jit` of loss, gradient and update."""
    jax = import_module("jax")
    functions = {"sigmoid": jax.nn.sigmoid, "tanh": jax.numpy.tanh, "relu": jax.nn.relu}
    chosen = [functions.get(f.name, lambda z: z) for f in case.architecture.activations]
    x, y = jax.numpy.asarray(case.x), jax.numpy.asarray(case.y)

    def loss(parameters: list[object]) -> object:
        a = x
        for l, f in enumerate(chosen):
            a = f(parameters[2 * l] @ a + parameters[2 * l + 1])
        return jax.numpy.mean(jax.numpy.square(y - a))

    @jax.jit  # type: ignore[untyped-decorator]
    def step(parameters: list[object]) -> object:
        gradients = jax.grad(loss)(parameters)
        return jax.tree.map(lambda p, g: p - case.lr * g, parameters, gradients)

    state = [[jax.numpy.asarray(array) for array in case.parameters.values()]]

    def run() -> None:
        state[0] = jax.block_until_ready(step(state[0]))

    return run


def _sklearn(case: Case) -> Callable[[], object]:
    """`MLPRegressor.partial_fit` with plain SGD; its output layer is linear, its loss half the squares."""
    network = import_module("sklearn.neural_network")
    names = {"sigmoid": "logistic", "tanh": "tanh", "relu": "relu", "identity": "identity"}
    model = network.MLPRegressor(
        hidden_layer_sizes=case.architecture.layers[1:-1],
        activation=names[case.architecture.activations[0].name],
        solver="sgd",
        alpha=0.0,
        momentum=0.0,
        nesterovs_momentum=False,
        learning_rate_init=case.lr,
        batch_size=case.x.shape[1],
        random_state=0,
    )
    x, y = np.ascontiguousarray(case.x.T), np.ascontiguousarray(case.y.T)
    target = y if y.shape[1] > 1 else y[:, 0]
    return lambda: model.partial_fit(x, target)
