"""A fast filter: both gates for the common case, in a few dozen numpy calls.

The plain path (`certificate`, `cross_check`) is the definition. The filter can only ACCEPT a whole
step, and only if the numbers lie inside bounds that are nowhere larger than the plain path's: some of
their non-negative terms are left out or replaced by smaller ones. Each module states which, with a
proof. Any step that is not accepted is judged by the plain path, so no verdict depends on the filter;
the shares that it reports are upper bounds of the true ones.
"""

from parity.certify.filter.filter import Filter, knows

__all__ = ["Filter", "knows"]
