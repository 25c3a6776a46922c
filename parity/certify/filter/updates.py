"""Recomputes W − η g in the sides' own format: equal bits imply that the bound holds.

The product is rounded before the subtraction, as in the deck's line, or the operation is fused and
rounded once, as in PyTorch on processors that can. The contract admits both. With u' = u/(1 + u), the
largest relative error of one rounding to nearest, and η rounded to η' (|η' − η| ≤ u η),

    |W_next − (W − η g)| ≤ u'|W − p| + u'|η' g| + |η' − η||g| + 2 underflows,  p = η' g, rounded or not

where the plain path allows, term by term, u for each u' and for |η' − η|. So the share of the bound
is at most u'/u, reported as `REPLAYED`. For the fused form, W − η' g is computed in float64 with a
relative error of 2⁻⁵³ before it is rounded, as is the plain path's truth: 2⁻²⁹ of the bound. Numbers
with different bits are not wrong for that reason: they are compared with the bound.
"""

from __future__ import annotations

import numpy as np

from parity.certify.filter.layout import BLOCK
from parity.certify.filter.products import Source

REPLAYED = 1 - 2.0**-25
"""Slightly more than u'/u = 1/(1 + 2⁻²⁴), to cover the rounding of float64."""


class UpdateReplay:
    """Recomputes both sides' updates, trying first the form that each side used last."""

    def __init__(self, lr: float) -> None:
        self._rate = np.float32(lr)
        self._fused = [False, False]
        self._double, self._single = np.zeros(BLOCK), np.zeros(BLOCK, np.float32)
        self._equal = np.zeros(BLOCK, dtype=bool)

    def same(self, source: Source, here: slice) -> bool:
        """Whether both sides' updated parameters are bit for bit the result of one of the two forms."""
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
