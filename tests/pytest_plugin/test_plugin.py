"""The pytest plugin, from outside: each test here is a project with tests of its own, run by pytest."""

from __future__ import annotations

import json
import re
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest

from tests.check.test_hostile import GOOD

pytest_plugins = ["pytester"]

BAD = GOOD.replace("(W[l + 1].T @ d[l + 1]) *", "-(W[l + 1].T @ d[l + 1]) *")


def line_of(part):
    """The line of the wrong network in which something stands."""
    return next(n for n, line in enumerate(BAD.strip().splitlines(), 1) if part in line)


TESTS = """
import pytest
import bad, good

FEW = {"data": {"name": "xor"}, "network": {"layers": [2, 3, 1]}, "training": {"steps": 1}}

@pytest.mark.parity
def test_right(parity):
    result = parity.check(good)
    assert result.verdict == "match"

def test_wrong(parity):
    parity.check(bad.step, activation=["tanh", "sigmoid"])

def test_wrong_again(parity):
    parity.check("bad.py")

def test_raises(parity):
    parity.check(broken)

def broken(W, b, x, y, lr, activation):
    return W[len(W)]

@pytest.mark.parity
def test_nothing(parity):
    pass

@pytest.mark.parity
def test_nothing_without_the_fixture():
    pass

@pytest.mark.parity
@pytest.mark.skip
def test_skipped():
    pass

def test_expected(parity):
    with pytest.raises(AssertionError, match="sign-flipped"):
        parity.check(bad, config=FEW)

@pytest.mark.xfail(strict=True)
def test_known(parity):
    parity.check(bad, config=FEW)
"""

NO_TORCH = """
import sys

class Blocker:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == "torch":
            raise ModuleNotFoundError("No module named 'torch'")

sys.meta_path.insert(0, Blocker())
"""


@pytest.fixture
def project(pytester, monkeypatch):
    """A folder with a right and a wrong network, and what pytest says of its tests."""
    github = ("GITHUB_ACTIONS", "GITHUB_STEP_SUMMARY", "GITHUB_WORKSPACE")
    # With CI or BUILD_NUMBER set, pytest repeats every message, whole, in its summary.
    for name in (*github, "CI", "BUILD_NUMBER", "PYTEST_ADDOPTS"):
        monkeypatch.delenv(name, raising=False)
    pytester.makepyfile(good=GOOD, bad=BAD)

    def run(*options: str, **files: str) -> pytest.RunResult:
        pytester.makepyfile(**files)
        return pytester.runpytest_subprocess("-p", "no:cacheprovider", *options)

    run.path = pytester.path
    return run


@pytest.fixture(scope="module")
def kept():
    """What one test left for those that read the same."""
    return {}


@pytest.fixture
def outcome(project, kept):
    """What pytest says of TESTS, in `outcome.path`: run once for all that read it."""
    if not kept:
        found = project("--junitxml=junit.xml", "--parity-report", "report", test_net=TESTS)
        found.path = project.path
        kept["outcome"] = found
    return kept["outcome"]


def test_outcomes_and_what_a_failure_says(outcome):
    outcome.assert_outcomes(passed=2, failed=5, skipped=1, xfailed=1)
    said = outcome.stdout.str()
    wrong = said[said.index("_ test_wrong _") : said.index("_ test_wrong_again _")]
    lines = [line for line in wrong.splitlines() if line.strip()]
    assert re.search(r"^>\s+parity\.check\(bad\.step", wrong, re.M)
    assert [line for line in lines if line.endswith(": ParityError")] == ["test_net.py:12: ParityError"]
    assert "hidden_delta (slide 5), layer 1: sign-flipped" in wrong
    assert "As it should be:  δ1 = (W2ᵀ δ2) ⊙ f′(z1)" in wrong
    assert "Again: pytest test_net.py::test_wrong" in wrong
    assert "Outside pytest: parity check bad.py:step --activation tanh,sigmoid" in wrong
    assert "asker.py" not in said, "the traceback ends at the test's own line"
    assert len(lines) < 18
    raises = said[said.index("_ test_raises _") : said.index("_ test_nothing _")]
    assert "return W[len(W)]" in raises, "what the step raised is shown where it was raised"
    assert "IndexError" in raises
    assert "own.py" not in said
    assert said.count("marked parity, and nothing was compared") == 2


def test_junit_has_the_facts(outcome):
    cases = ElementTree.parse(outcome.path / "junit.xml").getroot().iter("testcase")
    facts = {
        case.get("name"): [json.loads(p.get("value")) for p in case.iter("property")] for case in cases
    }
    right = facts["test_right"][0]
    assert (right["kind"], right["verdict"], right["subject"]) == ("check", "match", "good.py:step")
    assert right["numbers"] > 1000
    wrong = facts["test_wrong"][0]
    assert wrong["roots"] == [
        {
            "formula": "hidden_delta",
            "layers": wrong["roots"][0]["layers"],
            "slide": 5,
            "side": "subject",
            "mistake": "sign-flipped",
            "detail": "The sign is turned round.",
            "file": "bad.py",
            "line": line_of("-(W[l + 1].T"),
        }
    ]
    assert wrong["file"] == "bad.py"
    assert facts["test_nothing"] == []


def test_the_report_folder(outcome):
    report = outcome.path / "report"
    index = (report / "index.md").read_text(encoding="utf-8")
    assert "3 of 6 comparisons do not hold" in index, "those that a test expects are not among them"
    found = json.loads((report / "comparisons.json").read_text(encoding="utf-8"))
    assert [one["test"] for one in found if one["verdict"] == "match"] == ["test_net.py::test_right"]
    kept = [one["report"] for one in found if one["report"]]
    assert len(set(kept)) == len(kept) == 5  # a step that raised leaves no result
    for folder in kept:
        result = json.loads((outcome.path / folder / "result.json").read_text(encoding="utf-8"))
        assert result["schema"] == "parity-result/1"


def test_the_same_under_xdist(project, monkeypatch):
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(project.path / "summary.md"))
    monkeypatch.setenv("GITHUB_WORKSPACE", str(project.path.parent))
    outcome = project("-n", "2", test_net=TESTS)
    outcome.assert_outcomes(passed=2, failed=5, skipped=1, xfailed=1)
    said = outcome.stdout.str()
    assert "6 comparisons" in said
    errors = [line for line in said.splitlines() if line.startswith("::error")]
    assert len(errors) == 2, "one for each cause, not for each test"
    cause = next(line for line in errors if "sign-flipped" in line)
    where = f"file={project.path.name}/bad.py,line={line_of('-(W[l + 1].T')},"
    assert cause.startswith(f"::error {where}")
    assert "title=parity%3A hidden_delta%2C layer" in cause
    assert "%0A" in cause
    summary = (project.path / "summary.md").read_text(encoding="utf-8")
    assert summary.startswith("## parity: 3 of 6 comparisons do not hold")
    assert summary.count("| test\\_net.py::") == 6


def test_without_torch_a_step_is_checked_and_a_run_says_what_is_missing(project):
    tests = TESTS.partition("def test_wrong(")[0] + (
        "def test_run(parity):\n"
        "    parity.run({'data': {'name': 'xor'}, 'training': {'steps': 2}})\n"
        "def test_model(parity):\n"
        "    parity.model(None, None, None)\n"
        "def test_no_torch():\n"
        "    import sys\n"
        "    assert 'torch' not in sys.modules\n"
    )
    outcome = project(conftest=NO_TORCH, test_net=tests)
    outcome.assert_outcomes(passed=2, failed=2)
    assert outcome.stdout.str().count("ParityError: torch is not installed: pip install torch") == 2


LISTING = """
import sys

def pytest_unconfigure():
    heavy = {"numpy", "torch", "flint", "pydantic", "rich", "typer"} & set(sys.modules)
    print("imported:", *sorted(heavy), "plugin" * ("parity.pytest_plugin.hooks" in sys.modules))
"""


def test_collecting_imports_nothing_heavy(project):
    outcome = project(
        "--collect-only", "-s", conftest=LISTING, test_net="def test_it(parity): parity.check(1)"
    )
    assert "imported: plugin" in outcome.stdout.str()


def test_a_project_without_comparisons_hears_nothing(project):
    outcome = project(test_net="def test_it(): pass")
    assert "parity ==" not in outcome.stdout.str()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--parity-report", "good.py/x"], "good.py is not a folder"),
        (["-o", "parity_lang=fr"], "parity_lang fr: known: en, es"),
    ],
    ids=["report", "lang"],
)
def test_wrong_options_are_said_before_any_test(project, words, said):
    outcome = project(*words, test_net="def test_it(): pass")
    assert outcome.ret == pytest.ExitCode.USAGE_ERROR
    assert said in outcome.stderr.str()
    assert "passed" not in outcome.stdout.str()


def test_failures_in_spanish(project):
    outcome = project("-o", "parity_lang=es", test_net="import bad\ndef test_it(parity): parity.check(bad)")
    assert "Otra vez: pytest test_net.py::test_it" in outcome.stdout.str()


QUESTIONS = """
import types, pytest

def step(W, b, x, y, lr, activation):
    return {}

CASES = {
    "neither": (3, {}, "is no step function"),
    "class": (dict, {}, "is no step function"),
    "activation": (step, {"activation": "sigmoyd"}, "sigmoyd"),
    "dtype": (step, {"dtype": "float16"}, "float16"),
    "config": (step, {"config": {"netwrok": {}}}, "netwrok"),
    "file": ("nowhere.py", {}, "no such file"),
    "layout": (types.SimpleNamespace(step=step, LAYOUT="diagonal"), {}, "diagonal"),
    "nothing shown": (step, {}, "it shows none of delta, dW, db, W, b"),
}

@pytest.mark.parametrize("name", CASES)
def test_questions(parity, name):
    subject, case, said = CASES[name]
    with pytest.raises(AssertionError, match=said):
        parity.check(subject, **case)

@pytest.mark.parity
def test_what_could_not_be_asked_is_no_comparison(parity):
    with pytest.raises(AssertionError):
        parity.check(3)

def test_a_config_that_is_wrong(parity):
    with pytest.raises(AssertionError, match="layers 3-1: xor has 2 features, the network 3"):
        parity.run({"data": {"name": "xor"}, "network": {"layers": [3, 1]}})
"""


def test_wrong_questions_fail_with_one_line(project):
    outcome = project(test_net=QUESTIONS)
    outcome.assert_outcomes(passed=9, failed=1)
    assert "nothing was compared" in outcome.stdout.str()


def test_runs_fail_where_torch_computes_something_else(project):
    tests = """
    import torch

    def test_right(parity, tmp_path):
        config = tmp_path / "case.toml"
        config.write_text('[data]\\nname = "xor"\\n[training]\\nsteps = 2\\n')
        assert parity.run(config).steps == 2

    def test_wrong(parity, monkeypatch):
        step = torch.optim.SGD.step
        def uphill(self):
            for group in self.param_groups:
                for parameter in group["params"]:
                    parameter.grad = -parameter.grad
            step(self)
        monkeypatch.setattr(torch.optim.SGD, "step", uphill)
        parity.run({"data": {"name": "xor"}, "training": {"steps": 2}})
    """
    outcome = project("--parity-report", "report", test_net=tests)
    outcome.assert_outcomes(passed=1, failed=1)
    assert "First divergence: weight_update (slide 6), layer 1, on the side torch, step 0" in str(
        outcome.stdout
    )
    pages = [*Path(project.path, "report").rglob("index.html")]
    assert len(pages) == 2
