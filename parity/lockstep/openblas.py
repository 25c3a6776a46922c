"""Chooses OpenBLAS's matrix kernels, which is only possible before numpy is imported.

OpenBLAS selects its kernels by the processor's name. It recognises Intel's AVX-512 processors, but takes
AMD's from Zen 5 on for AVX2 machines, at half their speed; `OPENBLAS_CORETYPE=SkylakeX` corrects that.
Zen 4 executes AVX-512 as two halves of 256 bits and is not faster with it (90 GF/s in float32, 105 with
AVX2), so OpenBLAS's own choice is kept there. The choice changes the order of sums, hence last bits, so
who made it is part of every result's environment.
"""

from __future__ import annotations

import os
from pathlib import Path

VARIABLE, AVX512_KERNEL = "OPENBLAS_CORETYPE", "SkylakeX"
NEEDED = {"avx512f", "avx512dq", "avx512bw", "avx512vl"}
ZEN_5 = 26  # AMD's first family with 512-bit arithmetic units

_chosen = False


def choose(cpuinfo: Path = Path("/proc/cpuinfo")) -> None:
    """Set the variable if OpenBLAS would overlook AVX-512, unless the user has set it."""
    global _chosen
    if VARIABLE in os.environ or not overlooked(cpuinfo):
        return
    os.environ[VARIABLE] = AVX512_KERNEL
    _chosen = True


def chosen_by() -> str:
    """What chose the kernels: OpenBLAS itself, the user's variable, or parity."""
    if _chosen:
        return "parity"
    return "user" if VARIABLE in os.environ else "OpenBLAS"


def overlooked(cpuinfo: Path) -> bool:
    """Whether /proc/cpuinfo describes an AMD processor with AVX-512 at full width."""
    try:
        text = cpuinfo.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return False
    pairs = (line.split(":", 1) for line in text.split("\n\n")[0].splitlines() if ":" in line)
    facts = {name.strip(): value.strip() for name, value in pairs}
    family = facts.get("cpu family", "")
    wide = facts.get("vendor_id") == "AuthenticAMD" and family.isdecimal() and int(family) >= ZEN_5
    return wide and set(facts.get("flags", "").split()) >= NEEDED
