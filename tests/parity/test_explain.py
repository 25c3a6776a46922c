"""`parity explain`: the parts make up the whole, for every number of every trace."""

from __future__ import annotations

import numpy as np
import pytest

from parity.anatomy import anatomy
from parity.arithmetic import arithmetic
from parity.errors import QuestionError
from parity.evidence import Observation, Scenario
from parity.explain import explain, parse, recorded, walked
from reference.trace import Trace
from tests.cases import random_case
from tests.parity.test_check_hostile import parity


@pytest.mark.parametrize("seed", range(8))
def test_every_number_is_inside_its_own_bound(seed):
    found = walked(random_case(seed), step=1)
    for name in found.trace:
        if name in ("x", "y") or (name[0] in "Wb" and not name.endswith("_next")):
            continue
        told = explain(found, parse(name))
        assert abs(told.observed - told.expected) <= told.bound
        assert told.work
        assert told.formula.startswith(told.where.split("[")[0])


def test_the_work_is_the_number():
    """What is written out, evaluated as it stands, is the number to the digits shown."""
    found = walked(random_case(3, layers=(2, 3, 2), activation="identity"), step=0)
    for name in ("dW1", "dW2", "s1"):
        told = explain(found, parse(f"{name}[1,0]"))
        terms = [eval(term.replace("·", "*")) for term in told.work.split(" + ")]
        # Six digits a factor: each is off by 5e-6 of itself at most, a product by a little over 1e-5.
        room = 1.001e-5 * sum(abs(term) for term in terms)
        assert abs(sum(terms) - told.expected) <= room


@pytest.mark.parametrize("seed", range(6))
def test_combined_as_they_are_the_parts_give_the_formula(seed):
    found = walked(random_case(seed, dtype="float64"), step=0)
    shape = found.architecture
    given = Trace({n: found.trace[n] for n in ("x", "y", *shape.parameter_shapes())})
    rest = Trace({n: t for n, t in found.trace.items() if n not in given})
    observation = Observation(shape, found.lr, given, rest)
    scenario = Scenario(observation, arithmetic("float64"))
    with scenario.judge.precision():
        for equation in observation.equations.values():
            whole = scenario.predict(equation)
            parts = anatomy(equation).combine(scenario.opened(equation))
            assert np.array_equal(whole.value, parts.value)


def test_the_same_from_a_trace_file(tmp_path):
    arguments = ("--data", "xor", "--steps", "3", "--layers", "2-3-1", "--trace", "run.safetensors")
    assert parity("run", *arguments, folder=tmp_path).returncode == 0
    path = tmp_path / "run.safetensors"
    from_file = explain(recorded(path, 2, "torch"), parse("delta1[1,0]"))
    assert abs(from_file.observed - from_file.expected) <= from_file.bound
    said = parity(
        "explain", "delta1[1,0]", "--step", "2", "--data", "xor", "--layers", "2-3-1", folder=tmp_path
    )
    again = parity("explain", "delta1[1,0]", "--step", "2", "--trace", str(path), folder=tmp_path)
    assert said.returncode == again.returncode == 0
    assert said.stdout == again.stdout
    with pytest.raises(QuestionError, match="not step 9"):
        recorded(path, 9, "torch")


@pytest.mark.parametrize(
    "question", ["delta9[0,0]", "delta1[99,0]", "W1[0,0]", "loss[0,0]", "δ", "dW1[0]", ""]
)
def test_a_wrong_question_is_one_line(question, tmp_path):
    done = parity("explain", question, "--data", "xor", folder=tmp_path)
    assert done.returncode == 2, done.stdout
    assert len(done.stderr.splitlines()) == 1
