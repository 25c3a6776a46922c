"""Goldens for tests: made, spoilt, and replayed where torch is not to be had."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
from safetensors import safe_open
from safetensors.numpy import load_file, save_file

from parity.config.case import Case
from parity.config.config import Config
from parity.golden.format import digest, sidecar
from parity.lockstep.tracefile import canonical
from tests.command import ROOT

COMMITTED = ROOT / "tests" / "goldens"


def config(**tables: dict) -> Config:
    """2-3-1 on XOR, two steps, unless said otherwise."""
    made = {
        "network": {"layers": [2, 3, 1], **tables.get("network", {})},
        "data": tables.get("data", {"name": "xor"}),
        "training": {"lr": 0.5, "steps": 2, "batch": 0, **tables.get("training", {})},
    }
    return Config.model_validate(made)


def config_of(case: Case) -> Config:
    """A case given outright, as a config: every number of it a float of the case's format."""
    architecture = case.architecture
    network = {
        "layers": list(architecture.layers),
        "activation": [f.name for f in architecture.activations],
        "dtype": np.dtype(architecture.dtype).name,
        "parameters": {name: array.tolist() for name, array in case.parameters.items()},
    }
    data = {"x": case.x.T.tolist(), "y": case.y.T.tolist()}
    return config(network=network, data=data, training={"lr": case.lr, "steps": case.steps})


def facts(path: Path) -> dict:
    with safe_open(path, framework="numpy") as file:
        return json.loads(file.metadata()["parity"])


def rewrite(
    path: Path,
    target: Path,
    change: Callable[[dict, dict], None],
    *,
    reseal: bool,
) -> Path:
    """A copy whose facts and tensors were changed; `reseal` also computes its digest anew."""
    arrays, known = load_file(path), facts(path)
    change(known, arrays)
    if reseal:
        known["digest"] = digest(known, arrays)
    save_file(arrays, target, metadata={"parity": canonical(known)})
    sidecar(target).unlink(missing_ok=True)
    return target


def flipped(array: np.ndarray, index: int, bit: int) -> np.ndarray:
    """One bit of one number turned over."""
    unsigned = np.dtype(f"u{array.dtype.itemsize}")
    copy = np.array(array, order="C")
    flat = copy.reshape(-1).view(unsigned)
    flat[index] ^= unsigned.type(1) << unsigned.type(bit)
    return copy
