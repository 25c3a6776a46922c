"""A number worked out by hand: one mechanism for the terminal (`parity explain`) and for the page."""

from parity.explain.notation import f_latex, layer_latex, name_latex, slide_latex, written_at
from parity.explain.worked import Given, Work, work
from parity.render.latex_text import plain

__all__ = [
    "Given",
    "Work",
    "f_latex",
    "layer_latex",
    "name_latex",
    "plain",
    "slide_latex",
    "work",
    "written_at",
]
