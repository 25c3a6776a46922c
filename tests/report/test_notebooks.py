"""The committed notebooks are the script's, and the student's reaches the mistake in five lines."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tomllib

import pytest

from tests.command import ROOT
from tests.reports.browser import NAME, contents
from tests.reports.notebook_cells import BROWSER, NOTEBOOKS, STUDENT
from tests.reports.notebooks import notebook, outputs


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_the_committed_notebook_has_the_cells_of_the_script_and_what_they_showed(name):
    found = json.loads((ROOT / "reports" / "notebooks" / f"{name}.ipynb").read_text("utf-8"))
    asked = json.loads(notebook(name, NOTEBOOKS[name], run=False))
    assert (found["nbformat"], found["nbformat_minor"]) == (4, 5)
    assert [cell["source"] for cell in found["cells"]] == [cell["source"] for cell in asked["cells"]]
    assert len({cell["id"] for cell in found["cells"]}) == len(found["cells"])
    code = [cell for cell in found["cells"] if cell["cell_type"] == "code"]
    assert [cell["execution_count"] for cell in code] == list(range(1, len(code) + 1))
    for cell in code:
        for shown in cell["outputs"]:
            assert shown["output_type"] in ("stream", "execute_result")
            assert "/home" not in json.dumps(shown)
            assert "<script" not in json.dumps(shown)


def test_five_lines_from_the_import_to_a_named_mistake_with_its_formula(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    step, check = [cell.text for cell in STUDENT if cell.is_code][:2]
    assert len([line for line in check.splitlines() if line.strip()]) <= 5
    namespace: dict[str, object] = {"__name__": "__main__"}
    assert outputs(step, "<a cell>", namespace) == []
    [shown] = outputs(check, "<another cell>", namespace)
    said = "".join(shown["text"])
    assert said.startswith("mismatch missing-derivative\n")
    assert "As it should be:  δ1 = (W2ᵀ δ2) ⊙ f′(z1)" in said


def test_the_last_line_of_a_cell_is_shown_as_jupyter_shows_it():
    class Table:
        def _repr_html_(self):
            return "<table></table>"

        def __str__(self):
            return "a table"

    [printed, value] = outputs("print('a')\nshown", "<a cell>", {"shown": Table()}, 3)
    assert printed == {"output_type": "stream", "name": "stdout", "text": ["a\n"]}
    assert value["data"] == {"text/plain": ["a table"], "text/html": ["<table></table>"]}
    assert value["execution_count"] == 3
    assert outputs("x = 1", "<a cell>", {}) == outputs("None", "<a cell>", {}) == []


IN_A_BROWSER = """
import json
import sys

import subprocess
import threading

for name in ("torch", "typer", "pytest"):
    sys.modules[name] = None  # importing it raises ImportError, as where it is not installed

def none(*args, **options):
    raise OSError("emscripten does not support it")

subprocess.Popen.__init__ = threading.Thread.start = none  # no second process, no second thread
from tests.reports.notebooks import outputs

found, namespace = [], {"__name__": "__main__"}
for number, source in enumerate(json.load(sys.stdin)):
    shown = outputs(source, f"<cell {number}>", namespace)
    texts = [one["text"] if "text" in one else one["data"]["text/plain"] for one in shown]
    found.append("".join("".join(text) for text in texts))
json.dump(found, sys.stdout)
"""


def test_the_cells_for_a_browser_run_with_numpy_and_without_torch():
    """What a browser has not, nor this process: PyTorch, the command line, threads and other processes."""
    cells = [cell.text for cell in BROWSER if cell.is_code]
    done = subprocess.run(
        [sys.executable, "-c", IN_A_BROWSER],
        input=json.dumps(cells),
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
        env=dict(os.environ, PYTHONPATH=str(ROOT)),
    )
    assert done.returncode == 0, done.stderr
    install, judge, trained, own, first, table, number, mended = json.loads(done.stdout)
    assert install == own == ""
    assert "longdouble" in judge
    losses = [float(loss) for loss in re.findall(r"loss ([\d.]+)", trained)]
    assert len(losses) == 5
    assert losses[-1] < 0.1 * losses[0]
    assert first.startswith("mismatch missing-derivative\n")
    lines = STUDENT[1].text.splitlines()
    line = next(n for n, text in enumerate(lines, 1) if text.strip().startswith("delta[l] ="))
    assert f"Likely computed in line {line}: delta[l] = W[l + 1].T @ delta[l + 1]" in first
    assert "hidden_delta" in table
    assert "the numbers put in" in number
    assert mended == "match"


def test_what_a_browser_fetches_is_what_the_package_needs():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    needs = {re.match(r"[\w-]+", need)[0] for need in project["dependencies"]}
    [named] = re.findall(r'needs = "([^"]*)"', next(cell.text for cell in BROWSER if cell.is_code))
    assert set(named.split()) == needs - {"torch", "typer"}  # no processor of a browser's, no command line


def test_what_jupyterlite_starts_from(tmp_path):
    contents(tmp_path / "lite")
    made = json.loads((tmp_path / "lite" / "files" / NAME).read_text("utf-8"))
    assert made["metadata"]["kernelspec"]["name"] == "python"  # JupyterLite's own kernel is called so
    assert [cell["source"] for cell in made["cells"]] == [
        cell.text.splitlines(keepends=True) for cell in BROWSER
    ]
    assert not any(cell.get("outputs") for cell in made["cells"])
