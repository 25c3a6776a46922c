"""The page as text: complete, escaped, small, in both languages, and the same bytes when made again."""

from __future__ import annotations

import html
import re
import subprocess
import sys
import xml.etree.ElementTree as ET
from dataclasses import replace
from pathlib import Path

import pytest

from parity.check.diagnosis.judge import Judge
from parity.config.config import Config
from parity.errors import UsageError
from parity.explain import Inspector
from parity.lockstep.result import Divergence
from parity.lockstep.run import run
from parity.report import write
from parity.report.page import MAX_BYTES
from parity.report.page import html as page
from parity.report.recorder import PageRecorder, spread
from parity.report.recording import load
from parity.report.sources import body, theirs
from reference.architecture import architecture
from reference.clipping import CLIPPINGS
from reference.equations import step_equations
from reference.formula import FORMULAS
from reference.optimizers import OPTIMIZERS
from reference.trace import tensor_name
from tests.reports.exhibits import EXHIBITS, recorded, recording_of, render
from tests.reports.gallery import MISTAKES

ROOT = Path(__file__).parents[2]
REPORTS = ROOT / "reports"
NASTY = "<script>alert(1)</script>.py"


@pytest.fixture(scope="module")
def lesson():
    return recorded("lesson", REPORTS)


def test_the_committed_reports_are_what_one_command_makes(tmp_path):
    (tmp_path / "recordings").mkdir()
    for exhibit in EXHIBITS:
        recording_of(exhibit, tmp_path).write_bytes(recording_of(exhibit, REPORTS).read_bytes())
    render(tmp_path)
    made = {file.relative_to(tmp_path) for file in tmp_path.rglob("*") if file.is_file()}
    committed = {file.relative_to(REPORTS) for file in REPORTS.rglob("*") if file.is_file()}
    assert made <= committed
    changed = [
        str(file) for file in made if (tmp_path / file).read_bytes() != (REPORTS / file).read_bytes()
    ]
    assert changed == []


def test_the_committed_reports_are_small_and_lead_to_files_that_are_there():
    """Both languages are in one file, so each lesson is there once."""
    files = [file for file in REPORTS.rglob("*") if file.is_file()]
    assert sum(file.stat().st_size for file in files) < 4 * 2**20
    assert not [file for file in files if re.search(r"-(en|es)$", file.parent.name)]
    for start in (REPORTS / "index.html", REPORTS / "README.md", ROOT / "README.md"):
        text = start.read_text(encoding="utf-8")
        links = re.findall(r'href="([^"#:]+)"|\]\(([^)#:]+)\)', text)
        assert links
        assert [found for found in map("".join, links) if not (start.parent / found).is_file()] == []


def test_a_page_needs_no_torch():
    program = (
        "import sys; from pathlib import Path; from tests.reports.exhibits import recorded; "
        "from parity.report.page import html; html(*recorded('mazur', Path('reports')), 'en'); "
        "sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", program], cwd=ROOT, check=False).returncode == 0


def test_every_formula_of_the_deck_stands_there_with_slide_source_and_numbers(lesson):
    text = page(*lesson, "en")
    shown = {re.sub(r"<[^>]+>", "", match) for match in re.findall(r"<pre.*?</pre>", text, re.S)}
    code = html.unescape("\n".join(shown))
    for formula in FORMULAS.values():
        if formula.name == "hidden_delta":
            continue  # two rows: `backpropagated`, and the product
        for line in body(formula.function):
            assert line.strip() in code
    rows = re.findall(r'<details class="row.*?(?=<details class="row|</section>)', text, re.S)
    assert rows
    for row in rows:
        assert "<math" in row
        assert re.search(r"slide [2-6]", row)
        assert 'class="worked"' in row


def test_pytorchs_lines_are_lines_of_the_twin():
    source = (ROOT / "parity" / "pytorch" / "twin.py").read_text(encoding="utf-8")
    clipped = CLIPPINGS["norm"].configured(max_norm=1.0, norm_type=2.0)
    plain = architecture((3, 4, 2), "prelu", optimizer=OPTIMIZERS["adam"].configured())
    made = {}
    for equation in step_equations(replace(plain, clipping=clipped)):
        statement = theirs(equation, plain)
        assert any(line.strip().startswith(f"{statement}  # makes: ") for line in source.splitlines())
        made.setdefault(statement.partition("(")[0], set()).add(equation.quantity)
    assert made == {
        "z = linear": {"z"},
        "a = f": {"a"},
        "loss = self.loss": {"loss"},
        "gradients = torch.autograd.grad": {"s", "delta", "dW", "db", "dalpha"},
        "clipped = self._clip": {"norm", "clipped_W", "clipped_b", "clipped_alpha"},
        "self.optimizer.step": {
            f"{state}{parameter}_next" for state in ("", "m_", "v_") for parameter in ("W", "b", "alpha")
        },
    }
    with pytest.raises(KeyError):
        theirs(replace(equation, quantity="unheard_of"), plain)


def test_the_step_that_a_page_opens_with_is_judged_once(tmp_path, monkeypatch):
    """By the diagnosis, the page and the Markdown together; all three show it."""
    judged, rows, judge = [], Inspector.rows, Judge.judge
    monkeypatch.setattr(Inspector, "rows", lambda *a, **o: judged.append(a[2]) or rows(*a, **o))
    monkeypatch.setattr(Judge, "judge", lambda *a: judged.append("again") or judge(*a))
    result, recording = recorded("gallery-no_transpose", REPORTS)
    write(result, recording, tmp_path)
    assert judged == [0]
    told = [
        l for l in (tmp_path / "report.md").read_text(encoding="utf-8").splitlines() if l.startswith("> ")
    ]
    assert told


@pytest.mark.parametrize("mistake", MISTAKES, ids=lambda mistake: mistake.name)
def test_a_mistake_is_marked_where_it_was_born_in_row_and_graph(mistake):
    result, recording = recorded(f"gallery-{mistake.name}", REPORTS)
    assert result.verdict == "mismatch"
    assert result.wrong_formulas[0].formula == mistake.formula
    assert {wrong.formula for wrong in result.wrong_formulas} <= {mistake.formula, "bias_update"}
    text = page(result, recording, "en")
    born = set(re.findall(r'<tbody class="numbers of-step born[^"]*" id="t0-(\w+)"', text))
    inherited = set(re.findall(r'<tbody class="numbers of-step inherited[^"]*" id="t0-(\w+)"', text))
    first = result.first_divergence
    assert first is not None
    assert tensor_name(first.quantity, first.layer) in born
    assert born
    assert not born & inherited
    if mistake.method != "update":
        assert inherited  # whatever was computed from it
    drawn = set(re.findall(r'<g class="error (\w+)" data-tensor="(\w+)"', text))
    nodes = set(re.findall(r'<g class="node \w+ (\w+)" data-tensor="(\w+)"', text))
    assert any(mark == "born" for mark, _ in drawn | nodes)


def test_what_a_user_wrote_stays_a_text(lesson):
    result, recording = lesson
    trap = '</pre></section><img src=x onerror="alert(2)"><!-- ' + NASTY
    hostile = result.model_copy(
        update={
            "verdict": "mismatch",
            "reproduce": f"parity check {NASTY}",
            "first_divergence": Divergence(
                step=0, side=NASTY, formula=NASTY, slide=5, layer=1, quantity=NASTY, complaint=trap
            ),
        }
    )
    text = page(hostile, recording, "en", {"en": NASTY, "es": NASTY})
    assert "<script>alert" not in text
    assert "<img" not in text
    assert text.count("<script>") == 1
    assert html.escape(NASTY, quote=False) in text
    assert "<script>alert" not in hostile._repr_html_()


def test_formulas_are_mathml_core(lesson):
    core = {
        "math",
        "mrow",
        "mi",
        "mn",
        "mo",
        "mtext",
        "mfrac",
        "msup",
        "msub",
        "msubsup",
        "mover",
        "munder",
    }
    core |= {"munderover", "mspace", "mstyle", "msqrt", "mtable", "mtr", "mtd"}
    for formula in set(re.findall(r"<math.*?</math>", page(*lesson, "en"), re.S)):
        used = {
            element.tag.rpartition("}")[2]
            for element in ET.fromstring(
                html.unescape(formula) if "&lt;" not in formula else formula
            ).iter()
        }
        assert used <= core, used - core


def test_large_networks_stay_small_and_whole_in_statistics(tmp_path):
    config = Config.model_validate(
        {"network": {"layers": [64, 300, 200, 10]}, "training": {"steps": 12, "batch": 64}}
    )
    recorders = []

    def observers(case):
        recorders.append(PageRecorder.of(case))
        return recorders

    result = run(config, observers)
    write(result, recorders[0].recording(), tmp_path / "new", "es")
    assert (tmp_path / "new" / "index.html").stat().st_size < 2_000_000
    assert MAX_BYTES < 2_000_000
    assert "300 × 64" in (tmp_path / "new" / "index.html").read_text(encoding="utf-8")


@pytest.mark.parametrize(("planned", "most"), [(1, 8), (8, 8), (9, 8), (100, 3), (10**6, 8), (5, 3)])
def test_the_steps_that_are_kept(planned, most):
    kept = spread(planned, most)
    assert {0, planned - 1} <= kept
    assert len(kept) <= most
    assert max(kept) < planned


@pytest.mark.parametrize("name", ["lesson", "attention"])
def test_a_recording_comes_back_as_it_was(tmp_path, name):
    result, recording = recorded(name, REPORTS)
    recording.save(tmp_path / "again", result)
    again, same = load(tmp_path / "again")
    assert again == result
    assert same.extras == recording.extras
    for step, traces in recording.steps.items():
        for side, trace in traces.items():
            assert {n: t.tobytes() for n, t in trace.items()} == {
                n: t.tobytes() for n, t in same.steps[step][side].items()
            }


def test_a_wrong_file_or_folder_is_said_in_one_line(tmp_path, lesson):
    (tmp_path / "file").write_text("x")
    with pytest.raises(UsageError, match="not a recording"):
        load(tmp_path / "file")
    with pytest.raises(UsageError, match="file"):
        write(*lesson, tmp_path / "file" / "folder")
