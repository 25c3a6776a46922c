"""W − η g, taken again in the sides' own format: where the bits are the same, the bound holds.

Multiplied, rounded, subtracted, rounded, as the deck's line does it; or fused and rounded once, as
PyTorch's does where the processor can. Either is an evaluation that the contract admits. With u' =
u/(1 + u), which one rounding to nearest is off by at most, and η rounded to η' (|η' − η| ≤ u η),

    |W_next − (W − η g)| ≤ u'|W − p| + u'|η' g| + |η' − η||g| + 2 underflows,  p = η' g, rounded or not

where the plain path allows, term by term, u for each u' and for |η' − η|. So the share of the bound
is at most u'/u, for which `REPLAYED` is reported. For the fused form W − η' g is float64's, off by
2⁻⁵³ of itself before it is rounded, as is the plain path's truth: 2⁻²⁹ of the bound. What is not the
same bits is not wrong for that: it is held against the bound.
"""

from __future__ import annotations

import numpy as np

from parity.certify.filter.layout import BLOCK
from parity.certify.filter.products import Source

REPLAYED = 1 - 2.0**-25
"""More than u'/u = 1/(1 + 2⁻²⁴), and what float64 adds."""


class UpdateReplay:
    """Both sides' updates, each in the form in which the side was last seen to take them."""

    def __init__(self, lr: float) -> None:
        self._rate = np.float32(lr)
        self._fused = [False, False]
        self._double, self._single = np.zeros(BLOCK), np.zeros(BLOCK, np.float32)
        self._equal = np.zeros(BLOCK, dtype=bool)

    def same(self, source: Source, here: slice) -> bool:
        """Whether both sides' updated parameters are what one of the two forms gives."""
        for side in (0, 1):
            if not self._try(side, source, here):
                self._fused[side] = not self._fused[side]
                if not self._try(side, source, here):
                    return False
        return True

    def _try(self, side: int, source: Source, here: slice) -> bool:
        size = here.stop - here.start
        again = self._single[:size]
        if self._fused[side]:
            double = self._double[:size]
            np.copyto(double, source.g[side][here])
            double *= -float(self._rate)
            double += source.w[side][here]
            np.copyto(again, double, casting="same_kind")
        else:
            np.multiply(self._rate, source.g[side][here], out=again)
            np.subtract(source.w[side][here], again, out=again)
        return bool(np.equal(again, source.n[side][here], out=self._equal[:size]).all())
