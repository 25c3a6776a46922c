"""One step under the glass, for reports and explanations."""

from parity.explain.row import Row, SideNumbers
from parity.explain.step import Inspector

__all__ = ["Inspector", "Row", "SideNumbers"]
