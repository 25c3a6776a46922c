"""Points: a sum that is the same for everybody, credit for what is right but for precision."""

from __future__ import annotations

import csv
import json

import pytest

from parity.check.implementations import python_subject
from parity.check.points import ENTRIES, Points, states
from parity.check.run import check
from parity.errors import UsageError
from parity.report.classroom import write_class
from parity.report.gradescope import gradescope_results
from tests.check.test_strangers import CALLS, checked
from tests.mutants.styles import CLEAN, edited

AFTER = "\n\nwhole = step\n\n\ndef step(*args):\n    r = whole(*args)\n"
FLIPPED = edited(("(W[l + 1].T @ d[l + 1])", "-(W[l + 1].T @ d[l + 1])"))
ONLY_GRADIENTS = CLEAN + AFTER + "    return {k: r[k] for k in ('dW', 'db')}\n"
WIDER = edited(("dW = [d[l] @ a[l].T", "dW = [np.float64(1) * (d[l] @ a[l].T)"))


def of(source, dtype="float64"):
    return states(checked(source, dtype).result)


def test_what_is_right_earns_everything():
    found = of(CLEAN)
    assert set(found.values()) == {"right"}
    assert Points.read(None).earned(found) == Points.read(None).total == len(ENTRIES)


def test_what_is_wrong_costs_its_own_formula_alone():
    found = of(FLIPPED)
    assert [name for name, state in found.items() if state != "right"] == ["hidden_delta"]
    assert found["hidden_delta"] == "wrong"


def test_what_is_not_shown_is_earned_where_something_follows_from_it():
    found = of(ONLY_GRADIENTS)
    assert [found[n] for n in ("affine", "activation", "output_delta", "hidden_delta")] == ["through"] * 4
    assert [found[n] for n in ("loss", "weight_update", "bias_update")] == ["missing"] * 3
    assert found["weight_gradient"] == "right"


def test_precision_costs_nothing_and_is_told():
    found = of(WIDER, "float32")
    assert found["weight_gradient"] == "precision"
    assert Points.read(None).earned(found) == len(ENTRIES)


def test_a_class(tmp_path):
    (tmp_path / "bea.py").write_text(FLIPPED)
    (tmp_path / "p.toml").write_text("[points]\nhidden_delta = 3\nloss = 0\n")
    points = Points.read(tmp_path / "p.toml")
    outcomes = {
        "ana.py": checked(CLEAN),
        "=bea.py": check(python_subject(str(tmp_path / "bea.py")), CALLS["float64"]),
        "cyd/<b>.py": "line 1: SyntaxError <script>",
    }
    write_class(tmp_path / "class", outcomes, points, "es")
    with (tmp_path / "class" / "points.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [(row["submission"], row["points"], row["of"]) for row in rows] == [
        ("ana.py", "11", "11"),
        ("'=bea.py", "8", "11"),
        ("cyd/<b>.py", "0", "11"),
    ]
    page = (tmp_path / "class" / "index.html").read_text(encoding="utf-8")
    assert "sign-flipped" in page
    line = next(n for n, text in enumerate(FLIPPED.splitlines(), 1) if "-(W[l + 1].T" in text)
    assert f'<span lang="en">line {line}</span><span lang="es">línea {line}</span>' in page
    assert "<b>.py" not in page
    assert 'href="cyd/%3Cb%3E/index.html"' in page
    alone = (tmp_path / "class" / "cyd" / "<b>" / "index.html").read_text(encoding="utf-8")
    assert "SyntaxError &lt;script&gt;" in alone
    assert 'href="../../index.html"' in alone
    tests = json.loads(gradescope_results(outcomes, points, "en"))["tests"]
    for name in outcomes:
        own = [test for test in tests if test["name"].startswith(f"{name}: ")]
        assert sum(test["max_score"] for test in own) == points.total
        assert len(own) == len(ENTRIES) - 1


def test_a_call_that_is_not_answered_costs_the_point_for_answering():
    found = of(FLIPPED + AFTER + "    assert len(r['W']) < 4\n    return r\n")
    assert (found["runs"], found["hidden_delta"], found["affine"]) == ("wrong", "wrong", "right")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[points]\nhidden = 1\n", "did you mean 'hidden_delta'"),
        ("[points]\nloss = -1\n", "loss is a number from 0"),
        ("[points]\nloss = true\n", "loss is a number from 0"),
        ("[marks]\n", "did you mean|unknown 'marks'"),
        ("", r"a table \[points\] is missing"),
        ("[points\n", "p.toml"),
        ("[points]\n" + "".join(f"{name} = 0\n" for name in ENTRIES), "nothing is worth anything"),
    ],
)
def test_a_wrong_file_of_points_is_one_line(text, said, tmp_path):
    (tmp_path / "p.toml").write_text(text)
    with pytest.raises(UsageError, match=said) as caught:
        Points.read(tmp_path / "p.toml")
    assert "\n" not in str(caught.value)
