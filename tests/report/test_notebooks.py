"""The committed notebooks are the script's, and the student's reaches the mistake in five lines."""

from __future__ import annotations

import json

import pytest

from tests.command import ROOT
from tests.reports.notebook_cells import NOTEBOOKS, STUDENT
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
