"""One step under the glass, for reports and explanations."""

from parity.explain.row import Row, SideNumbers
from parity.explain.step import Examiner

__all__ = ["Examiner", "Row", "SideNumbers"]
