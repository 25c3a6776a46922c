"""Numbers that carry their rounding bound: see `parity.bounds.number`."""

from parity.bounds import conversion, elementary, movement, operations, selection, sums
from parity.bounds.conversion import stored
from parity.bounds.number import (
    RULES,
    SLACK,
    Bounded,
    bounded,
    constant,
    doubles,
    exact,
    hold_both,
    rounded,
)

__all__ = [
    "RULES",
    "SLACK",
    "Bounded",
    "bounded",
    "constant",
    "conversion",
    "doubles",
    "elementary",
    "exact",
    "hold_both",
    "movement",
    "operations",
    "rounded",
    "selection",
    "stored",
    "sums",
]
