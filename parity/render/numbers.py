"""Formats numbers: with a decimal point in code and formulas, and by language in prose."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping

DECIMAL = {"en": ".", "es": ","}
THOUSANDS = {"en": ",", "es": "\N{NARROW NO-BREAK SPACE}"}
MINUS = "−"


def code(value: float, digits: int = 4) -> str:
    """A number as a program prints it: ``code(-1.2e-05) == "-1.2e-05"``."""
    return f"{value:.{digits}g}"


def shown(value: float, digits: int = 4) -> str:
    """A number for tables: with a true minus sign, and exponents without superscripts."""
    return code(value, digits).replace("-", MINUS)


def latex(value: float, digits: int = 4) -> str:
    r"""A number for formulas: ``latex(-1.2e-05) == r"-1.2 \times 10^{-5}"``."""
    if math.isnan(value):
        return r"\mathrm{NaN}"
    if math.isinf(value):
        return r"-\infty" if value < 0 else r"\infty"
    mantissa, e, exponent = code(value, digits).partition("e")
    return rf"{mantissa} \times 10^{{{int(exponent)}}}" if e else mantissa


def prose(value: float, lang: str, digits: int = 3) -> str:
    """A number for a sentence in a language; integers with separated thousands."""
    if float(value).is_integer() and abs(value) < 1e15:
        return f"{int(value):,}".replace(",", THOUSANDS[lang]).replace("-", MINUS)
    written = code(value, digits)
    mantissa, e, exponent = written.partition("e")
    if e and 0 < int(exponent) < 9:
        return prose(round(float(written)), lang)
    power = f"\N{NO-BREAK SPACE}·\N{NO-BREAK SPACE}10{exponent_up(int(exponent))}" if e else ""
    return mantissa.replace("-", MINUS).replace(".", DECIMAL[lang]) + power


def written(text: str, say: Mapping[str, str]) -> str:
    """A number as Python writes it, in the language of a catalogue: "1,234.5" is "1 234,5" in Spanish."""
    signs = {",": say["language.thousands"], ".": say["language.decimal"], "%": say["language.percent"]}
    return "".join(signs.get(sign, sign) for sign in text)


def local(text: str, say: Mapping[str, str]) -> str:
    """A formula or a list with numbers in it, in the language: "0.5 · [0.1, 2]" is "0,5 · [0,1; 2]".

    What stands between numbers in a list is a semicolon where their decimal sign is a comma.
    """
    sign = say["language.decimal"]
    if sign == ".":
        return text
    listed = re.sub(r"(?<=\d), (?=[-−+…\d])", "; ", text)
    return re.sub(r"(?<![\w.])(\d+)\.(\d+)(?!\.?\d)", rf"\1{sign}\2", listed)  # no version is one


def exponent_up(exponent: int) -> str:
    """``exponent_up(-8) == "⁻⁸"``."""
    return str(exponent).translate(str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"))


def percent(share: float, lang: str) -> str:
    """A share as a percentage: 100 % only for exactly 1, 0 % only for exactly 0."""
    tenths = round(share * 1000)
    if tenths == 1000 and share < 1:
        tenths = 999
    if tenths == 0 and share > 0:
        tenths = 1
    number = f"{tenths / 10:g}".replace(".", DECIMAL[lang])
    return f"{number}\N{NARROW NO-BREAK SPACE}%" if lang == "es" else f"{number}%"
