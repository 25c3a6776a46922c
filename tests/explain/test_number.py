"""`parity explain`: every number of every trace, with its formula, its numbers, and every side's answer."""

from __future__ import annotations

import math
import re

import numpy as np
import pytest

from parity.errors import UsageError
from parity.explain.number import explain, parse, recorded, walked
from reference.equations import shapes
from tests.command import parity
from tests.strategies import random_case


@pytest.mark.parametrize("seed", range(8))
def test_every_tensor_of_the_interface_is_explained_and_inside_its_bound(seed):
    found = walked(random_case(seed), step=1, with_torch=True)
    given = ("x", "y", *found.architecture.parameter_shapes())
    for name in shapes(found.architecture, found.traces["torch"]["x"].shape[1]):
        told = explain(found, parse(name))
        assert told.verdict == "match"
        assert [answer.side for answer in told.answers] == ["reference", "torch"]
        if name in given:
            assert told.row is None
            continue
        assert told.work.text
        assert told.work.latex
        assert {g.name for g in told.work.given} == set(told.row.equation.inputs)
        for answer in told.answers:
            assert abs(answer.observed - answer.exact) <= answer.bound


def evaluated(text: str) -> float:
    """A line of work as a number: what is written out, as it stands."""
    signs = {"·": "*", "−": "-", "²": "**2", "^": "**"}
    for sign, python in signs.items():
        text = text.replace(sign, python)
    text = re.sub(r"tanh (\(?[-.\de]+\)?)", r"tanh(\1)", text)
    text = re.sub(r"(?<=[\d)]) (?=\()", "*", text)  # a number before a bracket is multiplied by it
    return float(eval(text, {"e": math.e, "tanh": math.tanh}))


@pytest.mark.parametrize("activation", ["identity", "tanh", "sigmoid"])
def test_the_work_is_the_number(activation):
    """What is written out, evaluated as it stands, is the exact number to about the digits shown."""
    found = walked(random_case(3, layers=(2, 3, 2), activation=activation, dtype="float64"), step=0)
    for name in shapes(found.architecture, found.traces["reference"]["x"].shape[1]):
        told = explain(found, parse(name))
        if told.work is None or "…" in told.work.text:
            continue
        numbers = [abs(number) for given in told.work.given for number in given.numbers]
        # Six digits a factor: each is off by 5e-6 of itself at most; sums of a few products of a few.
        room = 2e-5 * max(1, *numbers) ** 2
        assert abs(evaluated(told.work.text) - told.answers[0].exact) <= room, (name, told.work.text)


def test_what_a_side_hides_is_worked_out_from_what_it_shows():
    found = walked(random_case(2, layers=(2, 3, 2), dtype="float64"), step=0)
    whole = explain(found, parse("dW1[0,1]"))
    trace = found.traces["reference"]
    for name in [n for n in trace if n.startswith(("z", "a", "s", "delta", "loss"))]:
        del trace[name]
    partly = explain(found, parse("dW1[0,1]"))
    assert partly.verdict == "match"
    assert partly.work.text == whole.work.text
    assert partly.answers[0].bound > whole.answers[0].bound
    with pytest.raises(UsageError, match="delta1"):
        explain(found, parse("delta1[0,0]"))


def test_a_number_outside_its_bound_is_said():
    found = walked(random_case(1, layers=(2, 3, 2)), step=0)
    found.traces["reference"]["delta1"] = found.traces["reference"]["delta1"] * np.float32(1.5)
    assert explain(found, parse("delta1")).verdict == "mismatch"


def test_the_same_from_a_trace_file(tmp_path):
    arguments = ("--data", "xor", "--steps", "3", "--layers", "2-3-1", "--trace", "run.safetensors")
    assert parity("run", *arguments, folder=tmp_path).returncode == 0
    path = tmp_path / "run.safetensors"
    from_file = explain(recorded(path, 2, "torch"), parse("delta1[1,0]"))
    assert [answer.side for answer in from_file.answers] == ["torch"]
    assert from_file.verdict == "match"
    said = parity(
        "explain", "delta1[1,0]", "--step", "2", "--data", "xor", "--layers", "2-3-1", folder=tmp_path
    )
    again = parity("explain", "delta1[1,0]", "--step", "2", "--trace", str(path), folder=tmp_path)
    assert said.returncode == again.returncode == 0
    assert said.stdout == again.stdout
    for word in ("slide 5", "δ⁽¹⁾ = (W⁽²⁾)ᵀ δ⁽²⁾ ⊙ f′(z⁽¹⁾)", "PyTorch", "exactly", "rounding allows"):
        assert word in said.stdout
    with pytest.raises(UsageError, match="not step 9"):
        recorded(path, 9, "torch")


@pytest.mark.parametrize("question", ["delta9[0,0]", "delta1[99,0]", "loss[0,0]", "δ", "dW1[0]", ""])
def test_a_wrong_question_is_one_line(question, tmp_path):
    done = parity("explain", question, "--data", "xor", folder=tmp_path)
    assert done.returncode == 2, done.stdout
    assert len(done.stderr.splitlines()) == 1
