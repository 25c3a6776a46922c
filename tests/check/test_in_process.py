"""Subjects of this process are judged as those in a process of their own: same court, same words."""

from __future__ import annotations

import importlib.util
import sys
from types import SimpleNamespace

import numpy as np
import pytest

from parity.check.calls import asked_calls
from parity.check.cases import calls
from parity.check.implementations import python_subject
from parity.check.in_process import is_side, own_subject, walked
from parity.check.run import check
from parity.config.case import build
from parity.config.config import read
from parity.errors import UsageError
from parity.lockstep.lockstep import Reference
from reference.trace import Trace
from tests.mutants.styles import STYLES
from tests.nightly import but
from tests.pytest_plugin.test_plugin import BAD, GOOD

CONFIG = {"data": {"name": "xor"}, "network": {"layers": [2, 3, 1]}, "training": {"steps": 3}}


@pytest.fixture
def load(tmp_path, monkeypatch):
    """A module, as a file that is imported."""

    def make(source, name="subject_of_a_test"):
        file = tmp_path / f"{name}.py"
        file.write_text(source, encoding="utf-8")
        spec = importlib.util.spec_from_file_location(name, file)
        module = importlib.util.module_from_spec(spec)
        monkeypatch.setitem(sys.modules, name, module)
        spec.loader.exec_module(module)
        return module

    return make


def words(checked):
    return [(w.headline, w.lines) for w in checked.wrong], checked.result.formulas, checked.failures


@pytest.mark.parametrize("style", but(["matrices", "bad"], [*STYLES, "bad"]))
def test_judged_as_in_a_process_of_its_own(load, style):
    source = BAD if style == "bad" else STYLES[style]
    module = load(source)
    asked = calls()
    here = check(own_subject(module), asked)
    there = check(python_subject(module.__file__), asked)
    assert words(here) == words(there)
    assert bool(here.wrong) == (source is BAD)


def test_whoever_has_the_step_says_the_layout(load):
    rows = load(STYLES["rows"])
    assert rows.LAYOUT == "rows"
    for subject in (rows, rows.step, SimpleNamespace(step=rows.step, LAYOUT="rows")):
        assert check(own_subject(subject), calls()).result.verdict == "match"


def test_buffers_that_are_used_again_are_seen_as_they_were(load):
    good, kept = load(GOOD).step, {}

    def step(*arguments):
        answer = good(*arguments)
        del answer["loss"]
        for key, arrays in answer.items():
            for buffer, array in zip(kept.setdefault(key, arrays), arrays, strict=True):
                buffer[...] = array
        return kept

    checked = check(own_subject(step), asked_calls(CONFIG, None, "float64"))
    assert checked.result.verdict == "match"
    assert checked.result.steps == 3


def test_arrays_are_fresh_every_time(load):
    good = load(GOOD).step

    def step(W, b, x, y, lr, activation):
        answer = good(W, b, x, y, lr, activation)
        for array in (*W, *b, x, y):
            array[...] = np.nan
        return answer

    assert check(own_subject(step), calls()).result.verdict == "match"


def test_an_address_leads_back_or_there_is_none(load, tmp_path):
    module = load(GOOD)
    assert own_subject(module).address(tmp_path) == "subject_of_a_test.py:step"
    assert own_subject(module.step).address(tmp_path / "elsewhere") == f"{module.__file__}:step"

    def local(*arguments):
        return module.step(*arguments)

    assert own_subject(local).address(tmp_path) is None
    assert own_subject(SimpleNamespace(step=lambda *a: None)).address(tmp_path) is None


class Student:
    """A side of its own: it keeps its weights."""

    name = "student"

    def __init__(self, case, plant=lambda trace: None):
        self._reference, self._plant = Reference(case), plant

    def step(self, x, y):
        trace = Trace({name: np.array(t) for name, t in self._reference.step(x, y).items()})
        self._plant(trace)
        return trace


def test_a_side_is_judged_from_where_it_stands():
    case = build(read(CONFIG, {}))
    side = Student(case)
    assert is_side(side)
    asked, shown = walked(side, case)
    checked = check(shown, asked)
    assert checked.result.verdict == "match"
    assert checked.result.steps == 3


def halved(trace):
    trace["db1"] = trace["db1"] / 2


def test_a_wrong_side_is_named():
    case = build(read(CONFIG, {}))
    asked, shown = walked(Student(case, halved), case)
    found = check(shown, asked).result
    assert found.verdict == "mismatch"
    assert found.wrong_formulas[0].formula == "bias_gradient"


def moved(trace):
    trace["W1"] = trace["W1"] + 1


def test_a_side_that_stands_elsewhere_is_refused():
    case = build(read(CONFIG, {}))
    with pytest.raises(UsageError, match="W1 of step 0 is not where the config says"):
        walked(Student(case, moved), case)
    other = build(read(CONFIG | {"training": {"seed": 1}}, {}))
    with pytest.raises(UsageError, match="not where the config says"):
        walked(Student(other), case)

    class Forgetful(Student):
        def step(self, x, y):
            return Student(case).step(x, y)

    with pytest.raises(UsageError, match="of step 1 is not where the step before ended"):
        walked(Forgetful(case), case)


@pytest.mark.parametrize("asked", [3, None, dict, "text", SimpleNamespace()])
def test_what_is_no_subject(asked):
    with pytest.raises(UsageError, match="no step function"):
        own_subject(asked)


def test_a_config_may_be_its_tables():
    found = asked_calls(CONFIG, None, "float64")
    assert [call.case for call in found] == ["config"] * 3
    assert found[0].architecture.layers == (2, 3, 1)
    assert found[0].architecture.dtype == np.float64
    with pytest.raises(UsageError, match=r"config: network\.layer"):
        asked_calls({"network": {"layer": [2]}}, None, None)
