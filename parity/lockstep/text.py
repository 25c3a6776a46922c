"""What a run found, in lines for a person."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from parity.lockstep.result import Divergence, WrongFormula
from parity.render.texts.message import said
from reference.trace import tensor_name


def divergence_lines(
    first: Divergence | None, wrong: Sequence[WrongFormula], reproduce: str | None, say: Mapping[str, str]
) -> Iterator[str]:
    """What a person needs to know of the first divergence."""
    if first is None:
        return
    yield say["run.first"].format(**first.model_dump())
    if first.complaint:
        yield "  " + said(first.complaint, say["language.code"])
    if first.index is not None:
        index = f"[{','.join(map(str, first.index))}]" if first.index else ""
        numbers = {key: short(getattr(first, key), 9) for key in ("observed", "expected")}
        numbers |= {key: short(getattr(first, key)) for key in ("error", "bound", "ratio")}
        yield "  " + say["run.number"].format(
            quantity=tensor_name(first.quantity, first.layer), index=index, **numbers
        )
    if first.gate == "side-by-side":
        yield "  " + say["run.inherited"]
    names = [f"{w.formula} {','.join(map(str, w.layers))} ({w.side})" for w in wrong[1:]]
    if names:
        yield "  " + say["run.also"].format(names="; ".join(names))
    if reproduce:
        yield "  " + say["run.reproduce"].format(command=reproduce)


def short(value: float | None, digits: int = 3) -> str:
    """A number to a few digits; a dash where there is none."""
    return "–" if value is None else f"{value:.{digits}g}"
