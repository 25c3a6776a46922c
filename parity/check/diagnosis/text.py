"""A blame in words: what is wrong, how the formula should be, how it seems to be, one number both ways."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from parity.check.diagnosis.anatomy import anatomy, kind, symbol
from parity.check.diagnosis.blame import Blame
from parity.check.diagnosis.judge import Instance, Judge
from parity.check.diagnosis.pattern import pattern, wrong_numbers
from parity.check.diagnosis.readings.reading import Reading
from parity.check.diagnosis.readings.site import Tag
from parity.check.diagnosis.scenario import Scenario
from parity.render.numbers import local
from parity.render.texts import catalogue
from parity.render.texts.formulas import formula_label
from parity.render.texts.message import said
from reference.formula import FORMULAS

Say = Mapping[str, str]


@dataclass(frozen=True)
class SourceLine:
    """A line of a subject's file: its number, and what stands there where that can be read."""

    number: int
    text: str = ""


@dataclass(frozen=True)
class Diagnosed:
    """One wrong formula, said to a person. `mistake` is empty where none could be named.

    In `marked` formulas stand between backticks; `lines` is the same without them.
    """

    headline: str
    mistake: str
    detail: str
    marked: tuple[str, ...]
    evidence: str | None = None

    @property
    def lines(self) -> tuple[str, ...]:
        return tuple(line.replace("`", "") for line in self.marked)


def diagnosed(court: Judge, blame: Blame, line: SourceLine | None, lang: str) -> Diagnosed:
    """A blame, in English or Spanish, with the subject's line that likely computes it."""
    say = catalogue(lang)
    name = blame.formula
    layers = ", ".join(map(str, blame.layers))
    facts = {"formula": formula_label(name, lang), "slide": FORMULAS[name].slide, "layers": layers}
    headline = say["check.headline" if len(blame.layers) == 1 else "check.headline_layers"].format(**facts)
    mistake = "+".join(blame.guess.names) if blame.guess else ""
    detail = _detail(court, blame, say, lang)
    if mistake:
        headline = f"{headline}: {mistake_label(mistake, say)}"
    elif blame.may_be:
        shown, formulas = (
            symbol(blame.first.equation.makes),
            ", ".join(formula_label(one, lang) for one in blame.may_be),
        )
        headline = say["check.somewhere"].format(shown=shown, layers=layers, formulas=formulas)
    evidence = _evidence(blame, name, say)
    case = said(blame.first.observation.case, lang)
    case = say["check.case"].format(case=case, step=blame.first.observation.step)
    marked = _evidence(blame, name, say, mark="`")
    lines = [detail, *([marked] if marked else []), *_worked(court, blame, say)]
    if line:
        text = line.text.replace("`", "'")
        lines.append(say["check.line"].format(line=line.number, text=f"`{text}`"))
    lines.append(case)
    return Diagnosed(headline, mistake, detail, tuple(lines), evidence)


def mistake_label(ids: str, say: Say) -> str:
    """Mistakes by their ids, `all-zero+transposed`; in words where the language is not that of the ids."""
    return "+".join(say.get(f"mistake_name.{one}", one) for one in ids.split("+"))


def counted(text: str, say: Say) -> str:
    """A formula in the language: the counts that it names by a word (batch, units, …), and its numbers."""
    words = {key.removeprefix("count."): word for key, word in say.items() if key.startswith("count.")}
    pattern = rf"(?<![A-Za-z])({'|'.join(words)})(?![A-Za-z])"
    return local(re.sub(pattern, lambda match: words[match[0]], text), say)


def _detail(court: Judge, blame: Blame, say: Say, lang: str) -> str:
    """What was done, or, where no one mistake fits, what can be said all the same."""
    if blame.guess and blame.guess.reading:
        return _read(blame.guess.reading, say)
    blank = _blank(court, blame, say)
    if blank:
        return blank
    if blame.guess:
        parts = [
            say[f"mistake.{m.detail}"].format(
                **{hole: counted(fact, say) for hole, fact in m.facts.items()}
            )
            for m in blame.guess.mistakes
        ]
        names = ["lower-precision"] * blame.guess.low or ([blame.guess.name] if not parts else [])
        for name in names:
            parts.append(
                say[f"mistake.{name}"].format(complaint=said(blame.first.finding.complaint or "", lang))
            )
        return _scoped(" ".join(part.strip() for part in parts), blame.scope, say)
    if blame.first.finding.complaint:
        return say["check.form"].format(complaint=said(blame.first.finding.complaint, lang))
    if blame.suspects:
        return say["check.several"].format(
            names=", ".join(mistake_label(one, say) for one in blame.suspects)
        )
    found = pattern(court, blame.first)
    where = say[f"pattern.{found.where}"].format(place=found.place, wrong=found.wrong, of=found.of)
    return say["check.unknown"].format(pattern=where)


def _read(reading: Reading, say: Say) -> str:
    """What was read off the numbers, and where it holds."""
    facts = {hole: counted(fact, say) for hole, fact in reading.facts.items()}
    sentence = say[f"mistake.{reading.detail}"].format(**facts)
    if "front" in facts:
        sentence = f"{sentence} {say['mistake.constant'].format(constant=facts['front'])}"
    return _scoped(sentence, reading.scope, say)


def _scoped(sentence: str, scope: tuple[Tag, ...], say: Say) -> str:
    """A sentence, and where it holds."""
    if not scope:
        return sentence
    places = [
        say[f"scope.{name}"].format(value=value) if f"scope.{name}" in say else say[f"scope.{value}"]
        for name, value in scope
    ]
    return f"{sentence} {say['scope.only'].format(where=say['scope.and'].join(places))}"


def _blank(court: Judge, blame: Blame, say: Say) -> str | None:
    """Of a tensor that is all zero, or has NaN in it, where it should not: that alone."""
    first = blame.first
    shown, truth = first.observed, court.expected(first)
    if first.finding.complaint or shown.shape != truth.shape or not shown.size:
        return None
    name, nan = symbol(first.equation.makes), np.isnan(shown)
    if nan.any():
        facts = {"name": name, "wrong": int(nan.sum()), "of": nan.size}
        return say["check.not_a_number"].format(**facts)
    alike = [i.observed for i in blame.instances]
    return say["check.all_zero"].format(name=name) if not any(np.any(a) for a in alike) else None


def _evidence(blame: Blame, name: str, say: Say, mark: str = "") -> str | None:
    """How finely the blame can be placed, where the formula itself is not on view."""
    shown = symbol(blame.first.equation.makes)
    # s is the first factor of slide 5: who shows it shows a part of that very formula.
    if name != {"backpropagated": "hidden_delta"}.get(blame.first.kind, blame.first.kind):
        named = ", ".join(formula_label(one, say["language.code"]) for one in (name, *blame.elsewhere))
        return say["check.consistent"].format(shown=f"{mark}{shown}{mark}", formula=f"{mark}{named}{mark}")
    hidden = [symbol(e.makes) for e in blame.first.hidden if e.quantity not in ("s",)]
    if hidden:
        return say["check.hidden"].format(
            shown=f"{mark}{shown}{mark}", hidden=f"{mark}{', '.join(hidden)}{mark}"
        )
    return None


def _worked(court: Judge, blame: Blame, say: Say) -> list[str]:
    """The formula both ways, and one number of it both ways."""
    instance, guess = blame.first, blame.guess
    right = court.scenario(instance.observation)
    index = _index(court, instance)
    target = _equation_name(instance, blame)

    def number(value: float) -> str:
        return local(f"{value:.9g}", say)

    lines = [say["check.should"].format(formula=f"`{symbol(target)} = {_text(right, target, say)}`")]
    made = court.scenario(instance.observation, guess.made) if guess and guess.made else None
    if guess and guess.reading:
        seems = counted(guess.reading.written, say)
        lines.append(say["check.seems"].format(formula=f"`{symbol(_general(target))} = {seems}`"))
    if made is not None:
        lines.append(say["check.seems"].format(formula=f"`{symbol(target)} = {_text(made, target, say)}`"))
    if instance.observed.shape != court.expected(instance).shape:
        return lines
    name = symbol(instance.equation.makes)
    where = f"{name}[{','.join(map(str, index))}]" if index else name
    truth = right.judge.lower(np.asarray(court.expected(instance).value))
    observed = float(instance.observed[index])
    expected = float(truth[index])
    if instance.equation.makes == target:
        facts = {
            "where": f"`{where}`",
            "work": f"`{_work(right, target, index, say)}",
            "value": f"`{number(expected)}`",
        }
        lines.append(say["check.worked"].format(**facts))
        if made is not None and guess is not None:
            facts = {
                "where": f"`{where}`",
                "work": f"`{_work(made, target, index, say)}",
                "value": f"`{number(observed)}`",
            }
            lines.append(say["check.worked_yours"].format(**facts))
            return lines
    facts = {"where": where, "observed": number(observed), "expected": number(expected)}
    lines.append(say["check.number"].format(**{name: f"`{fact}`" for name, fact in facts.items()}))
    return lines


def _general(name: str) -> str:
    """A tensor's name in any layer: `W(l)_next` for W2_next."""
    base, after, _ = name.partition("_next")
    quantity = base.rstrip("0123456789")
    return name if quantity == base else f"{quantity}(l){after}"


def _equation_name(instance: Instance, blame: Blame) -> str:
    """The tensor of the blamed formula: what was shown, or what is hidden behind it."""
    if blame.formula == instance.kind:
        return instance.equation.makes
    hidden = [e.makes for e in instance.hidden if kind(e) == blame.kind]
    return hidden[-1] if hidden else instance.equation.makes


def _text(scenario: Scenario, name: str, say: Say) -> str:
    with np.errstate(all="ignore"), scenario.judge.precision():
        equation = scenario.equation(name)
        return counted(anatomy(equation).text(scenario.slipped(equation)), say)


def _work(scenario: Scenario, name: str, index: tuple[int, ...], say: Say) -> str:
    with np.errstate(all="ignore"), scenario.judge.precision():
        equation = scenario.equation(name)
        return counted(anatomy(equation).work(scenario.slipped(equation), index), say)


def _index(court: Judge, instance: Instance) -> tuple[int, ...]:
    """The number to show: the wrong one that is furthest off."""
    if instance.finding.worst is not None:
        return instance.finding.worst.index
    truth = court.expected(instance)
    if instance.observed.shape != truth.shape:
        return ()
    wrong = np.argwhere(wrong_numbers(instance, truth))
    return tuple(int(i) for i in wrong[0]) if len(wrong) else (0,) * instance.observed.ndim
