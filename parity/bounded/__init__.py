"""Numbers that carry their rounding bound: see `parity.bounded.number`."""

from parity.bounded import elementary, operations, selection
from parity.bounded.number import SLACK, Bounded, bounded, constant, doubles, exact, hold_both, rounded

__all__ = [
    "SLACK",
    "Bounded",
    "bounded",
    "constant",
    "doubles",
    "elementary",
    "exact",
    "hold_both",
    "operations",
    "rounded",
    "selection",
]
