"""CS231n's two-layer network (assignment 1, 2019): its published losses, through a config file."""

from __future__ import annotations

import json

import numpy as np

from parity.__main__ import _run

DATA_LOSS = 1.26585705212
WITH_L2 = 1.30378789133
"""0.05 (Σ W1² + Σ W2²) on top, without a half."""


def rows(array) -> str:
    return json.dumps(array.tolist())


def test_the_published_losses(tmp_path):
    random = np.random.RandomState(0)
    W1, W2 = 0.1 * random.randn(4, 10), 0.1 * random.randn(10, 3)
    X = 10 * np.random.RandomState(1).randn(5, 4)
    (tmp_path / "cs231n.toml").write_text(
        f"""
[network]
layers = [4, 10, 3]
activation = ["relu", "identity"]
dtype = "float64"
[network.parameters]
W1 = {rows(W1.T)}
b1 = {rows(np.zeros(10))}
W2 = {rows(W2.T)}
b2 = {rows(np.zeros(3))}
[data]
x = {rows(X)}
y = [[0], [1], [2], [2], [1]]
[training]
loss = "cross_entropy"
lr = 1e-3
steps = 1
"""
    )
    result = tmp_path / "result.json"
    assert _run(["run", "--config", str(tmp_path / "cs231n.toml"), "--json", str(result)]) == 0
    for losses in json.loads(result.read_text())["loss"].values():
        assert round(losses[0], 11) == DATA_LOSS
        assert round(losses[0] + 0.05 * (np.sum(W1**2) + np.sum(W2**2)), 11) == WITH_L2
