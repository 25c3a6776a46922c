"""Accepting cheaply: the same two gates, for the common case, in a few dozen numpy calls.

The plain path (`parity.certificate`, `parity.sidebyside`) is the definition. This one may only ever
ACCEPT a whole step, and only where a bound that is nowhere larger than the plain path's suffices:
of each of its terms, all non-negative, some are left out or replaced by smaller ones. Whatever it
does not accept, for whatever reason, the plain path judges. So no verdict depends on it; the shares
it reports are upper bounds of the true ones.
"""

from parity.cheap.examiner import CheapExaminer, Shares, knows

__all__ = ["CheapExaminer", "Shares", "knows"]
