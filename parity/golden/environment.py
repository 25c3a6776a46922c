"""Why bits may differ: what the numbers were computed with, then and now."""

from __future__ import annotations

import platform
from collections.abc import Mapping

import numpy as np

from parity.lockstep.result import Fact

CAUSES: dict[str, tuple[str, ...]] = {
    "reference": ("numpy", "numpy_simd", "blas", "blas_kernel", "blas_threads"),
    "torch": ("torch", "torch_threads", "torch_cpu_capability", "torch_float32_matmul_precision"),
}
"""By side, the facts of the environment that its last bits depend on."""

COMMON = ("processor", "system", "libc", "flushes_subnormals")
RECORDED = ("parity", "python", *(fact for facts in CAUSES.values() for fact in facts), *COMMON)
"""The facts that a golden keeps. No paths, no host: it is committed, and its digest covers them."""


def facts(environment: Mapping[str, Fact]) -> dict[str, Fact]:
    """What a golden keeps of an environment, and what the environment does not say of numpy and libc."""
    known = {
        **environment,
        "numpy_simd": _simd(),
        "system": f"{platform.system()} {platform.machine()}",
        "libc": " ".join(platform.libc_ver()).strip() or None,
    }
    return {name: known[name] for name in RECORDED if name in known}


def changes(side: str, then: Mapping[str, Fact], now: Mapping[str, Fact]) -> dict[str, tuple[Fact, Fact]]:
    """The facts that this side's bits depend on and that are not what they were: (then, now)."""
    relevant = (*CAUSES.get(side, ()), *COMMON)
    found = {name: (then.get(name), now.get(name)) for name in relevant if then.get(name) != now.get(name)}
    if "numpy" in found:
        found.pop("numpy_simd", None)  # each version has its own names for them
    return found


def _simd() -> str | None:
    """The instruction sets, beyond the baseline, for which numpy takes kernels of their own."""
    found = np.show_config(mode="dicts")
    extensions = found.get("SIMD Extensions", {}) if isinstance(found, dict) else {}
    return " ".join(extensions.get("found", [])) or None
