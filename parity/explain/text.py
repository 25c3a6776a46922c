"""The terminal text of one number: formula, substituted numbers, every side's number and its bound."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from parity.bounds.formats import digits_of
from parity.explain import Given, written_at
from parity.render.latex_text import plain
from parity.render.numbers import local
from parity.render.texts import catalogue
from parity.render.texts.formulas import formula_name
from parity.render.texts.message import said
from reference.equations import kind
from reference.formula import GRAPH_SLIDE
from reference.trace import split

if TYPE_CHECKING:
    from parity.explain.number import Explanation


def lines(found: Explanation, lang: str) -> Iterator[str]:
    """Formula, symbols, numbers put in, and an answer for each side."""
    say, step, digits = catalogue(lang), found.step, digits_of(found.dtype)

    def short(number: float, most: int) -> str:
        return local(f"{number:.{most}g}", say)

    row, work = found.row, found.work
    if row is None or work is None:
        yield say["explain.given"].format(where=found.where, step=step)
    else:
        formula = row.equation.formula
        name = "s" if kind(row.equation) == "backpropagated" else formula.name
        facts = {"formula": formula_name(name, lang), "slide": formula.slide, "layer": row.equation.layer}
        headline = "explain.headline_module" if found.module else "explain.headline"
        yield say[headline].format(
            where=found.where, step=step, module=said(found.module or "", lang), **facts
        )
        yield f"  {local(work.formula_text, say)}"
        if work.f:
            yield f"  {local(plain(work.f), say)}"
        yield say["explain.where"]
        for given in work.given:
            of_graph = formula.slide == GRAPH_SLIDE
            told = found.origins.get(given.name, "") if of_graph else meaning(given.name, say)
            yield f"  {local(given_text(given), say)}   {told}".rstrip()
        if work.text:
            yield say["explain.put_in"]
            yield f"  {found.where} = {local(work.text, say)}"
    width = max(len(_side(answer.side, say)) for answer in found.answers)
    for answer in found.answers:
        name = f"{_side(answer.side, say):{width}}"
        if row is None:
            yield f"  {name}  {short(answer.observed, digits)}"
            continue
        facts = {"observed": short(answer.observed, digits), "exact": short(answer.exact, 17)}
        facts |= {"bound": short(answer.bound, 3), "ratio": short(answer.ratio, 2)}
        yield f"  {name}  {say['explain.answer'].format(**facts)}"
        if not answer.ratio <= 1:
            yield f"  {name}  {say['explain.outside']}"


def given_text(given: Given) -> str:
    """`W⁽²⁾[1,:] = 0.4, 0.45, … (+30)`, with the formula's letter in front of it: `g = s⁽⁴⁾[0,1] = …`."""
    numbers = ", ".join(f"{number:.6g}" for number in given.numbers)
    more = f", … (+{given.more})" if given.more else ""
    symbol = f"{plain(given.symbol)} = " if given.symbol else ""
    return f"{symbol}{written_at(given.name, given.place)} = {numbers}{more}"


def meaning(name: str, say: Mapping[str, str]) -> str:
    """The description of a tensor; empty if the catalogue has none."""
    quantity = split(name)[0].removesuffix("_next")
    state = quantity.rpartition("_")[0]
    if state:
        return say["symbol.clipped" if state == "clipped" else "symbol.state"]
    return say.get(f"symbol.{quantity}", "")


def _side(name: str, say: Mapping[str, str]) -> str:
    return say.get(f"page.side_{name}", name)
