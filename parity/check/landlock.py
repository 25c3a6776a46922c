"""Files that a process, and whatever it starts, cannot read: Linux's Landlock, which needs no privilege.

A ruleset lists what may be read, and nothing can be taken from it; so every entry beside the way to a
closed folder is listed. What is made later in a folder on that way cannot be read either.
https://docs.kernel.org/userspace-api/landlock.html
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import struct
import sys
from collections.abc import Collection, Iterator
from pathlib import Path

CREATE_RULESET, ADD_RULE, RESTRICT_SELF = 444, 445, 446
"""The system calls' numbers, on every machine."""

READ_FILE = 1 << 2
PATH_BENEATH = 1
NO_NEW_PRIVILEGES = 38
"""Of prctl, without which a process may not restrict itself."""


def ruleset(closed: Collection[Path], but: Collection[Path]) -> int | None:
    """A ruleset under which the files in the folders `closed` cannot be read, save `but`.

    A descriptor, which the caller closes; None where the kernel has no Landlock, or where a folder on the
    way cannot be listed.
    """
    if sys.platform != "linux":
        return None
    system = ctypes.CDLL(None).syscall
    handled = struct.pack("Q", READ_FILE)
    found: int = system(CREATE_RULESET, handled, len(handled), 0)
    if found < 0:
        return None
    try:
        for path in (*_beside({str(folder.resolve()) for folder in closed}, "/"), *map(str, but)):
            with contextlib.suppress(FileNotFoundError):  # gone since it was listed
                opened = os.open(path, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC)
                system(ADD_RULE, found, PATH_BENEATH, struct.pack("=Qi", READ_FILE, opened), 0)
                os.close(opened)
    except PermissionError:
        os.close(found)
        return None
    return found


def restrict(found: int) -> None:
    """Put this process under a ruleset for good, and with it all that it starts. Raises OSError."""
    library = ctypes.CDLL(None, use_errno=True)
    if library.prctl(NO_NEW_PRIVILEGES, 1, 0, 0, 0) or library.syscall(RESTRICT_SELF, found, 0):
        raise OSError(ctypes.get_errno(), "Landlock")


def _beside(closed: Collection[str], folder: str) -> Iterator[str]:
    """What is in `folder` and leads to none of the closed ones; a link counts where it leads to."""
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.is_symlink() or entry.path in closed:
                continue
            if any(other.startswith(entry.path + "/") for other in closed):
                yield from _beside(closed, entry.path)
            else:
                yield entry.path
