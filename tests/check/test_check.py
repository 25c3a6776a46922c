"""`parity check` from outside: correct styles pass, mistakes are named, what is hidden is said so."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.check.test_hostile import AFTER, GOOD
from tests.mutants.styles import ROWS, STYLES
from tests.nightly import one_in

MAZUR = Path(__file__).parents[1] / "mazur.toml"

MIXED = GOOD.replace(
    "    for l in range(L - 2, -1, -1):\n        d[l] = (W[l + 1].T",
    "    V = [None] * L\n    for l in range(L - 1, -1, -1):\n        if l < L - 1:\n"
    "            d[l] = (V[l + 1].T",
).replace("z[l], a[l + 1])\n    dW", "z[l], a[l + 1])\n        V[l] = W[l] - lr * d[l] @ a[l].T\n    dW")
"""Mazur's mixed algorithm: each layer is updated before the layer below is reached."""


@pytest.fixture
def checked(ask, tmp_path):
    def checked(source, *options):
        (tmp_path / "mine.py").write_text(source)
        done = ask("check", "mine.py", "--json", "result.json", *options, folder=tmp_path)
        assert done.returncode in (0, 1), done.stdout + done.stderr
        return json.loads((tmp_path / "result.json").read_text()), done.stdout

    return checked


def wrong(result):
    return [
        (w["formula"], w["layers"], w["diagnosis"] and w["diagnosis"]["mistake"])
        for w in result["wrong_formulas"]
    ]


@pytest.mark.parametrize("style", one_in(3, STYLES))
def test_correct_subjects_pass_in_every_style(style, checked):
    result, _ = checked(STYLES[style])
    assert wrong(result) == []
    assert result["verdict"] == "match"


@pytest.mark.parametrize("style", ["matrices", "rows"])
def test_correct_subjects_pass_in_float32(style, checked):
    result, _ = checked(STYLES[style].replace("* 1.0", "* z.dtype.type(1)"), "--dtype", "float32")
    assert wrong(result) == []


@pytest.mark.parametrize("options", [(), ("--config", str(MAZUR))], ids=["cases", "Mazur's own"])
def test_mazurs_mixed_algorithm(options, checked):
    result, said = checked(MIXED, *options)
    assert wrong(result) == [("hidden_delta", [1], "updated-weights")]
    assert result["first_divergence"]["formula"] == "hidden_delta"
    assert "hidden_delta (slide 5), layer 1: updated-weights" in said


def test_two_mistakes_are_both_listed_and_nothing_else(checked):
    source = GOOD.replace("(W[l + 1].T @ d[l + 1]) *", "-(W[l + 1].T @ d[l + 1]) *")
    source = source.replace("b[l] - lr * db[l]", "b[l] + lr * db[l]")
    result, _ = checked(source)
    assert wrong(result) == [
        ("hidden_delta", [1], "sign-flipped"),
        ("bias_update", [1, 2], "wrong-sign-of-update"),
    ]


def test_hidden_formulas_are_blamed_through_what_is_shown(checked):
    source = GOOD.replace("(W[l + 1].T @ d[l + 1]) *", "-(W[l + 1].T @ d[l + 1]) *")
    result, said = checked(source + AFTER + "    return {'dW': r['dW'], 'db': r['db']}\n")
    assert wrong(result) == [("hidden_delta", [1], "sign-flipped")]
    assert "consistent with a wrong hidden_delta" in result["wrong_formulas"][0]["evidence"]
    assert result["wrong_formulas"][0]["evidence"] in said
    assert "output_delta" in result["not_shown"]


def test_spanish(checked):
    _, said = checked(MIXED, "--lang", "es")
    assert "diapositiva 5), capa 1: pesos ya actualizados" in said


def test_a_mistake_in_rows(checked):
    result, _ = checked(ROWS.replace("d.sum(axis=0)", "d.mean(axis=0)"))
    assert wrong(result) == [("bias_gradient", [1, 2], "mean-over-batch")]


def test_an_unknown_mistake_gets_no_name(checked):
    source = GOOD + AFTER + "    return r | {'dW': [np.sin(40 * d) for d in r['dW']]}\n"
    result, said = checked(source)
    assert wrong(result)[0] == ("weight_gradient", [1, 2], None)
    assert "No mistake that I know" in said


@pytest.mark.parametrize(
    ("mistake", "expected"), [("", []), ("PLANTED", [("hidden_delta", [1], "sign-flipped")])]
)
def test_an_executable_in_c(ask, mistake, expected, tmp_path):
    compiler = shutil.which("cc") or shutil.which("gcc")
    assert compiler, "a C compiler is needed"
    source = Path(__file__).parents[1] / "mutants" / "backprop.c"
    define = [f"-D{mistake}"] if mistake else []
    build = [compiler, "-O2", "-Wall", "-Werror", *define, str(source), "-o", "backprop", "-lm"]
    subprocess.run(build, cwd=tmp_path, check=True)
    done = ask("check", "--exec", "./backprop", "--json", "result.json", folder=tmp_path)
    assert done.returncode == bool(expected), done.stdout + done.stderr
    assert wrong(json.loads((tmp_path / "result.json").read_text())) == expected


def test_the_template_is_valid_and_not_overwritten(ask, tmp_path):
    for lang in ("en", "es"):
        made = ask("new", f"{lang}.py", "--lang", lang, folder=tmp_path)
        assert made.returncode == 0
        assert f"parity check {lang}.py" in made.stdout
        compile((tmp_path / f"{lang}.py").read_text(), "template", "exec")
        asked = ask("check", f"{lang}.py", folder=tmp_path)
        assert asked.returncode == 2
        assert "nothing is filled in yet" in asked.stderr
    assert ask("new", "en.py", folder=tmp_path).returncode == 2


def test_checking_never_imports_torch(tmp_path):
    (tmp_path / "mine.py").write_text(GOOD)
    program = (
        "import sys; from parity.__main__ import _run; code = _run(['check', 'mine.py']); "
        "sys.exit(9 if 'torch' in sys.modules else code)"
    )
    import sys

    done = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, capture_output=True, check=False)
    assert done.returncode == 0
