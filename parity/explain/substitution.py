r"""Substitutes numbers in LaTeX formulas: ``\frac{1}{1 + e^{-z}}`` becomes ``\frac{1}{1 + e^{-0.3}}``.

Each number is represented by a private character, so that the formula can be written both as LaTeX
and as plain text, with numbers formatted for each.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence

from parity.render.latex_text import plain
from parity.render.numbers import code, latex

_FIRST, _LAST = 0xE000, 0xF8FF
_PRIVATE = re.compile(f"[{chr(_FIRST)}-{chr(_LAST)}]")
_SYMBOL = re.compile(
    r"(?P<fixed>\\(?:begin|end|operatorname|mathrm|text)\{[^}]*\})"
    r"|(?P<symbol>\\(?:hat|bar)\{[A-Za-z]\}|\\[A-Za-z]+|[A-Za-z])(?P<below>_(?:\{[^}]*\}|\\?[A-Za-z0-9]+))?(?!\^[+-])"
)
_SIDE_BY_SIDE = re.compile(rf"(?:\{{{_PRIVATE.pattern}\}}|\d)(?:\s|\\[,;])*(?=\{{{_PRIVATE.pattern}\}})")
MAX_TERMS = 4
"""Terms of a sum that are written out before "… (+k)"."""


class Sheet:
    """The numbers substituted in one formula, formatted only when the formula is written."""

    def __init__(self) -> None:
        self._numbers: list[float] = []

    def put(self, number: float) -> str:
        """Register a number; returns the character that represents it."""
        self._numbers.append(float(number))
        return "{" + chr(_FIRST + len(self._numbers) - 1) + "}"

    def substituted(self, formula: str, values: Mapping[str, float]) -> str:
        """The formula with numbers in place of the symbols in `values`; other symbols stay."""

        def exchange(match: re.Match[str]) -> str:
            symbol, below = match["symbol"], match["below"] or ""
            if match["fixed"] or symbol is None:
                return match[0]
            if symbol + below in values:
                return self.put(values[symbol + below])
            return self.put(values[symbol]) + below if symbol in values and not below else match[0]

        # Adjacent numbers need a visible product sign.
        return _SIDE_BY_SIDE.sub(r"\g<0> \\cdot ", _SYMBOL.sub(exchange, formula))

    def total(self, terms: Sequence[str]) -> str:
        """Terms with plus signs; a long sum shows its first ones and its last."""
        if len(terms) > MAX_TERMS + 1:
            left_out = len(terms) - MAX_TERMS
            terms = [*terms[: MAX_TERMS - 1], rf"\cdots_{{+{left_out}}}", terms[-1]]
        return " + ".join(terms)

    def latex(self, formula: str) -> str:
        """As LaTeX: brackets round what is negative or has a power of ten."""
        written = _PRIVATE.sub(lambda match: self._fenced(match, latex, "times"), formula)
        written = re.sub(r"\(\{\((-[^()]*)\)\}\)", r"(\1)", written)
        return re.sub(r"(?<!\\left)\((-[^()]*)\)", r"({\1})", written)  # in a group of its own, − is a sign

    def text(self, formula: str) -> str:
        """As a line of text, with numbers as a program prints them."""
        line = plain(formula)
        line = re.sub(r"…_\(?\+(\d+)\)?", r"… (+\1)", line)
        line = _PRIVATE.sub(lambda match: self._fenced(match, _six, "\0"), line)
        return re.sub(r"\(\((-[^()]*)\)\)", r"(\1)", line)

    def _fenced(self, match: re.Match[str], write: Callable[[float], str], power: str) -> str:
        written = write(self._numbers[ord(match[0]) - _FIRST])
        alone = match.string.strip("{ }") == match[0]
        fenced = not alone and (written.startswith("-") or power in written)
        return f"({written})" if fenced else written


def _six(number: float) -> str:
    """A number in a line of text: six digits, as a program prints them."""
    return code(number, 6)
