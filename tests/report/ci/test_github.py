"""What GitHub Actions is told: escaped, ten at most, root causes only, never more than fits a summary."""

from __future__ import annotations

import re
import urllib.parse

import pytest

from parity.config.config import Config
from parity.golden import RecordedGolden, record, replay
from parity.golden.result import BitDifference
from parity.golden.text import divergence
from parity.lockstep.result import Divergence
from parity.lockstep.run import run
from parity.pytest_plugin.goldens import _said
from parity.render.texts import catalogue
from parity.report.ci import github
from parity.report.ci.compared import compared
from parity.report.ci.facts import Compared, RootCause, from_properties
from parity.report.ci.summary import Noted, causes, markdown
from tests.cli.test_cli import FEW
from tests.pytest_plugin.test_plugin import BAD, GOOD

NASTY = "100%\r\n::error::x, y: <b>`z`</b> | w_1"


@pytest.fixture
def actions(tmp_path, monkeypatch):
    """A job of GitHub Actions, and its summary file."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    monkeypatch.setenv("GITHUB_WORKSPACE", str(tmp_path))
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(tmp_path / "summary.md"))
    return tmp_path / "summary.md"


def parsed(line):
    """A workflow command as the runner reads it."""
    found = re.fullmatch(r"::error ([^:]*)::(.*)", line)
    assert found, line
    properties = dict(part.split("=", 1) for part in found[1].split(","))
    return {name: urllib.parse.unquote(value) for name, value in properties.items()}, urllib.parse.unquote(
        found[2]
    )


def test_annotations_survive_the_runner():
    line = github.commands([github.Annotation(NASTY, NASTY, NASTY, 7)])[0]
    assert "\n" not in line
    assert "\r" not in line
    properties, message = parsed(line)
    assert properties == {"file": NASTY, "line": "7", "title": NASTY}
    assert message == NASTY


@pytest.mark.parametrize(("count", "shown"), [(0, 0), (1, 1), (10, 10), (11, 10), (500, 10)])
def test_ten_annotations_at_most(count, shown):
    lines = github.commands([github.Annotation(f"t{i}", "m") for i in range(count)])
    assert len(lines) == shown
    if count > shown:
        properties, message = parsed(lines[-1])
        assert properties["title"] == f"and {count - 9} more"
        assert message.startswith("t9, t10")


@pytest.mark.parametrize("already", [0, 5_000, 2**20 - 100, 2**20])
def test_a_summary_stays_below_its_limit_and_ends_in_a_whole_line(actions, already):
    actions.write_bytes(b"x" * already)
    github.summarize("δ" * 99 + "\n" + "".join(f"line {i} δδδ\n" for i in range(200_000)))
    content = actions.read_bytes()
    assert content.startswith(b"x" * already)
    assert len(content) <= github.SUMMARY_LIMIT
    added = content[already:].decode()
    if already < 2**20 - 1000:
        assert len(content) > github.SUMMARY_LIMIT - 100
        assert added.endswith("the rest did not fit into the job summary.\n")
        assert re.search(r"\nline \d+ δδδ\n\n…", added)
    github.summarize("more\n")
    assert len(actions.read_bytes()) <= github.SUMMARY_LIMIT


def test_no_summary_where_there_is_none(monkeypatch):
    monkeypatch.delenv("GITHUB_STEP_SUMMARY", raising=False)
    github.summarize("text")


def test_a_cell_of_a_table_is_one_cell_and_plain_text():
    text = github.cell(NASTY)
    assert "\n" not in text
    assert re.search(r"(?<!\\)[|`<_*]", text) is None


ROOT = RootCause("hidden_delta", (1,), 5, "subject", "sign-flipped", "The sign is turned round.")


def noted(test, roots=(ROOT,), failed=True, **facts):
    values = {"kind": "check", "subject": "net.py:step", "verdict": "mismatch"} | facts
    return Noted(test, Compared(roots=tuple(roots), **values), failed)


def test_one_cause_is_told_once(tmp_path):
    found = causes([noted(f"t{i}") for i in range(30)] + [noted("u", subject="other.py")], tmp_path)
    assert [a.title for a in found] == ["parity: hidden_delta, layer 1: sign-flipped"] * 2
    assert "Fails t0 and 29 more." in found[0].message


def test_what_a_test_expects_is_no_cause(tmp_path):
    assert causes([noted("t", failed=False), noted("u", roots=(), verdict="match")], tmp_path) == []


def test_without_a_root_the_reason_is_told(tmp_path):
    found = causes([noted("t", roots=(), verdict="error", reason="it did not come back")], tmp_path)
    assert found[0].title == "parity: error"
    assert "it did not come back" in found[0].message


@pytest.mark.parametrize(
    ("quantity", "name"), [("loss", "loss"), ("W_next", "W1_next"), ("delta", "delta1"), ("norm", "norm")]
)
def test_a_tensor_is_told_by_its_name(tmp_path, quantity, name):
    """Of a run that is no match without a wrong formula, and of a golden of which only bits differ."""
    config = Config.model_validate({"data": {"name": "xor"}, "training": {"steps": 1}})
    first = Divergence(
        step=3, side="torch", formula="f", slide=2, layer=1, quantity=quantity, gate="side-by-side"
    )
    ran = run(config, torch=False).model_copy(update={"verdict": "mismatch", "first_divergence": first})
    assert compared("run", "xor", ran).reason.startswith(f"{name} of torch, step 3: differs")

    golden = tmp_path / "xor.safetensors"
    assert record(config, golden, torch=False).exit_code == 0
    bit = BitDifference(
        step=2, side="reference", quantity=quantity, layer=1, index=[0, 0], golden=1.0, here=2.0, ulps=None
    )
    replayed = replay(golden, torch=False)
    changed = replayed.model_copy(update={"verdict": "mismatch", "first_difference": bit, "differing": 1})
    assert compared("golden", "xor", changed).reason.endswith(f"first {name} of reference, step 2")
    lines = "\n".join(divergence(changed, catalogue("en")))
    assert f"{name}[0,0]" in lines

    moved = replayed.model_copy(update={"first_divergence": first})
    made = RecordedGolden(golden, "updated", replay=moved, result=ran)
    assert _said(made, "xor") == (f"updated: {name} of torch was outside its bound",)


def test_failures_stand_first_and_names_stay_text():
    text = markdown(
        [noted("good", roots=(), verdict="match", failed=False), noted("a|b<c>")], ["goldens/x"]
    )
    assert text.startswith("## parity: 1 of 2 comparisons do not hold")
    rows = [line for line in text.splitlines() if line.startswith("| ")][1:]
    assert [row.split(" | ")[0] for row in rows] == ["| a\\|b&lt;c>", "| good"]
    assert "unused golden: goldens/x" in text


def test_facts_travel_unchanged():
    compared = noted(NASTY, updated=("recorded",), golden="goldens/δ", numbers=0).compared
    properties = [("parity", compared.to_json()), ("other", 1), ("parity", "text"), ("parity", "[1]")]
    assert from_properties(properties) == [compared]


def test_a_run_is_told(ask, actions):
    code, _, err = ask("run", *FEW)
    assert (code, err) == (0, "")
    text = actions.read_text(encoding="utf-8")
    assert text.startswith("## parity: every comparison holds")
    assert "| 5 | hidden\\_delta | 1 | match" in text


def test_a_wrong_step_is_told_with_its_line(ask, actions):
    actions.with_name("bad.py").write_text(BAD, encoding="utf-8")
    code, out, err = ask("check", "bad.py")
    assert code == 1
    assert "::error" not in out
    properties, message = parsed(err.strip())
    line = next(i for i, text in enumerate(BAD.splitlines(), 1) if "-(W[l + 1].T" in text)
    assert properties == {
        "file": "bad.py",
        "line": str(line),
        "title": "parity: hidden_delta, layer 1: sign-flipped",
    }
    assert "parity check bad.py" in message
    assert "is where the number was likely computed" in message
    assert "sign-flipped" in actions.read_text(encoding="utf-8")


def test_a_line_that_is_not_known_is_said_to_be_unknown(ask, actions):
    """δ is hidden, and no mistake has a name: it may be one of two formulas, in two lines."""
    hidden = BAD.replace("-(W[l + 1].T", "np.cbrt(W[l + 1].T").partition("    return {")[0]
    actions.with_name("bad.py").write_text(hidden + '    return {"dW": dW, "db": db}\n', encoding="utf-8")
    code, _, err = ask("check", "bad.py")
    assert code == 1
    properties, message = parsed(err.splitlines()[0])
    line = next(i for i, text in enumerate(hidden.splitlines(), 1) if text.startswith("def step"))
    assert (properties["file"], properties["line"]) == ("bad.py", str(line))
    assert "Which line is wrong is not known" in message


def test_a_folder_of_submissions_is_told(ask, actions):
    folder = actions.parent / "all"
    folder.mkdir()
    for name, source in {"a": GOOD, "b": BAD, "c": "def step(:\n"}.items():
        (folder / f"{name}.py").write_text(source, encoding="utf-8")
    code, _, err = ask("check", "all")
    assert code == 1
    files = [parsed(line)[0]["file"] for line in err.splitlines() if line.startswith("::error")]
    assert files == ["all/b.py", "all/c.py"]


def test_a_wrong_question_is_told_too(ask, actions):
    code, _, err = ask("check", "nowhere.py")
    assert code == 2
    assert parsed(err.splitlines()[1])[1] == "nowhere.py: there is no such file"


def test_a_regression_is_told(ask, actions, monkeypatch):
    code, _, _ = ask("record", *FEW, "-o", "xor.safetensors", "--no-torch")
    assert code == 0
    from reference.engine import Network

    backward = Network.backward

    def wrong(self, y):
        loss = backward(self, y)
        self.gradients.views["b1"] *= 0.5
        return loss

    monkeypatch.setattr(Network, "backward", wrong)
    code, _, err = ask("replay", "--no-torch", "xor.safetensors")
    assert code == 1
    properties, message = parsed(err.strip())
    assert properties["file"] == "xor.safetensors"
    assert properties["title"] == "parity: bias_gradient, layer 1"
    assert "parity replay --no-torch xor.safetensors" in message
    assert "bias\\_gradient" in actions.read_text(encoding="utf-8")


def test_elsewhere_nothing_is_told(ask, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("GITHUB_ACTIONS", raising=False)
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(tmp_path / "summary.md"))
    _, out, err = ask("run", *FEW)
    assert "::" not in out + err
    assert list(tmp_path.iterdir()) == []
