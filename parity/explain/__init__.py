"""Explains a number or a step by working it out, for the terminal (`parity explain`) and the page."""

from parity.explain.notation import f_latex, layer_latex, name_latex, slide_latex, written_at
from parity.explain.row import Brief, Row, SideNumbers, briefly
from parity.explain.step import Inspector
from parity.explain.worked import Given, Work, work

__all__ = [
    "Brief",
    "Given",
    "Inspector",
    "Row",
    "SideNumbers",
    "Work",
    "briefly",
    "f_latex",
    "layer_latex",
    "name_latex",
    "slide_latex",
    "work",
    "written_at",
]
