"""The environment of a computation, part of every result because it can change the last bits."""

from __future__ import annotations

import os
import platform
import sys
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from threadpoolctl import threadpool_info

from parity import __version__
from parity.bounds.formats import flushes_subnormals, wide_longdouble
from parity.errors import EnvironmentUnfit
from parity.lockstep import openblas as kernel
from parity.lockstep.result import Fact
from parity.render.texts.message import Message, joined

OLDEST_TORCH = (2, 4)


def environment(*, with_torch: bool = True) -> dict[str, Fact]:
    """Versions, processor, BLAS and its kernel, threads, subnormals, matmul precision, import paths."""
    facts: dict[str, Fact] = {
        "parity": __version__,
        "python": platform.python_version(),
        "numpy": np.__version__,
        "platform": platform.platform(),
        "processor": _processor(),
        "cores": os.cpu_count(),
    }
    for pool in threadpool_info():
        if pool.get("user_api") == "blas" and "numpy" in str(pool.get("filepath")):
            facts["blas"] = f"{pool.get('internal_api')} {pool.get('version')}"
            facts["blas_kernel"] = pool.get("architecture")
            facts["blas_threads"] = pool.get("num_threads")
    facts["blas_kernel_chosen_by"] = kernel.chosen_by()
    facts["flushes_subnormals"] = flushes_subnormals(np.float32) or flushes_subnormals(np.float64)
    facts["longdouble_judges_float64"] = wide_longdouble()
    if with_torch:
        facts |= _torch()
    for package in ("reference", "parity"):
        facts[f"{package}_path"] = str(Path(str(import_module(package).__file__)).parent)
    return facts


def _torch() -> dict[str, Fact]:
    """PyTorch's part of the environment, if PyTorch can be imported."""
    try:
        torch = import_module("torch")
    except ImportError:
        return {"torch": None}
    return {
        "torch": str(torch.__version__),
        "torch_threads": torch.get_num_threads(),
        "torch_float32_matmul_precision": torch.get_float32_matmul_precision(),
        "torch_cpu_capability": torch.backends.cpu.get_cpu_capability(),
    }


def has_torch() -> bool:
    """Whether PyTorch can be imported, without importing it."""
    try:
        return sys.modules.get("torch") is not None or find_spec("torch") is not None
    except (ImportError, ValueError):
        return False


def require_torch() -> None:
    """Raise EnvironmentUnfit if torch is missing, too old or set to a lower precision."""
    problems = unfit(environment())
    if problems:
        raise EnvironmentUnfit(joined(problems))


def unfit(facts: dict[str, Fact]) -> list[Message]:
    """The reasons why this environment cannot give a verdict; empty if it can."""
    problems: list[Message] = []
    version = facts.get("torch")
    if version is None:
        problems.append(Message("no_torch"))
    elif tuple(int(part) for part in str(version).split("+")[0].split(".")[:2]) < OLDEST_TORCH:
        problems.append(Message("old_torch", version=version))
    if facts.get("torch_float32_matmul_precision") not in (None, "highest"):
        problems.append(Message("lower_matmul"))
    return problems


def refused_longdouble() -> Message | None:
    """Why longdouble is no judge of float64 here, though ball arithmetic is; None where it is one."""
    if wide_longdouble():
        return None
    emulated = np.finfo(np.longdouble).nmant > 63
    return Message("longdouble_emulated" if emulated else "longdouble_narrow")


def _processor() -> str:
    """The processor's name; on Linux from /proc/cpuinfo, which `platform` does not read."""
    cpuinfo = Path("/proc/cpuinfo")
    if sys.platform == "linux" and cpuinfo.exists():
        for line in cpuinfo.read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
