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
    return Markup(_shorter(markup))


def _shorter(markup: str) -> str:
    """The same formula in fewer characters: a page has hundreds of them."""
    markup = re.sub(r"&#x([0-9A-F]+);", _character, markup)
    markup = markup.replace(' xmlns="http://www.w3.org/1998/Math/MathML"', "").replace(
        ' display="inline"', ""
    )
    markup = re.sub(
        rf"<mrow>{_BRACKET.format('(')}<mn>(\d+)</mn>{_BRACKET.format(')')}</mrow>", _LAYER, markup
    )
    before = ""
    while markup != before:
        before, markup = markup, re.sub(r"<mrow>(<(m[ino])\b[^>]*>[^<]*</\2>)</mrow>", r"\1", markup)
    return markup


_BRACKET = r'<mo stretchy="false">\{}</mo>'
_LAYER = r"<mtext>(\1)</mtext>"


def _character(match: re.Match[str]) -> str:
    """What a reference stands for; markup's own characters stay references."""
    found = chr(int(match[1], 16))
    return match[0] if found in "<>&" else found
