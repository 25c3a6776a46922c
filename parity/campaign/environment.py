"""What a campaign's numbers were computed with, and which differences of it may not stand in one folder."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping

from parity.lockstep.result import Fact

ARITHMETIC = (
    "parity",
    "numpy",
    "torch",
    "blas",
    "blas_kernel",
    "torch_cpu_capability",
    "torch_float32_matmul_precision",
    "flushes_subnormals",
    "longdouble_judges_float64",
    "system",
)
"""Facts that decide a number or its judgement: they are the same for all answers of a folder.

The processor's name, Python, libc and numpy's instruction sets may differ: they are told, and mixed.
"""


def computing() -> dict[str, Fact]:
    """Versions and arithmetic of this process, without paths and host names. Imports torch."""
    from parity.golden.environment import facts
    from parity.lockstep.environment import environment

    found = environment()
    return {**facts(found), "longdouble_judges_float64": found["longdouble_judges_float64"]}


def named(facts: Mapping[str, Fact]) -> str:
    """A short name of an environment, made from its facts: eight hexadecimal digits."""
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:8]


def differing(one: Mapping[str, Fact], other: Mapping[str, Fact]) -> list[str]:
    """The facts of arithmetic in which two environments differ."""
    return [name for name in ARITHMETIC if one.get(name) != other.get(name)]
