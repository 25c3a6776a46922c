"""Numbers that carry their rounding bound: see `parity.bounded.number`."""

from parity.bounded import elementary, operations
from parity.bounded.number import SLACK, Bounded, bounded, constant, exact

__all__ = ["SLACK", "Bounded", "bounded", "constant", "elementary", "exact", "operations"]
