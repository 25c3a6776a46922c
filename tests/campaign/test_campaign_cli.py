"""`parity campaign`, as a command line runs it."""

from __future__ import annotations

import json
import os
import pty
import re
import select
import signal
import subprocess
import sys
import time

import pytest

from parity.campaign.result import CampaignResult
from tests.campaign.test_cluster import answers, until
from tests.command import ROOT, parity

FEW = ("--only", "activations", "--minutes", "0.1")


@pytest.fixture(scope="module")
def night(tmp_path_factory):
    """A short campaign, and what it printed."""
    folder = tmp_path_factory.mktemp("campaign") / "night"
    return folder, parity(
        "campaign", "-o", folder, *FEW, "--workers", "2", "--markdown", folder.parent / "n.md"
    )


def test_a_campaign_leaves_its_cases_a_summary_a_page_and_a_table(night):
    folder, done = night
    assert (done.returncode, done.stderr) == (0, "")
    assert "MATCH: every number is its formula within rounding" in done.stdout
    found = CampaignResult.model_validate_json((folder / "summary.json").read_text())
    assert found.cases == answers(folder)
    kept, asked = ({file.stem for file in (folder / part).iterdir()} for part in ("cases", "answers"))
    assert asked | {group.smallest for group in found.groups} == kept
    assert 0 < found.undecided + 1 <= found.numbers
    assert f"{found.numbers:,} numbers compared" in done.stdout
    assert found.environments[0].facts["torch"]
    assert not any("/" in str(fact) for fact in found.environments[0].facts.values())
    assert f"{found.numbers:,}" in (folder / "index.html").read_text()
    paper = (folder.parent / "n.md").read_text()
    assert f"{found.numbers:,}" in paper
    assert "\nparity campaign -o " in paper


def test_its_worst_case_is_asked_alone_by_its_file(night, ask):
    folder, _ = night
    found = CampaignResult.model_validate_json((folder / "summary.json").read_text())
    row = max(found.rows, key=lambda row: row.worst_share)
    code, out, err = ask("campaign", "--case", folder / "cases" / f"{row.worst_case}.toml", "--json", "-")
    assert (code, json.loads(out)["worst_share"]) == (0, row.worst_share)
    assert f"{row.name}, {row.format}, {row.regime}: " in err


def test_a_second_run_is_the_same_and_two_are_compared(night, ask):
    folder, _ = night
    before = json.loads((folder / "summary.json").read_text())
    code, out, _ = ask("campaign", "-o", folder, "--minutes", 0, "--workers", 1, "--json", "-")
    assert (code, json.loads(out)) == (0, before)
    page = folder.parent / "compared"
    code, out, _ = ask("campaign", "--compare", folder, folder, "--json", "-", "--report", page)
    assert sorted(file.name for file in page.iterdir()) == ["index.html", "report.md", "result.json"]
    assert (code, json.loads(out)["cases"]) == (0, before["cases"])
    schema = json.loads(ask("schema", "campaign")[1])
    assert set(before) <= set(schema["properties"])


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "give one of -o DIR, --case FILE.toml, --compare DIR DIR"),
        (["-o", "c", "--case", "x.toml"], "give one of"),
        (["-o", "c", "--only", "activation"], "--only: unknown 'activation'; did you mean 'activations'?"),
        (["-o", "c", "--workers", "0"], "--workers"),
        (["-o", "c", "--workers", "2", "--scheduler", "tcp://x:1"], "--workers is for this machine"),
        (["-o", "mine"], "mine: is no folder of a campaign, and not empty"),
        (["-o", "mine/notes.txt"], "mine/notes.txt is not a folder"),
        (["-o", "c", "--scheduler", "nowhere"], "--scheduler nowhere: "),
        (["--case", "nope.toml"], "nope.toml: "),
        (["--case", "mine/notes.txt"], "mine/notes.txt: not valid TOML"),
        (["--compare", "mine", "nope"], "campaign"),
        (["--compare", "mine"], "--compare"),
        (["-o", "c", "--report", "r"], "--report goes with --compare"),
        (["-o", "c", "--json", "nope/x.json"], "nope/x.json: there is no folder nope"),
    ],
    ids=str,
)
def test_what_cannot_be_asked_is_one_line_and_leaves_nothing(tmp_path, monkeypatch, ask, words, said):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.txt").write_text("mine, and mine alone")
    code, out, err = ask("campaign", *words)
    assert (code, out) == (3 if "nowhere" in words else 2, "")
    assert err.count("\n") == 1
    assert said in err
    assert sorted(file.name for file in tmp_path.rglob("*")) == ["mine", "notes.txt"]


def test_a_folder_of_another_torch_is_refused_with_the_fact(night, ask, tmp_path):
    folder, _ = night
    head = json.loads((folder / "campaign.json").read_text())
    (facts,) = head["environments"].values()
    head["environments"] = {"00000000": {**facts, "torch": "2.4.1"}}
    (tmp_path / "campaign.json").write_text(json.dumps(head))
    code, out, err = ask("campaign", "-o", tmp_path, *FEW, "--workers", 1)
    assert (code, out) == (2, "")
    assert "made with torch 2.4.1, and here it is" in err


def test_without_torch_it_says_so(tmp_path):
    done = parity("campaign", "-o", tmp_path / "c", torch=False)
    assert (done.returncode, done.stderr.count("\n")) == (3, 1)
    assert not (tmp_path / "c").exists()


def test_ctrl_c_keeps_what_is_done_and_shows_it(tmp_path):
    folder = tmp_path / "c"
    process = subprocess.Popen(
        [sys.executable, "-m", "parity", "campaign", "-o", folder, "--only", "activations"],
        cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True,
    )  # fmt: skip
    until(lambda: answers(folder) > 5, process)
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does
    out, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (130, "")
    found = CampaignResult.model_validate_json((folder / "summary.json").read_text())
    assert f"{found.cases:,} cases, " in out
    assert found.cases == answers(folder) > 5


def test_a_terminal_shows_progress_with_a_rate(tmp_path):
    parent, child = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "parity", "campaign", "-o", tmp_path / "c", *FEW, "--workers", "1"],
        cwd=ROOT, stdout=subprocess.DEVNULL, stderr=child,
        env={**{k: v for k, v in os.environ.items() if k not in ("CI", "NO_COLOR")}, "COLUMNS": "150"},
    )  # fmt: skip
    os.close(child)
    shown, deadline = b"", time.monotonic() + 60
    while time.monotonic() < deadline:
        if select.select([parent], [], [], 0.2)[0]:
            try:
                shown += os.read(parent, 65536)
            except OSError:
                break
    os.close(parent)
    assert process.wait(timeout=60) == 0
    assert re.search(r"\d+ cases \(0 were there\), [\d.]+ a second; [\d,]+ numbers", shown.decode())
