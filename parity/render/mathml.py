"""Converts LaTeX to MathML Core, which browsers show without scripts or special fonts."""

from __future__ import annotations

import re
from functools import cache

from latex2mathml.converter import convert
from markupsafe import Markup


def breakable(latex: str) -> Markup:
    """A sum split into one formula per term, so that a narrow page can break it between terms."""
    if r"\begin" in latex:
        return mathml(latex)
    depth, start, terms = 0, 0, []
    for at, character in enumerate(latex):
        depth += {"{": 1, "(": 1, "}": -1, ")": -1}.get(character, 0)
        if depth == 0 and character in "+=" and at > start:
            end = at + (character == "=")
            terms.append(latex[start:end])
            start = end
    terms.append(latex[start:])
    pieces = [terms[0], *(term if "=" in terms[i] else "{} " + term for i, term in enumerate(terms[1:]))]
    return Markup(" ").join(mathml(piece) for piece in pieces)


@cache
def mathml(latex: str, *, block: bool = False) -> Markup:
    """LaTeX as a `<math>` element."""
    # A prime as an exponent would be too small to see in fonts without mathematics, so it is an operator.
    markup = convert(re.sub(r"([fu])'", r"\\mathit{\1′}", latex), display="block" if block else "inline")
    # MathML Core knows neither: the converter writes them for fences and for bold or upright letters.
    markup = re.sub(
        r' (fence|separator|columnalign|rowspacing|form|mathvariant="italic")(="[^"]*")?', "", markup
    )
    return Markup(markup)
