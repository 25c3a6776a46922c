"""Goldens elsewhere: another kernel, two threads, no torch: a match, and why bits differ."""

from __future__ import annotations

import json
import platform
from dataclasses import replace

import numpy as np
import pytest

from parity.errors import UsageError
from parity.golden import read, record, replay
from parity.golden.bits import compare
from parity.golden.environment import CAUSES, COMMON
from parity.golden.result import Replay
from parity.render.texts import LANGUAGES, catalogue
from reference import formulas
from reference.operations.linear import AFFINE
from tests.command import parity
from tests.golden.helpers import config


def test_every_cause_has_a_name_in_every_language():
    every = {fact for known in (*CAUSES.values(), COMMON) for fact in known}
    for lang in LANGUAGES:
        assert {f"golden.cause_{fact}" for fact in every} <= catalogue(lang).keys()


@pytest.mark.skipif(platform.machine() != "x86_64", reason="names kernels of OpenBLAS for x86-64")
def test_another_kernel_is_a_match_and_is_named(tmp_path):
    path, result = tmp_path / "g.safetensors", tmp_path / "r.json"
    words = ("--data", "iris", "--layers", "4-32-3", "--steps", "3", "-o", path)
    assert parity("record", *words, OPENBLAS_CORETYPE="Haswell").returncode == 0
    done = parity("replay", path, "--no-torch", "--json", result, OPENBLAS_CORETYPE="Nehalem")
    assert done.returncode == 0, done.stderr
    assert "another BLAS kernel: Haswell → Nehalem" in done.stdout
    found = Replay.model_validate(json.loads(result.read_text())["replays"][0])
    assert found.verdict == "match"
    assert found.differing > 0
    assert [cause.fact for cause in found.causes] == ["blas_kernel"]
    assert all(row.worst_ratio <= 1 for row in found.against_golden)
    differing = [row for row in found.against_golden if row.differing]
    assert all(row.ulps for row in differing)
    assert sum(row.differing for row in differing) == found.differing


def test_two_threads_are_a_match_and_are_named(tmp_path):
    path = tmp_path / "g.safetensors"
    record(config(network={"layers": [64, 32, 10]}, data={"name": "digits"}, training={"batch": 64}), path)
    found = replay(path, threads=2)
    assert found.verdict == "match"
    named = {(cause.fact, cause.then, cause.now) for cause in found.causes}
    assert named == {("blas_threads", 1, 2), ("torch_threads", 1, 2)}


def test_a_changed_order_of_sums_that_no_fact_explains_says_so(ask, tmp_path, monkeypatch):
    golden, right = tmp_path / "iris.safetensors", formulas.weight_gradient
    record(config(network={"layers": [4, 8, 3]}, data={"name": "iris"}), golden)

    def turned_round(delta, a, out=None):
        if not isinstance(delta, np.ndarray):
            return right(delta, a, out)
        result = np.zeros((delta.shape[0], a.shape[0]), delta.dtype) if out is None else out
        result[...] = 0
        for sample in reversed(range(delta.shape[1])):
            result += np.outer(delta[:, sample], a[:, sample])
        return result

    wrong = replace(AFFINE.vjps["W"], function=turned_round)
    monkeypatch.setitem(AFFINE.vjps, "W", wrong)
    code, out, _ = ask("replay", golden, "--no-torch")
    assert code == 0
    assert "its code now computes in another order or form" in out
    code, out, _ = ask("replay", golden, "--no-torch", "--bitwise")
    assert code == 1
    assert "First other bits: dW" in out
    assert "parity replay --no-torch --bitwise" in out


def test_without_torch_installed(golden, tmp_path):
    done = parity("replay", golden, "--no-torch", torch=False)
    assert (done.returncode, done.stderr) == (0, "")
    done = parity("replay", golden, torch=False)
    assert (done.returncode, done.stdout) == (3, "")
    assert done.stderr.count("\n") == 1
    assert "--no-torch" in done.stderr
    path = tmp_path / "alone.safetensors"
    assert parity("record", "--data", "xor", "--no-torch", "-o", path, torch=False).returncode == 0
    assert read(path).sides == ("reference",)
    assert replay(path, torch=False).verdict == "match"


def test_torch_against_a_golden_of_the_engine_alone(ask, tmp_path):
    path = tmp_path / "alone.safetensors"
    record(config(), path, torch=False)
    found = replay(path)
    assert found.verdict == "match"
    assert {row.side for row in found.formulas} == {"golden/reference", "reference", "torch"}
    with pytest.raises(UsageError, match="no bits of torch"):
        replay(path, bitwise=True)
    assert replay(path, bitwise=True, torch=False).verdict == "match"


def test_bits_are_counted_in_floats_between():
    one = np.array([[1.0, 0.0, -1.0, 5.0]])
    other = np.array([[np.nextafter(1, 2), -0.0, -1.0, 5.0]])
    found = compare(one, other)
    assert (found.differing, found.ulps) == (2, 1)
    tiny = np.float32(1e-45)
    assert compare(np.array(-tiny), np.array(tiny)).ulps == 3  # −tiny, −0, 0, tiny
    assert compare(np.array(np.nan), np.array(np.nan)).differing == 0
    assert compare(np.array(np.inf), np.array(1.0)).ulps is None
    large = compare(np.array(-1.7e308), np.array(1.7e308))
    assert large.ulps > 2**63
    with pytest.raises(ValueError, match="against"):
        compare(one, one.astype("f4"))
