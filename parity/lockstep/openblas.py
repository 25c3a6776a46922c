"""Which matrix kernels OpenBLAS takes: chosen before numpy is imported, or not at all.

OpenBLAS picks its kernels by the processor's name. It knows Intel's with AVX-512; AMD's from Zen 5 on
it takes for AVX2 machines, at half their speed, and `OPENBLAS_CORETYPE=SkylakeX` tells it better. Zen 4
carries AVX-512 out in two halves of 256 bits and gains nothing by it (90 GF/s in float32, 105 with
AVX2): there OpenBLAS's own choice stands. The choice changes the order of sums, hence last bits, so who
chose is part of every result's environment.
"""

from __future__ import annotations

import os
from pathlib import Path

VARIABLE, AVX512_KERNEL = "OPENBLAS_CORETYPE", "SkylakeX"
NEEDED = {"avx512f", "avx512dq", "avx512bw", "avx512vl"}
ZEN_5 = 26  # the first family of AMD's processors that adds 512 bits at once

_chosen = False


def choose(cpuinfo: Path = Path("/proc/cpuinfo")) -> None:
    """Set the variable where OpenBLAS would overlook AVX-512; a variable that the user has set stands."""
    global _chosen
    if VARIABLE in os.environ or not overlooked(cpuinfo):
        return
    os.environ[VARIABLE] = AVX512_KERNEL
    _chosen = True


def chosen_by() -> str:
    """Who chose the kernels: OpenBLAS itself, the user's variable, or parity."""
    if _chosen:
        return "parity"
    return "user" if VARIABLE in os.environ else "OpenBLAS"


def overlooked(cpuinfo: Path) -> bool:
    """Whether this is an AMD processor with AVX-512 at full width, by Linux's own account of it."""
    try:
        text = cpuinfo.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return False
    pairs = (line.split(":", 1) for line in text.split("\n\n")[0].splitlines() if ":" in line)
    facts = {name.strip(): value.strip() for name, value in pairs}
    family = facts.get("cpu family", "")
    wide = facts.get("vendor_id") == "AuthenticAMD" and family.isdecimal() and int(family) >= ZEN_5
    return wide and set(facts.get("flags", "").split()) >= NEEDED
