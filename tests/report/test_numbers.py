"""The page's numbers are the certificate's, each side's from its own inputs; its code is the formula's."""

from __future__ import annotations

import re
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from parity.bounds.formats import digits_of
from parity.explain import Inspector, written_at
from parity.report.page import html as page
from parity.report.slide_code import slide_code
from parity.report.sources import as_on_the_slide
from reference import formulas
from reference.architecture import architecture
from reference.equations import step_equations
from reference.operations.activations import ACTIVATIONS
from tests.reports.exhibits import recorded

REPORTS = Path(__file__).parents[2] / "reports"


def shown(text, step, tensor):
    """Of a tensor in a step, the cells of each side's row: what it has, exactly, share and bound."""
    body = re.search(rf'<tbody class="numbers[^"]*" id="t{step}-{tensor}".*?</tbody>', text, re.DOTALL)
    assert body, (step, tensor)
    rows = re.findall(r'<tr><th scope="row">.*?</tr>', body[0], re.DOTALL)
    return [
        [re.sub(r"<[^>]+>", "", cell).strip() for cell in re.findall(r"<td.*?</td>", row, re.DOTALL)]
        for row in rows
    ]


@pytest.mark.parametrize("name", ["lesson", "gallery/no_transpose", "digits"])
def test_every_number_of_a_card_is_the_certificates(name):
    result, recording = recorded(name, REPORTS)
    text = page(result, recording, "en")
    inspector = Inspector(recording.architecture, recording.lr, recording.findings)
    apart = 0
    for step in sorted(recording.steps)[-2:]:
        for row in inspector.rows(recording.steps[step], step):
            cells = shown(text, step, row.equation.makes)
            exact = []
            for (has, truth, used), side in zip(cells, row.sides.values(), strict=True):
                digits = digits_of(side.observed.dtype)
                assert has == f"{float(side.observed[row.index]):.{digits}g}"
                assert truth == f"{float(side.truth[row.index]):.{min(17, digits + 3)}g}"
                share, bound = re.fullmatch(r"(\S+) × (\S+)", used).groups()
                assert share == f"{float(f'{side.ratio(row.index):.2g}'):.2g}"
                assert bound == f"{float(side.bound[row.index]):.2g}"
                exact.append(truth)
            apart += len({*exact}) > 1
    assert apart  # somewhere the sides' own inputs differ, and so do the exact values


def test_the_exact_value_names_the_inputs_that_it_follows_from():
    result, recording = recorded("lesson", REPORTS)
    text = page(result, recording, "en")
    for equation in step_equations(recording.architecture):
        card = re.search(rf'id="card-{equation.makes}".*?</table>', text, re.DOTALL)[0]
        names = ", ".join(written_at(name) for name in dict.fromkeys(equation.inputs))
        assert f"exactly, from its own {names}</span>" in card
    deck = re.findall(r'<div class="voice deck">.*?(?=<div class="voice">)', text, re.DOTALL)
    assert deck
    assert not any(re.search(r"\d\.\d{5}", part) for part in deck)  # no side's number is the slide's


@pytest.mark.parametrize("name", sorted({*ACTIVATIONS} - {"prelu", "threshold"}))  # they want arguments
def test_code_as_on_the_slide_computes_what_the_function_computes(name):
    f = ACTIVATIONS[name]
    z = np.random.default_rng(1).normal(size=(3, 4))
    a = f.function(z, None)
    for function, arguments in (
        (f.function, {"z": z}),
        (f.jacobian or f.derivative, {"s": z + 1, "z": z, "a": a}),
    ):
        plain, options = function, {}
        while isinstance(plain, partial):
            plain, options = plain.func, {**plain.keywords, **options}
        plain = getattr(plain, "__wrapped__", plain)
        names = plain.__code__.co_varnames[: plain.__code__.co_argcount]
        given = [arguments[one] for one in names if one in arguments]
        lines = slide_code(plain, "made")
        space = {**plain.__globals__, **arguments, **(plain.__kwdefaults__ or {}), **options}
        exec("\n".join(lines), space)
        expected = plain(*given, **options)
        assert np.array_equal(np.asarray(space["made"], float), np.asarray(expected, float), equal_nan=True)
        assert "out" not in re.findall(r"\w+", "\n".join(lines))


def test_the_decks_formulas_stand_there_as_on_the_slides():
    of = architecture((2, 3, 1), ("tanh", "sigmoid"))
    code = {equation.makes: as_on_the_slide(equation, of)[0] for equation in step_equations(of)}
    assert code["z1"] == "z = W @ a + b"
    assert code["s1"] == "s = W.T @ delta"
    assert code["dW2"] == "dW = delta @ a.T"
    assert code["db2"] == "db = np.sum(delta, axis=1, keepdims=True)"
    assert code["W1_next"] == "W_next = W - lr * dW"
    random = np.random.default_rng(2)
    W, a, b = random.normal(size=(3, 2)), random.normal(size=(2, 4)), random.normal(size=(3, 1))
    space = {"np": np, "W": W, "a": a, "b": b}
    exec(code["z1"], space)
    assert np.array_equal(space["z"], formulas.affine(W, a, b))


def test_a_name_that_is_used_twice_or_in_a_loop_stays():
    def formula(z, out=None):
        e = np.exp(z, out=out)
        for _ in range(2):
            e = np.multiply(e, e, out=out)
        return np.add(e, np.negative(z), out=out)

    lines = slide_code(formula, "y")
    space = {"np": np, "z": 0.5}
    exec("\n".join(lines), space)
    assert space["y"] == formula(0.5)
    assert lines[-1] == "y = e + -z"
