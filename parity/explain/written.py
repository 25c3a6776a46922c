"""A tree of numbers as LaTeX, with the numbers put in; long sums are elided in the middle."""

from __future__ import annotations

from parity.explain.expression import Remembering
from parity.explain.substitution import MAX_TERMS, Sheet

MOST_NUMBERS = 40
"""Numbers that a line may show; what has more is not written out."""

SUM, PRODUCT, ATOM = range(3)
"""How tightly a part holds together."""

FUNCTIONS = {
    "sqrt": r"\sqrt{{{0}}}", "exp": "e^{{{0}}}", "abs": r"\left|{0}\right|", "tanh": r"\tanh({0})",
    "log": r"\log({0})", "sin": r"\sin({0})", "cos": r"\cos({0})",
}  # fmt: skip


class _TooLongError(Exception):
    """More numbers than a line may show."""


def written(number: Remembering, sheet: Sheet) -> str:
    """The tree as LaTeX, its numbers on the sheet; empty where it is too long to be read."""
    try:
        return _Writer(sheet).part(number, SUM)
    except _TooLongError:
        return ""


class _Writer:
    def __init__(self, sheet: Sheet) -> None:
        self.sheet, self.shown = sheet, 0

    def part(self, number: Remembering, within: int) -> str:
        """A part, in brackets where it holds together less tightly than what it stands in."""
        text, tightness = self._of(number)
        return text if tightness >= within else rf"\left({text}\right)"

    def _of(self, number: Remembering) -> tuple[str, int]:
        made, parts = number.made, number.parts
        if not parts:
            self.shown += 1
            if self.shown > MOST_NUMBERS:
                raise _TooLongError
            return self.sheet.put(number.value), ATOM
        if made in ("+", "-"):
            return self._sum(number), SUM
        if made == "*":
            if parts[0] is parts[1]:
                return f"{self.part(parts[0], ATOM)}^2", PRODUCT
            return r" \cdot ".join(self.part(part, PRODUCT) for part in parts), PRODUCT
        if made == "/":
            return rf"\frac{{{self.part(parts[0], SUM)}}}{{{self.part(parts[1], SUM)}}}", PRODUCT
        if made == "^":
            return f"{self.part(parts[0], ATOM)}^{{{self.part(parts[1], SUM)}}}", PRODUCT
        if made == "neg":
            return f"-{self.part(parts[0], PRODUCT)}", SUM
        form = FUNCTIONS.get(made, rf"\operatorname{{{{{made}}}}}({{0}})")
        return form.format(self.part(parts[0], SUM)), ATOM

    def _sum(self, number: Remembering) -> str:
        terms = _terms(number)
        left_out = len(terms) - MAX_TERMS
        shown = terms if left_out <= 1 else [*terms[: MAX_TERMS - 1], terms[-1]]
        texts = [self._term(sign, term, first=i == 0) for i, (sign, term) in enumerate(shown)]
        if left_out > 1:
            texts.insert(-1, rf" + \cdots_{{+{left_out}}}")
        return "".join(texts)

    def _term(self, sign: str, number: Remembering, *, first: bool) -> str:
        text = self.part(number, PRODUCT)
        if first:
            return text if sign == "+" else f"-{text}"
        return f" {sign} {text}"


def _terms(number: Remembering) -> list[tuple[str, Remembering]]:
    """The terms of a sum with their signs, from left to right."""
    found: list[tuple[str, Remembering]] = []
    pending = [("+", number)]
    while pending:
        sign, part = pending.pop()
        flipped = "-" if sign == "+" else "+"
        if part.made == "+":
            pending += [(sign, part.parts[1]), (sign, part.parts[0])]
        elif part.made == "-":
            pending += [(flipped, part.parts[1]), (sign, part.parts[0])]
        elif part.made == "neg":
            pending.append((flipped, part.parts[0]))
        else:
            found.append((sign, part))
    return found
