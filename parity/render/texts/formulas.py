"""The names of formulas in words: the deck's, and an optimizer's rules for each kind of parameter."""

from __future__ import annotations

from parity.render.texts import catalogue

PARAMETERS = ("weight", "bias", "slope")


def formula_name(name: str, lang: str) -> str:
    """``formula_name("weight_first_moment", "en") == "First moment (weights)"``; unknown ones stay."""
    say = catalogue(lang)
    if f"formula.{name}" in say:
        return say[f"formula.{name}"]
    parameter, _, rule = name.partition("_")
    if parameter in PARAMETERS and f"rule.{rule}" in say:
        return f"{say[f'rule.{rule}']} ({say[f'rule.{parameter}']})"
    return name


def formula_label(name: str, lang: str) -> str:
    """A formula's name in a table: as in JSON, which is English, or in words."""
    return name if lang == "en" else formula_name(name, lang)
