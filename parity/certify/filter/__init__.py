"""Accepting cheaply: the same two gates, for the common case, in a few dozen numpy calls.

The plain path (`certificate`, `cross_check`) is the definition. This one may only ever
ACCEPT a whole step, and only where bounds that are nowhere larger than the plain path's suffice: of
their terms, all non-negative, some are left out or replaced by smaller ones. Each module says which,
and proves what it relies on. Whatever is not accepted, for whatever reason, the plain path judges. So
no verdict depends on this one; the shares it reports are upper bounds of the true ones.
"""

from parity.certify.filter.filter import AcceptedStep, Filter, knows

__all__ = ["Filter", "AcceptedStep", "knows"]
