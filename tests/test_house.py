"""Walls that must stand: who may import whom, and that nobody brings a tolerance in."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

from parity.render.texts import LANGUAGES, catalogue

ROOT = Path(__file__).parents[1]
PRODUCT = [*ROOT.glob("reference/**/*.py"), *ROOT.glob("parity/**/*.py")]


def imports(file: Path) -> set[str]:
    tree = ast.parse(file.read_text(encoding="utf-8"))
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module.split(".")[0])
    return found


@pytest.mark.parametrize("file", PRODUCT, ids=lambda file: str(file.relative_to(ROOT)))
def test_no_tolerance_anywhere(file):
    forbidden = r"\b(rtol|atol|allclose|isclose|assert_close|approx)\b"
    assert not re.search(forbidden, file.read_text(encoding="utf-8"))


@pytest.mark.parametrize("file", [*ROOT.glob("reference/**/*.py")], ids=lambda file: file.name)
def test_the_mathematics_knows_numpy_and_nothing_else(file):
    foreign = imports(file) - {"numpy", "reference"} - set(sys.stdlib_module_names)
    assert foreign == set()


def test_importing_the_mathematics_does_not_import_torch():
    program = "import reference.training, reference.graph, sys; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], cwd=ROOT, check=False).returncode == 0


@pytest.mark.parametrize("file", PRODUCT, ids=lambda file: str(file.relative_to(ROOT)))
def test_no_room_is_too_large(file):
    assert len(file.read_text(encoding="utf-8").splitlines()) <= 300


def test_both_languages_say_the_same_things():
    keys = {lang: set(catalogue(lang)) for lang in LANGUAGES}
    assert keys["en"] == keys["es"]
    holes = {
        lang: {key: set(re.findall(r"{(\w+)}", text)) for key, text in catalogue(lang).items()}
        for lang in LANGUAGES
    }
    assert holes["en"] == holes["es"]
