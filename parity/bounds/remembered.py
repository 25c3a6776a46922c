"""Results that are asked for again with the very same operands."""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, TypeVar

Result = TypeVar("Result")


class Remembered(Generic[Result]):
    """Results by what was asked and by their operands: plain numbers as written, others themselves.

    When there are `most`, all are forgotten.
    """

    def __init__(self, most: int = 512) -> None:
        self._most = most
        self._known: dict[object, tuple[tuple[object, ...], Result]] = {}

    def get(
        self, asked: tuple[object, ...], operands: tuple[object, ...], make: Callable[[], Result]
    ) -> Result:
        """The result, made if it is new."""
        key = (*asked, *(repr(x) if isinstance(x, bool | int | float) else id(x) for x in operands))
        known = self._known.get(key)
        if known is None:
            if len(self._known) >= self._most:
                self._known.clear()
            known = self._known[key] = operands, make()  # kept, so that nothing else has an operand's id
        return known[1]
