"""The line of a subject that likely made a wrong number: found for each mistake, and never made up."""

from __future__ import annotations

import linecache

import pytest

from parity.check.calls import asked_calls
from parity.check.implementations import executable_subject, python_subject
from parity.check.in_process import own_subject
from parity.check.lines import likely_lines
from parity.check.run import check
from parity.check.tracer import LineTracer
from tests.check.test_hostile import GOOD
from tests.nightly import in_turn, one_in

RIGHT = {
    "W[l + 1].T @ d[l + 1]) * F[activation[l]][1](z[l], a[l + 1])": "W[l + 1].T @ d[l + 1])",
    "W[l] - lr": "W[l] + lr",
    "d[l] @ a[l].T for": "2 * d[l] @ a[l].T for",
    "axis=1, keepdims=True) for": "axis=1, keepdims=True) * 3 for",
}
"""By a part of a right line, what a wrong one has instead."""


@pytest.mark.parametrize(("part", "own"), in_turn(RIGHT, [False, True]))
def test_the_line_that_is_wrong_is_found(part, own, tmp_path):
    source = GOOD.replace(part, RIGHT[part])
    assert source != GOOD
    file = tmp_path / "mine.py"
    file.write_text(source)
    subject = python_subject(str(file))
    if own:
        space = {}
        exec(compile(source, str(file), "exec"), space)
        subject = own_subject(space["step"])
    found = check(subject, asked_calls(None, None, None))
    first = found.blames[0].first
    lines = likely_lines(found.subject, [first.observation])[0]
    wrong = next(n for n, line in enumerate(source.splitlines(), 1) if RIGHT[part] in line)
    assert lines[first.equation.makes] == wrong


def test_what_a_function_of_the_same_file_returns_was_made_there(tmp_path):
    source = GOOD.replace("(W[l + 1].T @ d[l + 1])", "back(W[l + 1], d[l + 1])")
    source += "\n\ndef back(W, d):\n    return W @ d if W.shape[0] == W.shape[1] else W.T @ d\n"
    source = source.replace(" * F[activation[l]][1](z[l], a[l + 1])", "")
    file = tmp_path / "mine.py"
    file.write_text(source)
    found = check(python_subject(str(file)), asked_calls(None, None, None))
    first = found.blames[0].first
    lines = likely_lines(found.subject, [first.observation])[0]
    assert source.splitlines()[lines["delta1"] - 1].strip().startswith("return W @ d")


def test_a_number_that_hangs_on_earlier_calls_has_no_line(tmp_path):
    file = tmp_path / "mine.py"
    source = GOOD.replace("    L, z, a = ", "    CALLS.append(1)\n    L, z, a = ").replace(
        "W[l] - lr", "W[l] - len(CALLS) * lr"
    )
    file.write_text("CALLS = []\n" + source)
    found = check(python_subject(str(file)), asked_calls(None, None, None))
    wrong = [i for blame in found.blames for i in blame.instances if i.equation.makes == "W1_next"]
    assert "W1_next" not in likely_lines(found.subject, [wrong[-1].observation])[0]
    assert "dW1" in likely_lines(found.subject, [wrong[-1].observation])[0]


def test_a_program_of_another_language_has_no_lines():
    call = asked_calls(None, None, None)[0]
    found = check(own_subject(_plain), [call])
    assert likely_lines(executable_subject("true"), [found.court.observations[0]]) == [{}]


def _plain(W, b, x, y, lr, activation):
    return {"dW": [0 * w for w in W]}


def test_an_answer_that_is_what_was_given_has_no_line():
    tracer = LineTracer(__file__)
    W = [[1.0, 2.0]]
    assert tracer.call(lambda given: {"W": given}, W) == {"W": W}
    assert tracer.lines == {}


def test_lists_of_numbers_are_traced_too():
    def step(d):
        first = [[2.0 * d]]
        second = []
        second.append([3.0 * d])
        return {"dW": [first, second]}

    tracer = LineTracer(__file__)
    tracer.call(step, 1.5)
    start = step.__code__.co_firstlineno
    assert tracer.lines == {"dW1": start + 1, "dW2": start + 3}


ONLY_GRADIENTS = 'return {"dW": dW, "db": db, "W": W, "b": b}'
BACK = "        d[l] = (W[l + 1].T @ d[l + 1]) * F[activation[l]][1](z[l], a[l + 1])\n"
HIDDEN = {
    "in one expression": "        d[l] = W[l + 1].T @ d[l + 1]  # wrong\n",
    "in two": "        back = W[l + 1].T @ d[l + 1]  # wrong\n        d[l] = back + 0 * back\n",
    "in a copy": "        d[l] = (W[l + 1].T @ d[l + 1]).copy()  # wrong\n",
    "sample by sample": "        one = [W[l + 1].T @ c for c in d[l + 1].T]  # wrong\n"
    "        d[l] = np.stack(one, 1)\n",
}


@pytest.mark.parametrize("how", one_in(2, HIDDEN))
def test_the_line_of_a_hidden_formula_made_what_the_mistake_makes(how, tmp_path):
    file = tmp_path / "mine.py"
    source = GOOD.replace(BACK, HIDDEN[how])
    file.write_text(source[: source.index("return {")] + ONLY_GRADIENTS + "\n")
    found = check(python_subject(str(file)), asked_calls(None, None, None))
    (wrong,) = found.result.wrong_formulas
    assert (wrong.formula, wrong.diagnosis.mistake) == ("hidden_delta", "missing-derivative")
    right = next(n for n, line in enumerate(source.splitlines(), 1) if "# wrong" in line)
    assert wrong.line == right
    assert f"Likely computed in line {right}: " in str(found)


def test_of_a_hidden_formula_without_a_name_the_line_is_not_known(tmp_path):
    file = tmp_path / "mine.py"
    source = GOOD.replace(BACK, BACK.replace("(W[l + 1].T", "np.cbrt(W[l + 1].T"))
    file.write_text(source[: source.index("return {")] + ONLY_GRADIENTS + "\n")
    found = check(python_subject(str(file)), asked_calls(None, None, None))
    assert {(w.diagnosis, w.line) for w in found.result.wrong_formulas} == {(None, None)}
    assert "Likely computed" not in str(found)


def test_the_line_stands_in_a_module_too(tmp_path, monkeypatch):
    (tmp_path / "mine.py").write_text(GOOD.replace("W[l] - lr", "W[l] + lr"))
    monkeypatch.chdir(tmp_path)
    found = check(python_subject("mine:step"), asked_calls(None, None, None))
    (wrong,) = found.result.wrong_formulas
    assert "W[l] + lr" in (tmp_path / "mine.py").read_text().splitlines()[wrong.line - 1]


def test_a_notebook_has_lines_too(monkeypatch):
    """Where a cell has no file, Python's own cache of sources has its text."""
    source = GOOD.replace("W[l] - lr", "W[l] + lr")
    name, lines = "<cell 3>", source.splitlines(keepends=True)
    monkeypatch.setitem(linecache.cache, name, (len(source), None, lines, name))
    space = {}
    exec(compile(source, name, "exec"), space)
    (wrong,) = check(own_subject(space["step"]), asked_calls(None, None, None)).result.wrong_formulas
    assert "W[l] + lr" in lines[wrong.line - 1]


def test_where_numbers_are_only_copied_the_line_is_the_one_that_made_them(tmp_path):
    """Into a buffer, sample by sample: what is wrong there is wrong before."""
    made = "        one = [W[l + 1].T @ c for c in d[l + 1].T]  # wrong\n"
    copied = made + "        d[l] = np.zeros((len(one[0]), len(one)))\n"
    copied += "        for m, c in enumerate(one):\n            d[l][:, m] = c\n"
    file = tmp_path / "mine.py"
    file.write_text(GOOD.replace(BACK, copied))
    (wrong,) = check(python_subject(str(file)), asked_calls(None, None, None)).result.wrong_formulas
    assert wrong.formula == "hidden_delta"
    assert "# wrong" in file.read_text().splitlines()[wrong.line - 1]
