"""What these tests hold a number to. Bounds are tried elsewhere; a mutant is no rounding."""

from __future__ import annotations

import numpy as np


def near(ours, theirs, what="", rtol=1e-10):
    """Same shape, and equal up to some hundred thousand roundings."""
    ours, theirs = np.asarray(ours), np.asarray(theirs)
    assert ours.shape == theirs.shape, (what, ours.shape, theirs.shape)
    np.testing.assert_allclose(ours, theirs, rtol=rtol, atol=max(1e-13, rtol / 1e3), err_msg=what)


SINGLE = 1e-7
"""Where a constant of PyTorch's is a float32 in a float64 function: see `reports/findings.md`."""
