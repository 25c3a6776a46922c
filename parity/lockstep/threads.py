"""One thread each, unless asked otherwise: numpy's and torch's pools spin against each other.

Alternating steps on two cores with two threads each were measured 200 times slower than with one.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

from threadpoolctl import ThreadpoolController


@cache
def _controller() -> ThreadpoolController:
    """Kept: a new one costs 100 times as much as using it."""
    return ThreadpoolController()


@contextmanager
def limited(threads: int) -> Iterator[None]:
    """Limit numpy's pools, and torch's once it is imported; restore both on leaving."""
    import numpy as np  # noqa: F401 - its pools must be loaded to be controlled

    torch = sys.modules.get("torch")
    before = torch.get_num_threads() if torch else 0
    with _controller().limit(limits=threads):
        if torch:
            torch.set_num_threads(threads)
        try:
            yield
        finally:
            if torch:
                torch.set_num_threads(before)
