"""What is raised of a function of numpy that no rule of bounds knows."""

from __future__ import annotations


class UnknownBoundError(TypeError):
    """A function of numpy that no rule here knows: a text, and the fact that is inserted in it."""

    text = "no rounding bound is known for numpy.{function}"

    def __init__(self, function: str) -> None:
        super().__init__(self.text.format(function=function))
        self.facts = {"function": function}
