"""`parity diff`: where two saved runs first differ, in bits and beyond what rounding explains."""

from __future__ import annotations

import json

import numpy as np
import pytest

import parity
from parity.errors import UsageError
from parity.golden.diff import diff
from parity.lockstep import tracefile
from tests.command import parity as command

CASE = {
    "network": {"layers": [2, 3, 1], "activation": "tanh"},
    "data": {"name": "xor"},
    "training": {"steps": 3, "lr": 0.5, "optimizer": {"name": "sgd", "momentum": 0.9}},
}


def recorded(path, **training):
    """A golden of the case, with other training options over it."""
    case = CASE | {"training": CASE["training"] | training}
    parity.record(path, config=case)
    return path


def edited(path, to, change):
    """A trace file of the same facts with changed tensors: `change` gets them all by name."""
    file = tracefile.read(path)
    tensors = tracefile.places(file.steps())
    change(tensors)
    tracefile.put(to, tensors, file.facts)
    return to


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    folder = tmp_path_factory.mktemp("saved")
    trace = folder / "a.safetensors"
    parity.run(CASE, trace=trace)
    return trace


def test_the_same_run_has_the_same_bits(saved, tmp_path):
    golden = recorded(tmp_path / "golden.safetensors")
    found = parity.diff(saved, golden)
    assert (found.verdict, found.exit_code, found.differing, found.first_difference) == (
        "match",
        0,
        0,
        None,
    )
    assert found.sides == ["reference", "torch"]
    assert found.steps == 3
    assert found.numbers_compared > found.bits_compared > 0
    assert found.verify() is found
    assert "same bits" in str(found)


def test_one_rounding_is_a_match_and_is_told(saved, tmp_path):
    def one_ulp(tensors):
        z = tensors["1/torch/z1"]
        z[1, 2] = np.nextafter(z[1, 2], np.float32(9))

    found = diff(saved, edited(saved, tmp_path / "b.safetensors", one_ulp))
    assert found.verdict == "match", str(found)
    first = found.first_difference
    assert (first.step, first.side, first.quantity, first.layer, first.index) == (
        1,
        "torch",
        "z",
        1,
        [1, 2],
    )
    assert (first.ulps, first.given, found.differing) == (1, False, 1)
    assert [(row.side, row.quantity, row.differing) for row in found.tensors] == [("torch", "z", 1)]


def test_a_wrong_formula_of_one_run_is_told_on_its_own_inputs(saved, tmp_path):
    def transposed(tensors):
        tensors["1/torch/delta1"] *= np.float32(1.25)

    found = diff(saved, edited(saved, tmp_path / "b.safetensors", transposed))
    first = found.first_divergence
    assert (found.verdict, found.exit_code) == ("mismatch", 1)
    assert (first.step, first.side, first.formula, first.layer) == (1, "B/torch", "hidden_delta", 1)
    assert [(w.formula, w.side) for w in found.wrong_formulas][:1] == [("hidden_delta", "B/torch")]
    assert found.first_difference.quantity == "delta"
    with pytest.raises(parity.Mismatch, match="hidden_delta"):
        found.verify()


def test_a_step_that_does_not_start_where_the_last_one_ended(saved, tmp_path):
    def moved(tensors):
        tensors["2/reference/W1"][0, 0] += np.float32(1)

    found = diff(saved, edited(saved, tmp_path / "b.safetensors", moved), side="reference")
    assert found.verdict == "mismatch"
    assert found.first_divergence.step == 2
    assert found.first_divergence.side == "B/reference"


def test_runs_that_were_given_other_numbers_are_no_rounding(saved, tmp_path):
    found = diff(saved, recorded(tmp_path / "seed.safetensors", seed=1))
    assert (found.verdict, found.first_divergence.formula) == ("mismatch", "given")
    assert found.first_difference.given
    assert "given other numbers" in str(found)
    assert "otros" in found.text("es") or "distintos" in found.text("es")


def test_nan_is_told(saved, tmp_path):
    def broken(tensors):
        tensors["0/torch/a2"][0, 0] = np.nan

    found = diff(saved, edited(saved, tmp_path / "b.safetensors", broken))
    assert found.verdict == "mismatch"
    assert json.loads(found.to_json())["first_difference"]["b"] == "NaN"


def test_runs_of_other_lengths_are_compared_as_far_as_both_go(saved, tmp_path):
    found = diff(saved, recorded(tmp_path / "short.safetensors", steps=1))
    assert (found.steps, found.only_a, found.only_b, found.verdict) == (1, 2, 0, "match")


@pytest.mark.parametrize(
    ("training", "said"),
    [
        ({"lr": 0.25}, "other: lr"),
        ({"optimizer": "sgd"}, "other: optimizer"),
        ({"loss": "l1"}, "other: loss"),
    ],
)
def test_runs_of_other_networks_are_refused(saved, tmp_path, training, said):
    with pytest.raises(UsageError, match=said):
        diff(saved, recorded(tmp_path / "other.safetensors", **training))


def test_what_is_no_saved_run_is_refused_in_one_line(saved, tmp_path):
    empty = tmp_path / "empty.safetensors"
    empty.write_bytes(b"")
    for file in (empty, tmp_path / "missing.safetensors", tmp_path):
        with pytest.raises(UsageError):
            diff(saved, file)
    with pytest.raises(UsageError, match="no step and side in common"):
        diff(saved, saved, side="subject")


def test_the_command(saved, tmp_path):
    done = command("diff", saved, saved, "--json", "-", "--lang", "es", folder=tmp_path, torch=False)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["schema"] == "parity-diff/1"
    assert "Los mismos bits" in done.stderr
    wrong = command("diff", saved, folder=tmp_path)
    assert wrong.returncode == 2
    assert wrong.stderr.count("\n") == 1


def test_in_a_notebook(saved, tmp_path):
    def one_ulp(tensors):
        z = tensors["0/torch/z2"]
        z[0, 0] = np.nextafter(z[0, 0], np.float32(9))

    shown = diff(saved, edited(saved, tmp_path / "b.safetensors", one_ulp))._repr_html_()
    assert shown.count("<table>") == 1
    assert "z2" in shown
    assert "<script" not in shown
