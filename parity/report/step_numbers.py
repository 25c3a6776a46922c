"""A tensor's numbers in one step: each side's, what exactly follows from its own inputs, and tables."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from markupsafe import Markup, escape

from parity.bounds.formats import digits_of
from parity.explain import Inspector, Row, SideNumbers, Work, name_latex, work, written_at
from parity.explain.text import given_text
from parity.render.mathml import breakable, mathml
from parity.render.numbers import code
from parity.report import tables
from parity.report.bilingual import say, say_again, side_name
from parity.report.recording import LikelyLine
from reference.trace import Trace, split


@dataclass(frozen=True)
class Voice:
    """One side's answer for the element looked at, and what exactly follows from that side's own inputs."""

    side: str
    name: Markup
    value: Markup
    exact: str
    share: float | None
    fill: int  # the share in twentieths, for the bar
    verdict: str
    allowed: float
    table: tables.NumberTable | None = None
    complaint: Markup | None = None


@dataclass(frozen=True)
class Numbers:
    """A tensor's numbers in one step. `worked` is the side whose numbers are put into the formula."""

    tensor: str
    mark: str
    mark_text: Markup
    hidden: bool  # whether a wrong side hides what the formula takes
    verdict: str
    shape: str
    element: Markup
    element_text: str
    worked: Markup
    put_in: Markup | None
    put_in_text: str
    given: tuple[str, ...]
    voices: tuple[Voice, ...]
    same_bits: Markup | None
    undecided: int
    line: LikelyLine | None = None

    @property
    def tables(self) -> list[tuple[Markup, tables.NumberTable]]:
        """The tables with the names of the sides that they are of: where all agrees, one for both."""
        of: dict[tables.NumberTable, list[Markup]] = {}
        for voice in self.voices:
            if voice.table:
                of.setdefault(voice.table, []).append(voice.name)
        return [(Markup(", ").join(names), table) for table, names in of.items()]


def numbers(
    inspector: Inspector, step: int, row: Row, traces: Mapping[str, Trace], line: LikelyLine | None = None
) -> Numbers:
    """A row's numbers; `line` is the subject's own line that likely made a wrong one."""
    equation, at = row.equation, row.index
    side = next((name for name in traces if row.sides[name]), next(iter(traces)))
    done = _work(inspector, step, row, traces[side])
    place = name_latex(equation.makes, at)
    wrong = [name for name, found in row.sides.items() if found and found.finding.wrong]
    hidden = [
        taken
        for name in wrong
        for taken in equation.inputs
        if taken not in traces[name] and split(taken)[0] != "s"  # its making belongs to the formula of δ
    ]
    both = row.same_bits
    size = int(np.prod(row.shape))
    return Numbers(
        tensor=equation.makes,
        mark=row.mark,
        mark_text=_mark_text(row, hidden),
        hidden=bool(hidden),
        verdict=row.verdict,
        shape=" × ".join(str(n) for n in row.shape) or "1",
        element=mathml(place),
        element_text=written_at(equation.makes, at),
        worked=side_name(side),
        put_in=breakable(f"= {done.latex}") if done and done.latex else None,
        put_in_text=done.text if done else "",
        given=tuple(map(given_text, done.given)) if done else (),
        voices=tuple(
            _voice(name, side, at, row.complaints.get(name, "")) for name, side in row.sides.items()
        ),
        same_bits=None if both is None else say("page.same_bits", same=round(both * size), of=size),
        undecided=max((side.finding.undecided for side in row.sides.values() if side), default=0),
        line=line,
    )


def _mark_text(row: Row, hidden: list[str]) -> Markup:
    """What a mark means here: where a side hides what the formula takes, it may be there too."""
    if row.mark == "born" and hidden:
        return say("page.born_hidden_text", names=", ".join(map(written_at, dict.fromkeys(hidden))))
    return say(f"page.{row.mark}_text") if row.mark else Markup("")


def _work(inspector: Inspector, step: int, row: Row, trace: Trace) -> Work | None:
    """The number worked out by hand; None where a side's form is so wrong that nothing can be put in."""
    equation, values = row.equation, inspector.values(trace, step)
    if len(row.index) != len(row.shape) or not any(row.sides.values()):
        return None
    constants = inspector.constants(trace, step)
    return work(equation, values, row.index, constants, inspector.architecture)


def _voice(name: str, side: SideNumbers | None, at: tuple[int, ...], said: str) -> Voice:
    told = say_again(said) if said else None
    if side is None:
        verdict = "different-formula" if said else "not-shown"
        return Voice(name, side_name(name), Markup("–"), "", None, 0, verdict, 0.0, complaint=told)
    own = side.ratio(at)
    digits = digits_of(side.observed.dtype)
    if told is None and side.finding.complaint:
        told = say_again(side.finding.complaint)
    exact = float(side.truth[at])
    return Voice(
        side=name,
        name=side_name(name),
        value=_tail(code(float(side.observed[at]), digits), code(exact, digits)),
        exact=code(exact, min(17, digits + 3)),
        share=float(f"{own:.2g}"),
        fill=min(20, int(np.ceil(own * 20))) if np.isfinite(own) else 20,
        verdict=side.finding.verdict.value,
        allowed=float(f"{float(side.bound[at]):.2g}"),
        table=tables.table(side.observed, side.share, at) if side.observed.size > 1 else None,
        complaint=told,
    )


def _tail(observed: str, exact: str) -> Markup:
    """A number, with the digits underlined in which it leaves the exact one."""
    same = 0
    for a, b in zip(observed, exact, strict=False):
        if a != b:
            break
        same += 1
    head, tail = observed[:same], observed[same:]
    return Markup("{}<u>{}</u>").format(head, tail) if tail else Markup(escape(head))
