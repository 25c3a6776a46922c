"""How far the erf inside PyTorch's float32 GELU is off, every float asked: `tests.reports.calibrate_erf`.

No accuracy is documented. `torch.erf` is good to a fraction of an ulp; GELU of three numbers or more is
oneDNN's, whose erf is a polynomial in float32: its error is absolute, and GELU multiplies it by z/2. It is
taken from GELU's values at negative z, where the rest, 1 + erf and two products, adds no more than 3u of a
small number. The K of `parity.bounds.formats.ULP` is the largest error seen, in ulp of 1, rounded up.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch

ULP_OF_1 = 2.0**-23


def negative_binades(lowest: int, highest: int) -> Iterator[torch.Tensor]:
    """Every float32 from −2^lowest to −2^highest."""
    for exponent in range(lowest, highest):
        first = int(np.float32(2.0**exponent).view(np.int32))
        yield -torch.arange(first, first + 2**23, dtype=torch.int32).view(torch.float32)


def largest(lowest: int = -12, highest: int = 3) -> tuple[float, float]:
    """The largest error in ulp of 1, and the z where it is; −5.9 and below, the smallest, GELU is 0."""
    worst, where = 0.0, 0.0
    for z in negative_binades(lowest, highest):
        wide = z.double()
        twice_cdf = 1 + torch.erf(wide * 0.5**0.5)
        off = (torch.nn.functional.gelu(z).double() * 2 / wide - twice_cdf).abs()
        error = (off - 3 * ULP_OF_1 / 2 * twice_cdf) / ULP_OF_1
        place = int(error.argmax())
        if float(error[place]) > worst:
            worst, where = float(error[place]), float(z[place])
    return worst, where


if __name__ == "__main__":
    worst, where = largest()
    print(f"torch {torch.__version__}: {worst:.4f} ulp of 1 at z = {where!r}")
