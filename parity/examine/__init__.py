"""One step under the glass, for reports and explanations."""

from parity.examine.examiner import Examiner
from parity.examine.row import Row, Side

__all__ = ["Examiner", "Row", "Side"]
