"""Numbers that carry their rounding bound: see `parity.bounds.number`."""

from parity.bounds import (
    averages,
    conversion,
    elementary,
    inverses,
    logarithms,
    movement,
    operations,
    selection,
    steps,
    sums,
)
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
    "averages",
    "bounded",
    "constant",
    "conversion",
    "doubles",
    "elementary",
    "exact",
    "hold_both",
    "inverses",
    "logarithms",
    "movement",
    "operations",
    "rounded",
    "selection",
    "steps",
    "stored",
    "sums",
]
