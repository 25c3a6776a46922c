"""The page of findings: every script prints what the page says, and a run knows how to take each."""

from __future__ import annotations

import re
import shutil
from importlib.metadata import version
from pathlib import Path

import pytest

from parity.__main__ import _run
from parity.config.config import Config
from parity.errors import UsageError
from parity.lockstep.run import run
from parity.pytorch.deviations import DEVIATIONS, accepted
from tests.nightly import but
from tests.reports.deviations import entry

PAGE = Path(__file__).parents[2] / "reports" / "findings.md"
PINNED = "2.13.0"


@pytest.mark.skipif(version("torch").partition("+")[0] != PINNED, reason=f"findings are torch {PINNED}'s")
@pytest.mark.parametrize("name", but(DEVIATIONS.keys() - {"inductor-local-buffer"}, DEVIATIONS))
def test_the_page_is_what_the_scripts_print_today(name):
    if name == "inductor-local-buffer" and shutil.which("g++") is None:
        pytest.skip("inductor needs a C++ compiler, g++")
    assert entry(DEVIATIONS[name]) in PAGE.read_text(encoding="utf-8")


def test_the_page_has_every_finding():
    names = re.findall(r"^### `(.*)`$", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    assert sorted(names) == sorted(DEVIATIONS)


@pytest.mark.parametrize(
    ("network", "training", "name"),
    [
        ({"activation": "hardsigmoid", "dtype": "float64"}, {}, "hardsigmoid-float64"),
        ({"dtype": "float64"}, {"optimizer": "nadam"}, "nadam-float64"),
        ({"dtype": "float64"}, {"optimizer": "asgd"}, "asgd-float64"),
        ({"dtype": "float64"}, {"optimizer": "muon"}, "muon-bfloat16"),
    ],
)
def test_a_finding_is_a_mismatch_until_it_is_accepted(network, training, name):
    tables = {"network": network, "data": {"name": "iris"}, "training": {**training, "steps": 3}}
    result = run(Config.model_validate(tables))
    assert (result.verdict, result.first_divergence.side, result.accepted) == ("mismatch", "torch", [])
    assert f"--accept {name}" in result.reason
    tables["training"]["accept"] = [name]
    result = run(Config.model_validate(tables))
    assert (result.verdict, result.accepted) == ("match", [name])


def test_every_command_that_takes_a_run_takes_its_findings(tmp_path, capsys):
    words = ["--data", "xor", "--optimizer", "nadam", "--dtype", "float64"]
    accepted_too, file = [*words, "--accept", "nadam-float64"], str(tmp_path / "g.safetensors")
    number, later = "W1_next[0,0]", ["--step", "2"]
    assert [_run(["explain", number, *w, *later]) for w in (words, accepted_too)] == [1, 0]
    assert [_run(["record", *w, "-o", file]) for w in (words, accepted_too)] == [1, 0]
    assert _run(["replay", file]) == 0
    assert "match" in capsys.readouterr().out


def test_what_is_no_finding_in_numbers_cannot_be_accepted():
    for name in ("nothing", *(f.name for f in DEVIATIONS.values() if f.kind != "numbers")):
        with pytest.raises(UsageError, match="no finding in numbers"):
            accepted([name])
