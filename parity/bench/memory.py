"""Memory of the process that asks."""

from __future__ import annotations

import sys
from pathlib import Path

STATUS = Path("/proc/self/status")


def peak_mib() -> float:
    """The largest resident memory so far, in MiB."""
    # Not getrusage on Linux: there a child starts with its parent's peak.
    return _line("VmHWM") if STATUS.exists() else _used()


def resident_mib() -> float:
    """The resident memory now, in MiB; where the system does not tell, the largest so far."""
    return _line("VmRSS") if STATUS.exists() else _used()


def _line(name: str) -> float:
    line = next(line for line in STATUS.read_text().splitlines() if line.startswith(name))
    return int(line.split()[1]) / 1024


def _used() -> float:
    import resource

    unit = 1024 if sys.platform != "darwin" else 1024 * 1024  # others count in KiB, macOS in bytes
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit
