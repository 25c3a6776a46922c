"""The page of a check: the subject's side, the mistake by name, where it was born, what is not shown."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from parity.check.calls import asked_calls
from parity.check.implementations import python_subject
from parity.check.run import check
from parity.golden.reader import read
from parity.golden.replay import replay_golden
from parity.lockstep.lockstep import Reference
from parity.report.golden import WatchedReplay
from parity.report.page import html as page
from parity.report.submission import recording_of
from reference.trace import Trace
from tests.check.test_hostile import GOOD
from tests.nightly import but

NO_SLOPE = GOOD.replace(" * F[activation[l]][1](z[l], a[l + 1])", "")
WRONG = {
    "slope left out": NO_SLOPE,
    "not transposed": GOOD.replace(
        "W[l + 1].T @", "(W[l + 1] if len(set(W[l + 1].shape)) == 1 else W[l + 1].T) @"
    ),
    "partly shown": NO_SLOPE.replace('"z": z, "a": a[1:], "loss": loss, "delta": d, ', ""),
    "wrong shape": GOOD.replace('"db": db', '"db": [v.T for v in db]'),
    "wrong dtype": GOOD.replace('"dW": dW', '"dW": [v.astype("float32") for v in dW]'),
    "uphill": GOOD.replace("W[l] - lr", "W[l] + lr"),
    "right": GOOD,
}


def checked(source, folder, lang="en"):
    (folder / "mine.py").write_text(source)
    return check(python_subject(str(folder / "mine.py")), asked_calls(None, None, None), lang=lang)


def marks(text, mark):
    return set(re.findall(rf'<tbody class="numbers of-step {mark}[^"]*" id="t\d+-(\w+)"', text))


def test_the_mistake_is_named_in_both_languages_and_marked_where_it_was_born(tmp_path):
    found = checked(WRONG["slope left out"], tmp_path)
    recording = recording_of(found, tmp_path / "mine.py")
    text = page(found.result, recording, "es")
    assert "missing-derivative" in text
    assert "Dejaste fuera f′(z(l))." in text
    assert "You left out f′(z(l))." in text
    line = found.result.wrong_formulas[0].line
    assert f"Likely computed in line {line}: <code>d[l] = (W[l + 1].T @ d[l + 1])</code>" in text
    assert f"Calculado probablemente en la línea {line}: <code>" in text
    assert marks(text, "born") == {"delta1"}
    assert marks(text, "inherited") == {"dW1", "db1", "W1_next", "b1_next"}
    assert re.search(r'<g class="error born" data-tensor="delta1"', text)
    assert "def step(W, b, x, y, lr, activation):" in text
    assert "2-3-2, sigmoid-sigmoid, 1 muestra" in text


def test_what_is_not_shown_is_said_and_never_a_match(tmp_path):
    found = checked(WRONG["partly shown"], tmp_path)
    text = page(found.result, recording_of(found), "en")
    rows = dict(
        re.findall(
            r'<details class="row[^"]*" id="card-(\w+)"(.*?)(?=<details class="row|</section>)', text, re.S
        )
    )
    for tensor in ("z1", "a1", "z2", "a2", "loss", "s2", "delta2", "s1", "delta1"):
        assert "not shown by the subject" in rows[tensor]
        assert 'class="chip of-step match' not in rows[tensor]
    assert "not shown by the subject" not in rows["dW1"]
    assert marks(text, "born") >= {"dW1"}
    assert "consistent with a wrong <code>hidden_delta</code>" in text


@pytest.mark.parametrize("name", but(["not transposed", "right"], sorted(WRONG)))
def test_every_subject_has_its_page(name, tmp_path):
    found = checked(WRONG[name], tmp_path)
    text = page(found.result, recording_of(found), "en")
    assert (marks(text, "born") == set()) == (name == "right")
    assert len(text.encode()) < 2_000_000


def test_without_torch_the_engine_stands_beside_the_subject(tmp_path, monkeypatch):
    found = checked(WRONG["slope left out"], tmp_path)
    monkeypatch.setattr("parity.report.submission.find_spec", lambda name: None)
    recording = recording_of(found)
    assert all(list(traces) == ["subject", "reference"] for traces in recording.steps.values())
    assert marks(page(found.result, recording, "en"), "born") == {"delta1"}


def test_the_command_writes_it_and_hostile_text_stays_text(ask, tmp_path):
    name = "<img src=x onerror=alert(1)>.py"
    (tmp_path / name).write_text(WRONG["slope left out"] + "\n# </pre><script>alert(2)</script>\n")
    done = ask("check", name, "--report", "out", "--lang", "es", folder=tmp_path)
    assert done.returncode == 1
    text = (tmp_path / "out" / "index.html").read_text(encoding="utf-8")
    assert "&lt;img src=x onerror=alert(1)&gt;.py" in text
    assert "<img" not in text
    assert text.count("<script>") == 1
    assert (tmp_path / "out" / "report.md").exists()
    assert ask("check", name, "--report", name, folder=tmp_path).returncode == 2


def test_a_folder_of_submissions_has_a_page_for_each(ask, tmp_path):
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "ana.py").write_text(WRONG["right"])
    (tmp_path / "in" / "ben.py").write_text(WRONG["slope left out"])
    done = ask("check", "in", "--report", "out", folder=tmp_path)
    assert done.returncode == 1, done.stderr
    pages = {p.parent.name: p.read_text(encoding="utf-8") for p in (tmp_path / "out").glob("*/index.html")}
    assert set(pages) == {"ana", "ben"}
    assert marks(pages["ben"], "born") == {"delta1"}
    assert not marks(pages["ana"], "born")


def test_a_replay_writes_a_page_for_each_of_todays_sides(ask, tmp_path):
    folder = Path(__file__).parents[1] / "goldens"
    done = ask("replay", str(folder / "tanh-float64.safetensors"), "--report", "out", folder=tmp_path)
    assert done.returncode == 0, done.stderr
    for side in ("reference", "torch"):
        text = (tmp_path / "out" / "tanh-float64" / side / "index.html").read_text(encoding="utf-8")
        assert "golden: " in text
        assert not marks(text, "born") | marks(text, "inherited")


def test_a_regression_is_marked_in_the_page_of_a_replay(tmp_path):
    golden = read(Path(__file__).parents[1] / "goldens" / "tanh-float64.safetensors")

    class Uphill(Reference):
        def step(self, x, y):
            trace = super().step(x, y).kept()
            return Trace({**trace, "W1_next": trace["W1"] + self.lr * trace["dW1"]})

    watched = WatchedReplay(golden, {"reference": Uphill})
    replay = replay_golden(golden, "tanh", watched.sides)
    assert replay.verdict == "mismatch"
    watched.write(replay, tmp_path, "en")
    text = (tmp_path / "reference" / "index.html").read_text(encoding="utf-8")
    assert marks(text, "born") == {"W1_next"}
    assert "wrong-sign-of-update" in text


def test_behind_a_hidden_formula_the_line_that_made_the_mistake_is_shown(tmp_path):
    """dW is shown and δ is not: the line is that of δ, and not the one that last assigned dW."""
    source = NO_SLOPE[: NO_SLOPE.index("    return {")] + '    return {"dW": dW, "db": db}\n'
    found = checked(source, tmp_path)
    recording = recording_of(found, tmp_path / "mine.py")
    number = next(n for n, line in enumerate(source.splitlines(), 1) if "d[l] = (W[l + 1].T" in line)
    (lines,) = [lines for lines in recording.extras.lines.values() if "dW1" in lines][:1]
    assert (lines["dW1"].number, lines["dW1"].behind) == (number, True)
    text = page(found.result, recording, "en")
    assert f"Line {number} is likely the one: it made, behind what is shown," in text
