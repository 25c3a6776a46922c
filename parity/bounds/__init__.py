"""Numbers that carry their rounding bound: see `parity.bounds.number`."""

from parity.bounds import elementary, operations, selection
from parity.bounds.number import SLACK, Bounded, bounded, constant, doubles, exact, hold_both, rounded

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
