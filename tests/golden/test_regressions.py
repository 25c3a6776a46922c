"""A replay against a build with a planted bug: exit 1, and the right formula by name."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest

from parity.golden import record, replay
from tests.certify.test_planted_bugs import case_for
from tests.command import ROOT, parity
from tests.golden.helpers import COMMITTED, config_of
from tests.mutants.engine import BUGS, Engine
from tests.mutants.torch_side import MutantTwin
from tests.nightly import one_in


@pytest.fixture(scope="module")
def golden_for(tmp_path_factory):
    """A golden of the case in which a bug shows; recorded once for each kind of network."""
    folder = tmp_path_factory.mktemp("goldens")

    def get(bug):
        path = folder / f"{bug.activation}-{bug.dtype}-{len(bug.layers)}.safetensors"
        if not path.exists():
            assert record(config_of(case_for(bug)), path).outcome == "recorded"
        return path

    return get


@pytest.mark.parametrize("bug", BUGS, ids=lambda bug: bug.name)
def test_a_bug_in_the_engine(golden_for, bug):
    found = replay(golden_for(bug), sides={"reference": bug.planted(Engine)})
    assert found.exit_code == 1
    assert {(wrong.formula, wrong.side) for wrong in found.wrong_formulas} == {(bug.formula, "reference")}
    first = found.first_divergence
    assert (first.side, first.formula, first.step) == ("reference", bug.formula, 0)


@pytest.mark.parametrize("bug", [bug for bug in BUGS if bug.on_torch], ids=lambda bug: bug.name)
def test_a_bug_in_torch(golden_for, bug):
    found = replay(golden_for(bug), sides={"torch": lambda case: MutantTwin(case, bug)})
    assert found.exit_code == 1
    assert {(wrong.formula, wrong.side) for wrong in found.wrong_formulas} == {(bug.formula, "torch")}


def test_the_copy_without_a_bug_holds(golden_for):
    """Otherwise the tests above would prove nothing."""
    assert replay(golden_for(BUGS[0]), sides={"reference": Engine}).verdict == "match"


def test_sides_that_keep_a_state_walk_on_alone(golden_for, monkeypatch):
    """No optimizer of the deck keeps one: here one is made to believe so."""
    monkeypatch.setattr("parity.golden.rerun.keeps_state", lambda architecture: True)
    path = golden_for(BUGS[0])
    assert replay(path, bitwise=True).verdict == "match"  # on its own, it goes where the golden went
    bug = next(bug for bug in BUGS if bug.name == "update_without_rate")
    found = replay(path, sides={"reference": bug.planted(Engine)})
    assert {wrong.formula for wrong in found.wrong_formulas} == {"weight_update"}
    found = replay(path, sides={"reference": Nudged})
    assert (found.exit_code, found.first_divergence.step) == (1, 1)
    assert "does not start" in found.first_divergence.complaint


class Nudged(Engine):
    def step(self, x, y):
        trace = super().step(x, y)
        self.W[1] = np.nextafter(self.W[1], np.float32(np.inf))
        return trace


class Forgetful(Engine):
    def __init__(self, case) -> None:
        super().__init__(case)
        self.W[1] = self.W[1] * 1.5


def test_a_side_that_does_not_start_where_it_is_told_to(golden_for):
    found = replay(golden_for(BUGS[0]), sides={"reference": Forgetful})
    assert found.exit_code == 1
    assert "does not start" in found.first_divergence.complaint


GOLDENS = [COMMITTED / f"{name}-float32.safetensors" for name in ("sigmoid", "tanh", "relu")]
BUILDS = {
    # name: (the formula to be named, what stands in reference/, what is planted)
    "z_without_bias": (
        "affine",
        "    z += b ",
        "    z += 0 * b ",
    ),
    "loss_n_doubled": (
        "loss",
        "np.divide(np.add.reduce(np.square(r), axis=None), n)",
        "np.divide(np.add.reduce(np.square(r), axis=None), 2 * n)",
    ),
    "gradient_without_2": (
        "loss_gradient",
        "np.multiply(2 / n, r",
        "np.multiply(1 / n, r",
    ),
    "gradient_sign": (
        "loss_gradient",
        "r = np.subtract(y_hat, y",
        "r = np.subtract(y, y_hat",
    ),
    "sigmoid_prime": (
        "output_delta",
        "np.subtract(1, a, out=out)",
        "np.add(1, a, out=out)",
    ),
    "tanh_prime": (
        "output_delta",
        "np.square(a, out=out)",
        "np.abs(a, out=out)",
    ),
    "relu_leaks": (
        "activation",
        "np.maximum(z, 0, out=out)",
        "np.maximum(z, 0.01 * z, out=out)",
    ),
    "s_sign": (
        "hidden_delta",
        "np.matmul(W.T, delta, out=out)",
        "np.matmul(-W.T, delta, out=out)",
    ),
    "dW_halved": (
        "weight_gradient",
        "np.matmul(delta, a.T, out=out)",
        "np.matmul(delta / 2, a.T, out=out)",
    ),
    "db_averaged": (
        "bias_gradient",
        "np.add.reduce(delta, axis=1",
        "np.add.reduce(delta / 4, axis=1",
    ),
    "update_sign": (
        "weight_update",
        "return np.subtract(W, step",
        "return np.add(W, step",
    ),
    "bias_not_updated": (
        "bias_update",
        "step = np.multiply(lr, db",
        "step = np.multiply(0 * lr, db",
    ),
}


@pytest.mark.parametrize("name", one_in(3, BUILDS))
def test_a_build_whose_formula_was_changed(tmp_path, name):
    """The engine and the certificates run the same changed line and agree: the golden knows better."""
    formula, right, wrong = BUILDS[name]
    for package in ("reference", "parity"):
        shutil.copytree(ROOT / package, tmp_path / package, ignore=shutil.ignore_patterns("__pycache__"))
    texts = {file: file.read_text(encoding="utf-8") for file in (tmp_path / "reference").rglob("*.py")}
    assert sum(text.count(right) for text in texts.values()) == 1
    for file, text in texts.items():
        file.write_text(text.replace(right, wrong), encoding="utf-8")
    result = tmp_path / "result.json"
    done = parity(
        "replay", "--no-torch", *GOLDENS, "--json", result, torch=False, root=tmp_path, folder=tmp_path
    )
    assert done.returncode == 1, done.stderr
    failed = [
        found for found in json.loads(result.read_text())["replays"] if found["verdict"] == "mismatch"
    ]
    assert failed
    for found in failed:
        assert found["wrong_formulas"][0]["formula"] == formula
        assert found["wrong_formulas"][0]["side"].startswith("golden/")
        assert found["first_divergence"]["formula"] == formula


def test_a_build_without_a_bug_holds(tmp_path):
    for package in ("reference", "parity"):
        shutil.copytree(ROOT / package, tmp_path / package, ignore=shutil.ignore_patterns("__pycache__"))
    done = parity("replay", "--no-torch", *GOLDENS, torch=False, root=tmp_path, folder=tmp_path)
    assert done.returncode == 0, done.stderr
