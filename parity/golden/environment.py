"""Causes of different bits: the environment of the recording compared with the current one."""

from __future__ import annotations

import platform
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import numpy as np

from parity.errors import EnvironmentUnfit
from parity.lockstep.environment import environment, unfit
from parity.lockstep.result import Fact
from parity.lockstep.threads import limited
from parity.render.texts.message import Message, joined

CAUSES: dict[str, tuple[str, ...]] = {
    "reference": ("numpy", "numpy_simd", "blas", "blas_kernel", "blas_threads"),
    "torch": ("torch", "torch_threads", "torch_cpu_capability", "torch_float32_matmul_precision"),
}
"""The facts of the environment on which each side's last bits depend."""

COMMON = ("processor", "system", "libc", "flushes_subnormals")
RECORDED = ("parity", "python", *(fact for facts in CAUSES.values() for fact in facts), *COMMON)
"""The facts stored in a golden; no paths or host names, since it is committed."""


@contextmanager
def fit(*, with_torch: bool, threads: int) -> Iterator[dict[str, Fact]]:
    """Context with limited threads, and its environment.

    Raises EnvironmentUnfit if torch is needed and is missing or set to a lower precision.
    """
    found = environment(with_torch=with_torch)  # imports torch, so that its thread pools exist already
    problems = unfit(found) if with_torch else []
    if problems:
        raise EnvironmentUnfit(Message("without_torch_replays", problems=joined(problems)))
    with limited(threads):
        yield environment(with_torch=with_torch)


def facts(known: Mapping[str, Fact]) -> dict[str, Fact]:
    """The facts that a golden stores, including numpy's instruction sets and libc."""
    known = {
        **known,
        "numpy_simd": _simd(),
        "system": f"{platform.system()} {platform.machine()}",
        "libc": " ".join(platform.libc_ver()).strip() or None,
    }
    return {name: known[name] for name in RECORDED if name in known}


def changes(side: str, then: Mapping[str, Fact], now: Mapping[str, Fact]) -> dict[str, tuple[Fact, Fact]]:
    """The changed facts on which this side's bits depend: (then, now)."""
    relevant = (*CAUSES.get(side, ()), *COMMON)
    found = {name: (then.get(name), now.get(name)) for name in relevant if then.get(name) != now.get(name)}
    if "numpy" in found:
        found.pop("numpy_simd", None)  # versions of numpy name them differently
    return found


def _simd() -> str | None:
    """The instruction sets, beyond the baseline, for which numpy uses special kernels."""
    found = np.show_config(mode="dicts")
    extensions = found.get("SIMD Extensions", {}) if isinstance(found, dict) else {}
    return " ".join(extensions.get("found", [])) or None
