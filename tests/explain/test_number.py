"""`parity explain`: every number of every trace, with its formula, its numbers, and every side's answer."""

from __future__ import annotations

import math
import re

import numpy as np
import pytest

from parity.campaign.drawn.networks import random_case
from parity.config.options import read_config
from parity.errors import UsageError
from parity.explain.number import explain, parse, recorded, walked, walked_model
from parity.lockstep.run import model_peer
from reference.equations import shapes, step_equations
from tests.nightly import but


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
    whole = explain(found, parse("dW1"))
    trace = found.traces["reference"]
    for name in [n for n in trace if n.startswith(("z", "a", "s", "delta", "loss"))]:
        del trace[name]
    partly = explain(found, parse("dW1"))
    assert partly.verdict == "match"
    assert partly.work.text == whole.work.text
    assert partly.answers[0].bound > whole.answers[0].bound
    with pytest.raises(UsageError, match="delta1"):
        explain(found, parse("delta1[0,0]"))


def test_a_number_outside_its_bound_is_said():
    found = walked(random_case(1, layers=(2, 3, 2)), step=0)
    found.traces["reference"]["delta1"] = found.traces["reference"]["delta1"] * np.float32(1.5)
    assert explain(found, parse("delta1")).verdict == "mismatch"


def test_the_same_from_a_trace_file(ask, tmp_path):
    arguments = ("--data", "xor", "--steps", "3", "--layers", "2-3-1", "--trace", "run.safetensors")
    assert ask("run", *arguments, folder=tmp_path).returncode == 0
    path = tmp_path / "run.safetensors"
    from_file = explain(recorded(path, 2, "torch"), parse("delta1[1,0]"))
    assert [answer.side for answer in from_file.answers] == ["torch"]
    assert from_file.verdict == "match"
    said = ask(
        "explain", "delta1[1,0]", "--step", "2", "--data", "xor", "--layers", "2-3-1", folder=tmp_path
    )
    again = ask("explain", "delta1[1,0]", "--step", "2", "--trace", str(path), folder=tmp_path)
    assert said.returncode == again.returncode == 0
    assert said.stdout == again.stdout
    for word in ("slide 5", "δ⁽¹⁾ = (W⁽²⁾)ᵀ δ⁽²⁾ ⊙ f′(z⁽¹⁾)", "PyTorch", "exactly", "rounding allows"):
        assert word in said.stdout
    with pytest.raises(UsageError, match="not step 9"):
        recorded(path, 9, "torch")


@pytest.mark.parametrize(
    "question", but(["delta1[99,0]", ""], ["delta9[0,0]", "delta1[99,0]", "loss[0,0]", "δ", "dW1[0]", ""])
)
def test_a_wrong_question_is_one_line(ask, question, tmp_path):
    done = ask("explain", question, "--data", "xor", folder=tmp_path)
    assert done.returncode == 2, done.stdout
    assert len(done.stderr.splitlines()) == 1


# --- Of a torch model that is no chain of layers ----------------------------------------------------------

ZOO = """
import torch
from torch import nn

class Small(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv, self.norm = nn.Conv2d(1, 2, 3, padding=1), nn.BatchNorm2d(2)
        self.out = nn.Linear(2 * 4 * 4, 10)

    def forward(self, x):
        x = torch.relu(self.norm(self.conv(x.reshape(-1, 1, 8, 8))))
        x = x + torch.tanh(x)
        return self.out(nn.functional.max_pool2d(x, 2).flatten(1))
"""


@pytest.fixture(scope="module")
def recorded_model(tmp_path_factory):
    file = tmp_path_factory.mktemp("zoo") / "zoo.py"
    file.write_text(ZOO)
    config = read_config(None, {"loss": "cross_entropy", "batch": 3, "optimizer": "adam"})
    return walked_model(model_peer(config, f"{file}:Small"), config, 1)


def test_every_tensor_of_a_graph_is_explained_with_what_it_was_computed_from(recorded_model):
    equations = {e.makes: e for e in step_equations(recorded_model.architecture)}
    for name in shapes(recorded_model.architecture, 3):
        told = explain(recorded_model, parse(name))
        assert told.verdict == "match", name
        assert [answer.side for answer in told.answers] == ["reference", "torch"]
        if name in equations:
            assert told.work.formula_text
            assert {g.name for g in told.work.given} <= set(equations[name].inputs)
            assert told.work.given or name == "dloss"


def test_a_convolution_is_its_sum_at_any_index(recorded_model):
    trace = recorded_model.traces["reference"]
    told = explain(recorded_model, parse("a2[2,1,0,7]"))  # at the border: 6 of the kernel's 9 products
    x, W = trace["a1"][2, 0, :2, 6:], trace["W2"][1, 0, 1:, :2]
    parts = {given.name: (given.symbol, given.place, given.numbers) for given in told.work.given}
    assert parts["a1"][1] == (2, 0, slice(0, 2), slice(6, 8))
    assert parts["W2"][1] == (1, 0, slice(1, 3), slice(0, 2))
    assert parts["a1"][2] == tuple(map(float, x.ravel()))
    assert parts["b2"] == ("b", (1,), (float(trace["b2"][1]),))
    assert told.module == "conv"
    terms = float(np.sum(x.astype(float) * W)) + float(trace["b2"][1])
    assert abs(terms - told.answers[0].exact) <= told.answers[0].bound


def test_a_gradient_of_a_graph_evaluates_to_its_number(recorded_model):
    for name in ("s8", "db10", "a3", "s3", "a5", "loss"):
        told = explain(recorded_model, parse(name))
        if "…" in told.work.text or not told.work.text:
            continue
        largest = max(1.0, *(abs(n) for given in told.work.given for n in given.numbers))
        assert abs(evaluated(told.work.text) - told.answers[0].exact) <= 1e-4 * largest, told.work.text


@pytest.mark.parametrize(
    ("question", "said"),
    [
        ("convolution2", r"did you mean: a2 \(convolution\)"),
        ("a2[0,0]", r"its shape is \(3, 2, 8, 8\)"),
        ("a2[0,0,0,8]", r"its shape is \(3, 2, 8, 8\)"),
        ("nothing", "among the known|did you mean"),
    ],
)
def test_a_wrong_question_about_a_graph_names_what_there_is(recorded_model, question, said):
    with pytest.raises(UsageError, match=said):
        explain(recorded_model, parse(question))
