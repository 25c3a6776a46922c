"""The benchmark measures, and says what the contract says. No figure is asserted: machines are noisy."""

from __future__ import annotations

import json
from itertools import islice

import pytest

from parity.__main__ import _run
from parity.bench import page, vocabulary, watched
from reference.operations.activations import ACTIVATIONS
from reference.operations.losses import LOSSES
from reference.optimizers import OPTIMIZERS
from tests.nightly import but

WHAT = ["engine/torch", "lockstep/plain", "certified/plain"]


@pytest.mark.parametrize("measured", but([2], [2, 4]))
@pytest.mark.parametrize("dtype", but(["float32"], ["float32", "float64"]))
def test_bench(tmp_path, monkeypatch, capsys, dtype, measured):
    """The memory of each contestant is measured in a process of its own, that of engine and torch first."""
    monkeypatch.setattr(page, "MEASURED", page.MEASURED[:measured])
    file, written = tmp_path / "bench.json", tmp_path / "bench.md"
    words = [
        "--sizes",
        "tiny",
        "--no-peers",
        "--json",
        str(file),
        "--markdown",
        str(written),
        "--dtype",
        dtype,
    ]
    assert _run(["bench", *words]) == 0
    assert "engine/torch" in capsys.readouterr().out
    content = json.loads(file.read_text())
    assert content["schema"] == "parity-bench/1"
    assert [row["what"] for row in content["rows"]] == WHAT
    assert [row["what"] for row in content["products"]] == ["products/torch"]
    for row in content["rows"]:
        assert (row["size"], row["dtype"]) == ("tiny", dtype)
        assert 0 < row["min"] <= row["median"] <= row["max"]
    assert content["environment"]["blas_kernel_chosen_by"]
    assert "| tiny | engine/torch |" in written.read_text()
    parts = content["profile"]  # a page has the profile, so it was measured
    assert {part["size"] for part in parts} == {"tiny"}
    assert 0.5 < sum(part["share"] for part in parts) < 1.5
    checks = [part for part in parts if part["what"].startswith("checks")]
    assert checks
    assert "PyTorch's step, recorded" in written.read_text()
    peak = content["peak_memory_mib"]["tiny"]
    assert 0 < peak["engine"] < 4 * peak["torch"]


def test_bench_of_watching(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(watched, "MODELS", {"tiny": watched._tiny})
    monkeypatch.setattr(watched, "ROUNDS", 2)
    file, page = tmp_path / "bench.json", tmp_path / "bench.md"
    assert _run(["bench", "--watch", "--json", str(file), "--markdown", str(page)]) == 0
    assert "certified/eager" in capsys.readouterr().out
    content = json.loads(file.read_text())
    what = [
        "dispatched/eager",
        "recorded/eager",
        "certified/eager",
        "sample 0.05/eager",
        "memory certified/eager",
    ]
    assert [row["what"] for row in content["rows"]] == what
    for row in content["rows"][:3]:
        assert 0 < row["min"] <= row["median"] <= row["max"]
    assert set(content["peak_memory_mib"]["tiny"]) == {"eager", "certified"}
    parts = {part["what"].partition(",")[0] for part in content["profile"]}
    assert {"addmm", "log_softmax", "the optimizer", "everything else"} <= parts
    assert "| tiny | certified/eager |" in page.read_text()


@pytest.mark.parametrize(
    "words",
    [
        ["--sizes", "huge"],
        ["--watch", "--sizes", "digits"],
        ["--dtype", "float16"],
        ["--activation", "gelu"],
        ["--json", "no/r.json"],
    ],
)
def test_wrong_questions(capsys, words):
    assert _run(["bench", *words]) == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_every_name_is_measured(tmp_path, capsys, monkeypatch):
    two = {"ACTIVATIONS": ACTIVATIONS, "LOSSES": LOSSES, "OPTIMIZERS": OPTIMIZERS}
    for name, table in two.items():  # two of each, or it would take minutes
        two[name] = dict(islice(table.items(), 2))
        monkeypatch.setattr(vocabulary, name, two[name])
    file = tmp_path / "bench.json"
    assert _run(["bench", "--sizes", "tiny", "--vocabulary", "--json", str(file)]) == 0
    rows = json.loads(file.read_text())["rows"]
    names = [name for table in two.values() for name in table]
    assert [(row["dtype"], row["name"]) for row in rows] == [
        (dtype, name) for dtype in ("float32", "float64") for name in names
    ]
    assert {row["what"] for row in rows} == {"certified/plain"}
    shown = capsys.readouterr().out
    assert "tiny float32: median" in shown
    assert "worst" in shown
