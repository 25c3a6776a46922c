"""Numbers worked out by hand, for everything in the tables: activations, losses, optimizers, clipping."""

from __future__ import annotations

import math
import re
from dataclasses import replace

import numpy as np
import pytest

from parity.config.config import Config
from parity.explain.number import RecordedStep, explain, parse
from parity.explain.worked import work
from parity.lockstep.run import run
from parity.render.latex_text import plain
from parity.render.texts import LANGUAGES
from parity.render.texts.formulas import formula_name
from parity.report.page import html
from parity.report.recorder import PageRecorder
from reference.architecture import architecture
from reference.clipping import CLIPPINGS
from reference.engine import Network
from reference.equations import constants, step_equations
from reference.formula import Formula
from reference.operations.activations import ACTIVATIONS
from reference.operations.losses import LOSSES
from reference.optimizers import OPTIMIZERS

WRITES = {"·": "*", "−": "-", "²": "**2", "³": "**3", "^": "**"}
KNOWN = {"sqrt": math.sqrt, "abs": abs, "max": max, "min": min, "e": math.e, "tanh": math.tanh}


def value_of(text: str) -> float | None:
    """A line of work as a number; None where letters are left in it, or cases."""
    for sign, python in WRITES.items():
        text = text.replace(sign, python)
    text = re.sub(r"√(\([^()]*\)|[-+.\de]+)", r"sqrt(\1)", text)
    text = re.sub(r"\|([^|]*)\|", r"abs(\1)", text)
    text = re.sub(r"\[([^\]]*)\]", r"(\1)", text)
    text = re.sub(r"tanh (\(?[-.\de]+\)?)", r"tanh(\1)", text)
    text = re.sub(r"(?<=[\d)])\s+(?=\d)", "*", text)
    text = re.sub(r"(?<=[\d)])\s*(?=\(|sqrt|abs|max|min|tanh)", "*", text)
    try:
        return float(eval(text, {"__builtins__": {}}, KNOWN))
    except (SyntaxError, NameError, TypeError):
        return None


def stepped(of, lr=0.1, steps=3):
    """The engine's last of a few steps."""
    random = np.random.default_rng(0)
    network = Network(of, of.initial_parameters(1))
    for _ in range(steps):
        x, y = random.normal(size=(2, 4)), random.uniform(0.1, 0.9, size=(of.layers[-1], 4))
        trace = network.step(x, y, lr).kept()
    return RecordedStep(of, lr, steps - 1, {"reference": trace})


def agree(recorded, name):
    """Whether the work of a number, evaluated as it stands, is the number; None where it cannot be."""
    told = explain(recorded, parse(name))
    assert told.work.formula_text
    assert told.work.given
    found = value_of(told.work.text)
    if found is None:
        return None
    exact = told.answers[0].exact
    largest = max([abs(exact), *(abs(n) for given in told.work.given for n in given.numbers)])
    assert abs(found - exact) <= 1e-4 * largest, (told.work.formula_text, told.work.text, exact)
    return True


SOME = [{}, {"weight_decay": 0.1}, {"maximize": True}]
LETTERS_STAY = {"asgd", "rprop", "nadam", "radam", "adadelta", "adafactor", "muon"}
"""Optimizers of whose update the slide-like formula leaves letters that mean several numbers."""


@pytest.mark.parametrize("name", OPTIMIZERS)
@pytest.mark.parametrize("extra", SOME, ids=["plain", "decay", "maximize"])
def test_a_rule_is_written_as_it_is_run(name, extra):
    if any(option not in OPTIMIZERS[name].options for option in extra):
        pytest.skip(f"{name} has no {next(iter(extra))}")
    shape = architecture((2, 3, 1), ("tanh", "sigmoid"), "float64")
    recorded = stepped(replace(shape, optimizer=OPTIMIZERS[name].configured(**extra)))
    made = [n for n in recorded.traces["reference"] if n.endswith("_next") and "W1" in n]
    held = {n: agree(recorded, n) for n in made}
    assert held["W1_next"] or name in LETTERS_STAY


@pytest.mark.parametrize("name", sorted({"mse", "l1", "poisson_nll", "hinge_embedding"} & set(LOSSES)))
def test_a_loss_is_its_sum(name):
    shape = replace(
        architecture((2, 3, 2), ("tanh", "identity"), "float64"), loss=LOSSES[name].configured()
    )
    recorded = stepped(shape, steps=1)
    told = explain(recorded, parse("loss"))
    assert told.work.formula_text.startswith(("MSE = ", "L = "))
    assert told.work.text.count("…") == 1  # eight terms, of which four are shown
    assert {given.name for given in told.work.given} == {"a2", "y"}


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_every_activation_is_worked_out(name):
    options = {"threshold": 0.1, "value": 0.0} if name == "threshold" else {}
    f = ACTIVATIONS[name].configured(**options)
    shape = architecture((2, 3, 2), "tanh", "float64")
    recorded = stepped(replace(shape, activations=(f, shape.activations[1])))
    for tensor in ("a1", "delta1"):
        told = explain(recorded, parse(tensor))
        assert told.work.formula_text
        assert told.work.text
        agree(recorded, tensor)


TASKS = {
    "cross_entropy": ("identity", {"loss": "cross_entropy"}),
    "bce": ("sigmoid", {"loss": "bce"}),
    "huber": ("identity", {"loss": {"name": "huber", "delta": 0.3}}),
    "adam": ("sigmoid", {"optimizer": "adamw"}),
    "clipped": ("sigmoid", {"optimizer": "adam", "clip": {"name": "norm", "max_norm": 0.1}}),
    "prelu": ("prelu", {"optimizer": {"name": "sgd", "momentum": 0.9}}),
    "softmax": ("softmax", {}),
}


@pytest.mark.parametrize("name", TASKS)
def test_a_page_of_any_network_shows_every_formula(name):
    last, training = TASKS[name]
    config = Config.model_validate(
        {
            "network": {"layers": [2, 3, 2], "activation": ["tanh", last], "dtype": "float64"},
            "data": {"x": [[0.1, 0.2], [0.4, -0.3]], "y": [[0, 1], [1, 0]]},
            "training": {"steps": 2, "lr": 0.1, **training},
        }
    )
    recorders = []

    def observers(case):
        recorders.append(PageRecorder.of(case))
        return recorders

    result = run(config, observers)
    assert result.verdict == "match", result.first_divergence
    text = html(result, recorders[0].recording(), "es")
    rows = re.findall(r'<tbody class="numbers[^"]*" id="t\d+-(\w+)"', text)
    made = [equation.makes for equation in step_equations(recorders[0].recording().architecture)]
    assert rows == [name for name in made for _ in range(2)]
    assert text.count('<details class="worked">') == len(rows)
    for line in re.findall(r"<pre tabindex=\"0\"></pre>", text):
        pytest.fail(f"a row without its source: {line}")


def test_a_formula_that_nobody_knows_is_still_shown():
    shape = architecture((2, 3, 1), ("tanh", "sigmoid"), "float64")
    recorded = stepped(shape, steps=1)
    equation = next(e for e in step_equations(shape) if e.makes == "W1_next")
    formula = Formula(
        "teleport",
        r"W \leftarrow \operatorname{warp}_\kappa(W, g)",
        np.add,
        ("W", "g"),
        quantity="W_next",
        slide=6,
    )
    unknown = replace(equation, formula=formula, inputs=("W1", "dW1", "z1"))
    known = constants(shape, 4, 0.1)
    told = work(unknown, recorded.traces["reference"], (0, 1), known, shape)
    assert told.formula_text.startswith("W ← warp")
    assert [given.name for given in told.given] == ["W1", "dW1", "z1"]
    assert told.given[0].place == (0, 1)


def test_every_formula_of_the_tables_has_a_name_in_both_languages():
    names = set()
    base = architecture((2, 3, 2), "prelu")
    for family in OPTIMIZERS.values():
        switches = {name: True for name, option in family.options.items() if option is False}
        decays = {name: 0.5 for name, option in family.options.items() if option == 0.0}
        for options in ({}, switches, {"momentum": 0.5} if "momentum" in family.options else decays):
            try:
                shape = replace(base, optimizer=family.configured(**options))
            except ValueError:
                continue
            names |= {equation.formula.name for equation in step_equations(shape)}
    for clipping in CLIPPINGS.values():
        chosen = clipping.configured(**dict.fromkeys(clipping.options, 1.0))
        names |= {e.formula.name for e in step_equations(replace(base, clipping=chosen))}
    for name in names:
        told = [formula_name(name, lang) for lang in LANGUAGES]
        assert name not in told, name
        assert told[0] != told[1]


@pytest.mark.parametrize(
    ("latex", "text"),
    [
        (r"\delta^{(1)} = (W^{(2)})^T \delta^{(2)} \odot f'(z^{(1)})", "δ⁽¹⁾ = (W⁽²⁾)ᵀ δ⁽²⁾ ⊙ f′(z⁽¹⁾)"),
        (r"\frac{1}{1 + e^{-z}}", "1/(1 + e^(−z))"),
        (r"\begin{cases} z & z > 0 \\ \beta z & \end{cases}", "{ z : z > 0 ; β z}"),
        (r"p \leftarrow p - \eta \frac{\hat{m}}{\sqrt{\hat{v}} + \epsilon}", "p ← p − η m̂/(√v̂ + ε)"),
    ],
)
def test_latex_as_plain_text(latex, text):
    assert plain(latex) == text
