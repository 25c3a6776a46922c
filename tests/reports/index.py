"""What stands in `reports/` beside pages: graphs, worked numbers, and the index in both languages."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Protocol

from parity.explain.number import RecordedStep, explain, parse
from parity.explain.text import lines
from parity.lockstep.result import Result
from parity.render.graph import svg, text
from parity.render.graph.drawing import DrawnGraph
from parity.render.texts import LANGUAGES, catalogue
from parity.report.bilingual import one
from parity.report.recording import Recording
from reference.graph import Graph

NETWORK = "--data xor --layers 2-3-1 --activation tanh,sigmoid"
NUMBERS = ("z1[0,1]", "a2[0,1]", "loss", "delta2[0,1]", "delta1[2,1]", "dW1[1,0]", "W1_next[1,0]")
"""The numbers that `explain.md` works out."""
OTHERS = (
    ("graph/xor.svg", "reports.graph_svg", f"parity graph {NETWORK} --format svg -o FILE.svg"),
    ("graph/xor.md", "reports.graph_text", f"parity graph {NETWORK} --format mermaid"),
    (
        "explain.md",
        "reports.explain",
        f'parity explain "{NUMBERS[4]}" {NETWORK} --dtype float64 --lr 0.5 --seed 1',
    ),
    ("pictures/page.png", "reports.pictures", "python -m tests.reports.pictures"),
    ("notebooks/student.ipynb", "reports.notebook_student", "python -m tests.reports.notebooks"),
    ("notebooks/training.ipynb", "reports.notebook_training", "python -m tests.reports.notebooks"),
    ("names.md", "reports.names", "python -m tests.reports"),
    ("vocabulary.md", "reports.vocabulary", "python -m tests.reports.vocabulary"),
    ("benchmark.md", "reports.benchmark", "parity bench --profile --markdown reports/benchmark.md"),
    (
        "watch-speed.md",
        "reports.watch_speed",
        "parity bench --watch --sizes cnn,gpt --markdown reports/watch-speed.md",
    ),
    ("bounds.md", "reports.bounds", "python -m tests.reports.bounds"),
    ("kill-matrix.md", "reports.kill_matrix", "python -m tests.reports.kill_matrix"),
    ("plan.md", "reports.plan", "python -m tests.reports.plan 10000 FILE.jsonl"),
    ("findings.md", "reports.findings", "python -m tests.reports.deviations"),
    ("watch-faults.md", "reports.watch_faults", "python -m tests.reports.watch_faults"),
    ("watch-campaign.md", "reports.watch_campaign", "python -m tests.reports.watch_campaign"),
    ("campaign.md", "reports.campaign", "parity campaign -o DIR --markdown reports/campaign.md"),
    ("kernels.md", "reports.kernels", "python -m tests.reports.kernels"),
    ("opinfo.md", "reports.opinfo", "python -m tests.reports.opinfo"),
    ("lockstep.md", "reports.lockstep", "python -m tests.reports.lockstep"),
    ("mutation.md", "reports.mutation", "python -m tests.reports.mutation"),
)
"""Files that are no pages: what each shows, and the command that makes it."""


class Entry(Protocol):
    """An exhibit, as far as the index names it."""

    @property
    def name(self) -> str: ...
    @property
    def text(self) -> str: ...
    @property
    def command(self) -> str: ...
    @property
    def mistake(self) -> HasLine | None: ...


class HasLine(Protocol):
    """A mistake, with the line that makes it."""

    @property
    def line(self) -> str: ...


def drawings(result: Result, recording: Recording) -> dict[str, str]:
    """By name, the graph of the lesson's network as SVG, Mermaid and text, and its numbers worked out."""
    graph = DrawnGraph(recording.architecture.unfolded(Graph()))
    say = {lang: catalogue(lang) for lang in LANGUAGES}
    words = [text.text(graph, say[lang]) for lang in LANGUAGES]
    mermaid = ["```mermaid", text.mermaid(graph), "```"]
    parts = [*mermaid, *(line for text in words for line in ("", "```text", text, "```"))]
    return {
        "graph/xor.svg": svg.standalone(graph),
        "graph/xor.md": "\n".join(parts),
        "explain.md": "\n".join(_explained(recording)),
    }


def _explained(recording: Recording) -> Iterator[str]:
    found = RecordedStep(recording.architecture, recording.lr, 0, recording.steps[0], recording.findings)
    for lang in LANGUAGES:
        yield f"# {_text('reports.explain', lang)}"
        for number in NUMBERS:
            yield from (
                "",
                "```text",
                *lines(explain(found, parse(number)), lang),
                "```",
            )
        yield ""


def index(exhibits: Sequence[Entry], command: str) -> str:
    """The index, in both languages."""
    text: list[str] = []
    for lang in LANGUAGES:
        text += [f"# {_text('reports.title', lang)}", ""]
        text += [_text("reports.lead", lang, command=f"`{command}`"), ""]
        text += [_text("reports.fresh", lang, command=f"`{command} --fresh`"), ""]
        text += [f"| {_text('reports.what', lang)} | {_text('reports.how', lang)} |", "|---|---|"]
        rows = [(f"{e.name}/index.html", e.text, e.command) for e in exhibits if not e.mistake]
        text += [f"| [{_text(key, lang)}]({place}) | `{made}` |" for place, key, made in (*rows, *OTHERS)]
        text += ["", f"## {_text('reports.gallery', lang)}", ""]
        text += [f"| {_text('reports.what', lang)} | {_text('reports.line', lang)} |", "|---|---|"]
        text += [
            f"| [{_text(e.text, lang)}]({e.name}/index.html) | `{e.mistake.line}` |"
            for e in exhibits
            if e.mistake
        ]
        text.append("")
    return "\n".join(text)


def _text(key: str, lang: str, **values: object) -> str:
    return one(key, lang, **values).unescape()
