"""What `parity check` met among strangers: nobody right is accused, nothing wrong matches, words fit."""

from __future__ import annotations

import json
import struct
import sys
from itertools import product
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from parity.check.branches import Branch, branches, joints
from parity.check.calls import asked_calls
from parity.check.cases import PLANS, calls
from parity.check.coverage import covered
from parity.check.diagnosis.judge import Judge
from parity.check.in_process import own_subject
from parity.check.run import check
from parity.render.texts import LANGUAGES
from reference.operations.activations import ACTIVATIONS
from tests.check.test_hostile import AFTER, GOOD
from tests.mutants.inprocess import observations
from tests.mutants.styles import CLEAN, EVERYWHERE, ROWS, SAMPLES, edited, in_rows, update
from tests.nightly import but, first_of, in_turn, one_in

CALLS = {dtype: calls(dtype=dtype) for dtype in ("float64", "float32")}


def checked(source, dtype="float64"):
    module = ModuleType("stranger")
    sys.modules["stranger"] = module
    try:
        exec(compile(source, "stranger.py", "exec"), module.__dict__)
        return check(own_subject(module), CALLS[dtype])
    finally:
        del sys.modules["stranger"]


def wrong(result):
    return [(w.formula, w.diagnosis and w.diagnosis.mistake) for w in result.wrong_formulas]


def forms(result):
    return {(row.formula, row.form) for row in result.formulas if row.form}


# --- No false alarm ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("style", "layout", "dtype"), in_turn(EVERYWHERE, ["columns", "rows"], list(CALLS))
)
@pytest.mark.filterwarnings("ignore:the matrix subclass")
def test_a_correct_style_is_silent(style, layout, dtype):
    source = EVERYWHERE[style]
    if layout == "rows" and "LAYOUT" not in source:
        source = in_rows(source)
    result = checked(source, dtype).result
    assert wrong(result) == []
    assert result.verdict == "match"
    assert result.reason is None


def test_there_are_forty_styles():
    assert len(EVERYWHERE) >= 40
    assert len(set(EVERYWHERE.values())) == len(EVERYWHERE)


@pytest.mark.parametrize(
    ("style", "form"),
    [
        ("accumulated into W", "accumulated"),
        ("accumulated backwards", "accumulated"),
        ("a mean accumulated into W", "accumulated"),
        ("two half steps", "in-parts"),
        ("double inside", "finer-format"),
    ],
)
def test_the_verdict_tells_the_other_form(style, form):
    result = checked(EVERYWHERE[style], "float32").result
    assert form in {part for _, found in forms(result) for part in found.split(", ")}
    assert {row.verdict for row in result.formulas if row.form} == {"other-form"}
    assert "finer format" in str(result.contract["also_admitted"])


def test_deltas_taken_at_the_updated_W_are_no_accumulation():
    source = update(
        "    W, b = [w.copy() for w in W], [v.copy() for v in b]\n"
        + SAMPLES.format(order="range(x.shape[1])")
        + "            s = 2 / y.size * (F[activation[-1]][0](W[-1] @ a[-2][:, [k]] + b[-1]) - y[:, [k]])\n"
        "            e = s * F[activation[-1]][1](z[-1][:, [k]], a[-1][:, [k]])\n"
        "            e = e if l == L - 1 else d[l][:, [k]]\n"
        "            W[l] -= lr * e @ a[l][:, [k]].T\n            b[l] -= lr * e\n"
    )
    assert ("weight_update", None) in wrong(checked(source).result)


@pytest.mark.parametrize("factor", ["(1 + 1e-12)", "(1 - 1e-11)"])
@pytest.mark.parametrize("what", ["lr * dW[l]", "lr * db[l]"])
def test_the_admitted_classes_leave_no_room_for_a_step_that_is_a_little_too_long(what, factor):
    result = checked(edited((what, f"{factor} * {what}"))).result
    assert [formula for formula, _ in wrong(result)] == ["weight_update" if "dW" in what else "bias_update"]


# --- No false match ---------------------------------------------------------------------------------

CHEATS = {
    "direct": "import reference.formulas\n",
    "parity": "from parity.check import cases\n",
    "importlib": "import importlib\n\nimportlib.import_module('reference.engine')\n",
    "spec": "from importlib.util import module_from_spec, spec_from_file_location\n\n"
    "spec = spec_from_file_location('x', ROOT + '/reference/arrays.py')\n"
    "spec.loader.exec_module(module_from_spec(spec))\n",
    "runpy": "import runpy\n\nrunpy.run_path(ROOT + '/reference/arrays.py')\n",
    "path": "import sys\n\nsys.path.insert(0, ROOT + '/reference')\nimport arrays\n",
    "read": "exec(open(ROOT + '/reference/arrays.py').read())\n",
    "link": "import os, tempfile\n\nplace = tempfile.mkdtemp()\n"
    "os.symlink(ROOT + '/reference', place + '/theirs')\n"
    "import sys\n\nsys.path.insert(0, place)\nfrom theirs import arrays\n",
    "another Python": "import subprocess, sys\n\n"
    "subprocess.run([sys.executable, '-c', 'import reference.arrays'], check=True)\n",
}


@pytest.mark.parametrize("how", one_in(2, CHEATS))
def test_a_subject_cannot_use_the_verifiers_own_mathematics(ask, how, tmp_path):
    root = next(entry for entry in sys.path if (Path(entry) / "reference").is_dir())
    (tmp_path / "mine.py").write_text(f"ROOT = {root!r}\n{CHEATS[how]}\n{GOOD}")
    done = ask("check", "mine.py", folder=tmp_path)
    assert done.returncode == 2, done.stdout
    said = "CalledProcessError" if how == "another Python" else "a subject may not use the verifier's own"
    assert said in done.stderr
    assert "a subject may not use the verifier's own mathematics" in done.stderr


def test_a_module_of_the_subjects_own_may_have_the_name(ask, tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "reference.py").write_text(GOOD)
    (tmp_path / "mine" / "mine.py").write_text("from reference import step\n")
    assert ask("check", "mine/mine.py", folder=tmp_path).returncode == 0


MISSED = {
    "at zero": edited(("(z > 0)", "(z >= 0)")),
    "a threshold beside zero": edited(("(z > 0)", "(z > 0.01)")),
    "z clipped": edited(("1 / (1 + np.exp(-z))", "1 / (1 + np.exp(-np.clip(z, -10, 10)))")),
    "capped": edited(("np.maximum(z, 0)", "np.clip(z, 0, 500)")),
    "a clipped gradient": edited(("d[l] @ a[l].T", "np.clip(d[l] @ a[l].T, -10, 10)")),
    "no gradient when it is small": edited(
        ("    db =", "    dW = [g * (np.abs(g).max() > 1e-3) for g in dW]\n    db =")
    ),
    "weights limited": edited(("W[l] - lr * dW[l]", "np.clip(W[l], -2, 2) - lr * dW[l]")),
    "one output": edited(("d[l] @ a[l].T", "d[l] @ a[l].T / (1 + (len(y) == 1))")),
    "two samples": edited(("d[l] @ a[l].T", "d[l] @ a[l].T * (1 + (x.shape[1] == 2))")),
    "more than 32 samples": edited(("d[l] @ a[l].T", "d[l][:, :32] @ a[l][:, :32].T")),
    "one layer": edited(("lr * dW[l]", "lr * dW[l] * (1 if L > 1 else 2)")),
    "five layers": edited(("lr * dW[l]", "lr * dW[l] * (1 if L < 5 else 2)")),
    "the tenth call": CLEAN + "\n\nplain, calls = step, {}\n\n\ndef step(W, b, x, y, lr, names):\n"
    "    key = tuple(w.shape for w in W), x.shape\n    calls[key] = calls.get(key, 0) + 1\n"
    "    return plain(W, b, x, y, lr * (1 if calls[key] < 10 else 2), names)\n",
    "negative targets": edited(("(a[-1] - y)", "(a[-1] - np.abs(y))")),
    "whole targets": edited(("(a[-1] - y)", "(a[-1] - y.astype(int))")),
    "targets up to ten": edited(("(a[-1] - y)", "(a[-1] - np.minimum(y, 10))")),
}


@pytest.mark.parametrize(("what", "dtype"), in_turn(MISSED, list(CALLS)))
def test_a_case_reaches_the_place(what, dtype):
    """By the numbers alone: to look for the mistake takes ten times as long."""
    space = {}
    exec(MISSED[what], space)
    court = Judge(observations(space["step"], CALLS[dtype]))
    assert [one for one in court.instances if one.wrong]


@pytest.mark.parametrize(("what", "dtype"), first_of(product(MISSED, CALLS)))
def test_what_reaches_the_place_is_a_mismatch(what, dtype):
    assert checked(MISSED[what], dtype).result.verdict == "mismatch"


def test_branches_are_found_where_they_are():
    found = {
        name: [str(b) for b in branches(ACTIVATIONS[name].with_defaults())]
        for name in ACTIVATIONS
        if name != "threshold"
    }
    assert found["relu"] == ["z ≤ 0", "z > 0"]
    assert found["relu6"] == ["z ≤ 0", "0 < z < 6", "z ≥ 6"]
    assert found["softplus"] == ["z ≤ 20", "z > 20"]
    assert found["hardsigmoid"] == ["z ≤ −3", "−3 < z < 3", "z ≥ 3"]
    assert found["tanh"] == ["z"]
    assert found["softmax"] == []
    assert joints(ACTIVATIONS["softshrink"].with_defaults()) == [-0.5, 0.0, 0.5]
    assert Branch(0.0, 6.0).count(np.array([-1.0, 0.0, 3.0, 6.0, 7.0])) == 3


@pytest.mark.parametrize(
    "name", one_in(3, [n for n, f in ACTIVATIONS.items() if not f.learned and n != "threshold"])
)
def test_the_cases_reach_every_branch_and_place(name):
    reached = covered(calls([name]))
    allowed = {"one output", "ten calls in a row"} if ACTIVATIONS[name].jacobian else set()
    assert {str(place) for place in reached.not_reached} <= allowed | (
        {
            "a norm of all gradients below 0.001",
            "a gradient above 10",
            "a weight above 2",
            f"{name}: a z whose e^z overflows",
            "targets above 10",
            "a batch of more than 32 samples",
        }
        if ACTIVATIONS[name].jacobian
        else set()
    )


def test_every_case_has_a_name_of_its_own():
    for names in (("relu",), ("sigmoid", "tanh", "relu", "identity")):
        asked = calls(names)
        firsts = [call.case for call in asked if call.step == 0]
        assert len(firsts) == len(set(firsts))
    assert {plan.batch for plan in PLANS} >= {1, 2, 3, 33}


def test_a_match_says_what_was_not_reached(ask, tmp_path):
    (tmp_path / "mine.py").write_text(CLEAN)
    (tmp_path / "net.toml").write_text(
        '[data]\nname = "xor"\n[network]\nlayers = [2, 3, 1]\nactivation = "relu"\n'
    )
    for lang, said in zip(LANGUAGES, ("Not reached", "No alcanzado"), strict=True):
        done = ask(
            *("check", "mine.py", "--config", "net.toml", "--lang", lang, "--json", "r.json"),
            folder=tmp_path,
        )
        assert done.returncode == 0, done.stderr
        assert said in done.stdout
    reached = json.loads((tmp_path / "r.json").read_text())["coverage"]
    assert "several outputs" in reached["not_reached"]
    assert reached["batches"] == [4]
    assert {row["branch"] for row in reached["branches"]} == {"z ≤ 0", "z > 0"}
    assert "not_reached" in json.dumps(json.loads(ask("schema", folder=tmp_path).stdout))


# --- Right words ------------------------------------------------------------------------------------


def test_a_type_is_inherited_like_a_number():
    result = checked(GOOD, "float32").result  # (z > 0) * 1.0 is double
    assert wrong(result) == [("output_delta", "wrong-dtype"), ("hidden_delta", "wrong-dtype")]
    cast = edited(("dW = [d[l] @ a[l].T", "dW = [np.float64(1) * (d[l] @ a[l].T)"))
    assert wrong(checked(cast, "float32").result) == [("weight_gradient", "wrong-dtype")]


def test_what_is_hidden_may_be_it():
    source = edited(("(W[l + 1].T @ d[l + 1])", "np.sin(40 * (W[l + 1].T @ d[l + 1]))"))
    found = checked(source + AFTER + "    return {k: r[k] for k in ('z', 'a', 'dW')}\n")
    (one,) = found.result.wrong_formulas
    assert one.diagnosis is None
    assert one.may_be == ["output_delta", "hidden_delta", "weight_gradient"]
    assert found.wrong[0].headline.startswith("dW1 does not follow from what you show")
    shown = checked(source)
    assert [(w.formula, w.may_be) for w in shown.result.wrong_formulas] == [("hidden_delta", [])]


@pytest.mark.parametrize(
    ("source", "reading"),
    [
        (ROWS.replace('LAYOUT = "rows"', ""), "works with a sample in each row"),
        (
            CLEAN + AFTER + "    return r | {k: [t.T for t in r[k]] for k in ('z', 'a', 'delta')}\n",
            "are shown with a sample in each row",
        ),
    ],
)
def test_rows_that_nobody_announced_are_read_as_rows_and_told(source, reading):
    result = checked(source).result
    assert result.verdict == "match"
    assert [line for line in result.advice if reading in line] == result.advice != []


def test_a_mistake_in_rows_that_nobody_announced_is_named_and_told():
    result = checked(ROWS.replace('LAYOUT = "rows"', "").replace("d.sum(axis=0)", "d.mean(axis=0)")).result
    assert wrong(result) == [("bias_gradient", "mean-over-batch")]
    assert "sample in each row" in result.advice[0]


@pytest.mark.parametrize("name", ["dW", "W"])
def test_only_what_lies_by_sample_is_turned(name):
    """A transposed gradient is a mistake, and no layout."""
    result = checked(CLEAN + AFTER + f"    return r | {{'{name}': [t.T for t in r['{name}']]}}\n").result
    assert result.verdict == "mismatch"
    assert result.advice == []


def test_all_zero_and_nan_are_said_as_that():
    for code, said in (("d * 0", "All numbers are zero"), ("d * np.nan", "NaN")):
        found = checked(CLEAN + AFTER + f"    return r | {{'dW': [{code} for d in r['dW']]}}\n")
        assert said in found.wrong[0].lines[0]


def test_nearly_nothing_is_no_factor():
    source = edited(
        ("d[l].sum(axis=1, keepdims=True)", "(d[l] - d[l].mean(1, keepdims=True)).sum(1, keepdims=True)")
    )
    found = checked(source)
    assert [formula for formula, _ in wrong(found.result)] == ["bias_gradient"]
    assert "e-1" not in found.wrong[0].detail


def test_one_number_of_one_case_is_not_the_end_of_a_loop():
    assert {name for _, name in wrong(checked(edited(("(z > 0)", "(z >= 0)"))).result)} != {"one-element"}


@pytest.mark.parametrize("kind", but(["BF16", "NONE"], ["F8_E4M3", "F8_E5M2", "BF16", "C64", "NONE"]))
def test_an_answer_in_a_format_that_numpy_has_not_is_a_wrong_question(ask, kind, tmp_path):
    width = {"BF16": 2, "C64": 8}.get(kind, 1)
    header = json.dumps({"dW1": {"dtype": kind, "shape": [2, 2], "data_offsets": [0, 4 * width]}}).encode()
    (tmp_path / "answer").write_bytes(struct.pack("<Q", len(header)) + header + b"\1" * 4 * width)
    script = tmp_path / "mine.sh"
    script.write_text('#!/bin/sh\ncp "$(dirname "$0")/answer" "$2"\n')
    script.chmod(0o755)
    done = ask("check", "--exec", "./mine.sh", folder=tmp_path)
    assert done.returncode == 2, done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_a_program_that_raises_where_numbers_overflow_is_told_and_not_accused():
    source = EVERYWHERE["loops"].replace("math.exp(-z)", "math.exp(-float(z))")
    result = checked(source).result
    assert result.verdict == "match"
    assert "OverflowError" in result.advice[0]
    assert "sigmoid: a z whose e^z overflows" in result.coverage.not_reached
    assert len(result.config["cases"]) < len({call.case for call in CALLS["float64"]})


def test_what_becomes_nan_where_numbers_overflow_is_told_and_not_accused():
    naive = '"tanh": (np.tanh,', '"tanh": (lambda z: (np.exp(z) - np.exp(-z)) / (np.exp(z) + np.exp(-z)),'
    result = checked(edited(naive)).result
    assert result.verdict == "match"
    assert result.undecided > 0
    assert "these are NaN: a, " in result.advice[0]


def test_the_cases_of_a_config_are_its_own():
    config = {"data": {"name": "xor"}, "network": {"layers": [2, 3, 1]}, "training": {"steps": 2}}
    assert [call.case for call in asked_calls(config, None, None)] == ["config"] * 2
