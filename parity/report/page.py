"""The page: one HTML file, both languages, no request to anywhere, readable without JavaScript."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from functools import cache
from importlib import resources

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from parity.drawing import plain, svg
from parity.report import curves
from parity.report.examine import Examiner
from parity.report.predict import questions
from parity.report.recording import Curve, Recording
from parity.report.view import STAGES, StepView, side_name, step_view
from parity.report.words import Share, has, one, say
from parity.result import Result
from parity.texts import LANGUAGES, catalogue
from reference.deck import FORMULAS
from reference.layered import layered

MAX_BYTES = 1_800_000
"""What a page may weigh; steps that would make it heavier are left to the trace file."""
MAX_DRAWN = 10
"""Layers up to which the graph is drawn; beyond that a picture explains nothing."""
GIVEN = ("x", "y")


@cache
def _templates() -> Environment:
    environment = Environment(
        loader=PackageLoader("parity.report"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=StrictUndefined,
    )
    environment.globals |= {"say": say, "side_name": side_name, "Share": Share, "has": has}
    return environment


@cache
def asset(name: str) -> Markup:
    """A stylesheet or script of the page."""
    return Markup(resources.files(__package__).joinpath("static", name).read_text(encoding="utf-8"))


def policy(styles: str, script: str) -> str:
    """A content-security policy that lets nothing in from outside, and only this style and script run."""

    def digest(text: str) -> str:
        return "'sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() + "'"

    return (
        f"default-src 'none'; style-src {digest(styles)}; script-src {digest(script)}; "
        "base-uri 'none'; form-action 'none'"
    )


def html(result: Result, recording: Recording, lang: str, title: str | None = None) -> str:
    """The page of a result. `lang` is what a reader sees first; the other language is in it too.

    Raises QuestionError for a result that does not say what network it is about.
    """
    examiner = Examiner(result)
    steps = _steps(examiner, result, recording)
    current = _current(result, steps)
    styles, script = Markup("\n").join([asset("page.css"), asset("lesson.css")]), asset("page.js")
    marks = current.marks if current else {}
    page = (
        _templates()
        .get_template("page.html")
        .render(
            result=result,
            lang=lang,
            languages=LANGUAGES,
            titles={code: title or one("page.title", code) for code in LANGUAGES},
            headings={code: catalogue(code)["page.title"] for code in LANGUAGES},
            heading=title,
            policy=policy(styles, script),
            styles=styles,
            script=script,
            steps=steps,
            current=current,
            stages=STAGES,
            left_out=len(recording.steps) - len(steps),
            born=_tensors(steps, "born"),
            graph=_graph(examiner, marks),
            facts=_facts(examiner, result, recording),
            loss_curve=curves.losses(recording.curve, "loss-caption"),
            share_curve=curves.shares(recording.curve, "share-caption"),
            curve_sides=list(dict.fromkeys(side for point in recording.curve for side in point.loss)),
            curve_points=_few(recording.curve),
            questions=questions(examiner, recording.steps[current.step]) if current else (),
            table=_table(result),
            sides=list(dict.fromkeys(row.side for row in result.formulas)),
        )
    )
    return page + "\n"


def _steps(examiner: Examiner, result: Result, recording: Recording) -> list[StepView]:
    """As many of the kept steps as a page has room for; the broken one, the first, the last come first."""
    order = sorted(recording.steps)
    first = result.first_divergence.step if result.first_divergence else None
    broken = [step for step in order if step == first]
    urgent = dict.fromkeys((*broken, *order[:1], *order[-1:], *order))
    views: dict[int, StepView] = {}
    template = _templates().get_template("step.html")
    room = MAX_BYTES
    for step in urgent:
        view = step_view(examiner, step, recording.steps[step])
        room -= len(template.render(step=view, current=None).encode())
        if room < 0 and views:
            break
        views[step] = view
    return [views[step] for step in sorted(views)]


def _current(result: Result, steps: list[StepView]) -> StepView | None:
    """The step that the page opens with: where the first divergence is, or the first."""
    first = result.first_divergence
    return next((step for step in steps if first and step.step == first.step), steps[0] if steps else None)


def _tensors(steps: list[StepView], mark: str) -> list[str]:
    return list(dict.fromkeys(name for step in steps for name, m in step.marks.items() if m == mark))


def _graph(examiner: Examiner, marks: dict[str, str]) -> dict[str, object] | None:
    """The picture in both orientations, and its text equivalents; None where it would be too deep."""
    if examiner.architecture.depth > MAX_DRAWN:
        return None
    graph = layered(examiner.architecture)
    return {
        "wide": Markup(svg.svg(graph, GIVEN, marks, prefix="w", labelled_by="graph-title")),
        "tall": Markup(svg.svg(graph, GIVEN, marks, upright=True, prefix="t", labelled_by="graph-title")),
        "forward": "\n".join(line.strip() for line in plain.forward_lines(graph)),
        "backward": "\n".join(line.strip() for line in plain.backward_lines(graph, GIVEN)),
    }


def _facts(examiner: Examiner, result: Result, recording: Recording) -> list[tuple[Markup, Markup]]:
    """The convention card: every choice that decides a number."""
    of, contract, environment = examiner.architecture, result.contract, result.environment
    sizes = {trace["x"].shape[1] for traces in recording.steps.values() for trace in traces.values()}
    batch = min(sizes) if sizes else 0
    activations = ", ".join(dict.fromkeys(f.name for f in of.activations))
    versions = ", ".join(
        f"{k} {environment[k]}" for k in ("python", "numpy", "torch") if environment.get(k)
    )
    values: dict[str, dict[str, object]] = {
        "network": {"layers": "-".join(map(str, of.layers)), "activations": activations},
        "n": {"outputs": of.layers[-1], "batch": batch, "n": of.n(batch), "reduction": of.reduction},
        "batch_axis": {"batch": batch},
        "weights": {"out": of.layers[1], "in_": of.layers[0]},
        "training": {"lr": examiner.lr, "steps": result.steps, "seed": _training(result, "seed")},
        "dtype": {"dtype": contract.get("number_format"), "u": f"{contract.get('unit_roundoff'):.3g}"},
        "contract": {"truth": contract.get("truth")},
    }
    if versions:
        values["versions"] = {"versions": versions}
    return [(say(f"card.{key}"), say(f"card.{key}_is", **v)) for key, v in values.items()]


def _training(result: Result, key: str) -> object:
    training = result.config.get("training")
    return training.get(key, "–") if isinstance(training, dict) else "–"


def _few(points: Sequence[Curve], most: int = 12) -> list[Curve]:
    """At most so many points of a curve, and the last one."""
    every = max(1, -(-len(points) // most))
    return [*points[::every], *(points[-1:] if points and (len(points) - 1) % every else [])]


def _table(result: Result) -> list[tuple[int, str, int, dict[str, object], object]]:
    """A line a formula and layer: slide, formula, layer, every side's row, the pair's row."""
    pairs = {(row.quantity, row.layer): row for row in result.side_by_side}
    lines: dict[tuple[int, str, int], dict[str, object]] = {}
    for row in result.formulas:
        lines.setdefault((row.slide, row.formula, row.layer), {})[row.side] = row
    return [
        (slide, formula, layer, cells, pairs.get((FORMULAS[formula].quantity, layer)))
        for (slide, formula, layer), cells in lines.items()
    ]
