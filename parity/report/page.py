"""The page: one HTML file, both languages, no request to anywhere, readable without JavaScript."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from importlib import resources

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from parity.explain import written_at
from parity.lockstep.result import Result
from parity.lockstep.text import lines
from parity.render.graph import svg, text
from parity.render.graph.drawing import DrawnGraph
from parity.render.numbers import shown
from parity.render.texts import LANGUAGES, catalogue
from parity.report import curves
from parity.report.bilingual import (
    Precise,
    Share,
    coded,
    formula_title,
    mistake_title,
    one,
    say,
    say_again,
    side_name,
)
from parity.report.cards import Card
from parity.report.conventions import facts
from parity.report.flow import flow
from parity.report.headline import heading, is_run, tensor_of, verdict
from parity.report.pictures import pictures_of
from parity.report.quiz import questions
from parity.report.recording import Curve, Recording
from parity.report.step_numbers import Numbers
from parity.report.steps import JudgedSteps, StepView, brief_view, cards, step_view
from reference.architecture import Architecture

MAX_BYTES = 1_800_000
"""What a page may weigh; steps that would make it heavier are left to the trace file."""
CARD_BYTES = 3_500
"""What of a tensor's card is the same in every step, about."""


@cache
def templates() -> Environment:
    """The pages' templates, with what they may call."""
    environment = Environment(
        loader=PackageLoader("parity.report"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=StrictUndefined,
    )
    environment.globals |= {"say": say, "say_again": say_again, "side_name": side_name}
    environment.globals |= {"coded": coded, "formula_title": formula_title, "mistake_title": mistake_title}
    environment.globals |= {
        "Share": Share,
        "Precise": Precise,
        "Markup": Markup,
        "written_at": written_at,
        "shown": shown,
    }
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


def framed(
    template: str,
    lang: str,
    titles: Mapping[str, str],
    styles: Sequence[str],
    scripts: Sequence[str] = (),
    **facts: object,
) -> str:
    """A page of a template, in the frame that all share: styles, script, policy and both languages.

    `styles` and `scripts` are those beside the ones of all pages.
    """
    catalogue(lang)  # an unknown language is said here
    style = Markup("\n").join(map(asset, ("page.css", *styles)))
    script = Markup("\n").join(map(asset, ("page.js", *scripts)))
    page = templates().get_template(template)
    return (
        page.render(
            styles=style,
            script=script,
            policy=policy(style, script),
            lang=lang,
            languages=LANGUAGES,
            titles=titles,
            **facts,
        )
        + "\n"
    )


def html(
    result: Result,
    recording: Recording,
    lang: str,
    titles: Mapping[str, str] | None = None,
    judged: JudgedSteps | None = None,
) -> str:
    """The page of a result. `lang` is what a reader sees first; the other language is in it too."""
    judged = judged or JudgedSteps(result, recording)
    inspector, source = judged.inspector, recording.extras.source
    drawn = pictures_of(result, recording)
    room = MAX_BYTES - (drawn.weight if drawn else 0)
    steps, carded = _steps(judged, result, source if "\n" not in source else "", room)
    current = judged.opens
    opening = next((step for step in steps if step.step == current), None)
    marks = opening.marks if opening else {}
    shown_steps = {one.step for found in carded.values() for one in found}
    curve = recording.extras.curve
    shown_cards = cards(judged, carded)
    return framed(
        "page.html",
        lang,
        {code: (titles or {}).get(code) or one("page.title", code) for code in LANGUAGES},
        ("lesson.css", "pictures.css"),
        scripts=("flow.js",),
        result=result,
        layered=isinstance(inspector.architecture, Architecture),
        verdict=verdict(result),
        not_shown=Markup(", ").join(formula_title(name) for name in result.not_shown),
        heading=heading(result, titles),
        first_card=tensor_of(result.first_divergence),
        steps=steps,
        cards=shown_cards,
        whys=_whys(one for _, found in shown_cards for one in found),
        carded=carded,
        sides=opening.sides if opening else (),
        marks=marks,
        open={name for name, found in carded.items() if any(_fails(one.numbers) for one in found)},
        current=current,
        left_out=result.steps - len(steps) if is_run(result) else 0,
        graph=pictures(judged.drawn, marks),
        facts=facts(inspector, result, recording),
        told=list(zip(*(recording.extras.told[code] for code in LANGUAGES), strict=True))
        if recording.extras.told
        else [],
        source=source,
        flows=[
            way for step in sorted(shown_steps) if (way := flow(inspector, step, recording.steps[step]))
        ],
        pictures=drawn,
        loss_curve=curves.losses(curve, "loss-caption"),
        share_curve=curves.shares(curve, "share-caption"),
        curve_sides=list(dict.fromkeys(side for point in curve for side in point.loss)),
        curve_points=_few(curve),
        questions=questions(inspector, current, recording.steps[current]) if current is not None else (),
        table=lines(result.formulas, result.side_by_side),
        run_sides=list(dict.fromkeys(row.side for row in result.formulas)),
    )


def _whys(cards: Iterable[Card]) -> dict[Markup, list[str]]:
    """Why bits may differ: each reason once, with the names of the tensors that it is true of."""
    found: dict[Markup, list[str]] = {}
    for card in cards:
        found.setdefault(card.why, []).append(written_at(card.tensor))
    return found


def _fails(numbers: Numbers) -> bool:
    """Whether a card is open: something is wrong there, or not decided."""
    return bool(numbers.mark) or numbers.verdict in ("undecided", "different-formula")


@dataclass(frozen=True)
class Rendered:
    """A tensor's numbers in one step, and the parts of the card that show them."""

    step: int
    numbers: Numbers
    said: Markup
    sides: Markup
    more: Markup

    @property
    def weight(self) -> int:
        """Bytes that it adds to the page."""
        return sum(len(part.encode()) for part in (self.said, self.sides, self.more))


def _rendered(n: Numbers, step: int, one_line: str, *, now: bool) -> Rendered:
    said, sides, more = (
        Markup(templates().get_template(f"{part}.html").render(n=n, step=step, now=now, one_line=one_line))
        for part in ("said", "sides", "more")
    )
    return Rendered(step, n, said, sides, more)


def _steps(
    judged: JudgedSteps, result: Result, one_line: str, room: int
) -> tuple[list[StepView], dict[str, list[Rendered]]]:
    """All kept steps, and by tensor the numbers of those that there is room for, the broken one first."""
    order = sorted(judged.recording.steps)
    first = result.first_divergence.step if result.first_divergence else None
    urgent = dict.fromkeys((*(step for step in order if step == first), *order[:1], *order[-1:], *order))
    views: dict[int, StepView] = {}
    for step in sorted(judged.recording.extras.brief):
        views[step] = brief_view(judged, step)
        room -= _weight(views[step])
    shown: dict[int, list[Rendered]] = {}
    for step in urgent:
        view, now = step_view(judged, step), not shown
        parts = [_rendered(n, step, one_line, now=now) for n in view.numbers.values()]
        weight = _weight(view) + sum(part.weight for part in parts)
        if weight > room and shown:
            view, parts = replace(view, numbers={}), []
            weight = _weight(view)
        room -= weight
        views[step] = view
        if parts:
            room -= 0 if shown else CARD_BYTES * len(parts)
            shown[step] = parts
    by_tensor: dict[str, list[Rendered]] = {}
    for step in sorted(shown):
        for part in shown[step]:
            by_tensor.setdefault(part.numbers.tensor, []).append(part)
    return [views[step] for step in sorted(views)], by_tensor


def _weight(view: StepView) -> int:
    """Bytes that a step's table adds to the page."""
    table = templates().get_template("step.html").render(step=view, current=None, carded=view.numbers)
    return len(table.encode())


def pictures(drawn: DrawnGraph | None, marks: Mapping[str, str]) -> dict[str, object] | None:
    """A picture in both orientations, of a long graph only upright, and its text equivalents."""
    if drawn is None:
        return None
    wide = None if svg.too_wide(drawn) else svg.svg(drawn, marks, prefix="w", labelled_by="graph-title")
    return {
        "wide": wide and Markup(wide),
        "tall": Markup(svg.svg(drawn, marks, upright=True, prefix="t", labelled_by="graph-title")),
        "forward": "\n".join(line.strip() for line in text.forward_lines(drawn)),
        "backward": "\n".join(line.strip() for line in text.backward_lines(drawn.graph)),
    }


def _few(points: Sequence[Curve], most: int = 12) -> list[Curve]:
    """At most so many points of a curve, and the last one."""
    every = max(1, -(-len(points) // most))
    return [*points[::every], *(points[-1:] if points and (len(points) - 1) % every else [])]
