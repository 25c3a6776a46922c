"""Somebody's script, run as `python SCRIPT.py` would run it, and watched."""

from __future__ import annotations

import runpy
import sys
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from parity.errors import UsageError
from parity.watch.result import WatchResult
from parity.watch.watching import Watching


@dataclass(frozen=True)
class Watched:
    """What was found, and whether the script failed by itself."""

    result: WatchResult
    failed: bool


class _Enough(BaseException):
    """All steps that were asked for are certified: the script ends here."""


def run(script: Path, arguments: Sequence[str], *, stop: bool = False, **options: Any) -> Watched:
    """Run the script, and certify what `Watching(**options)` is asked for.

    The script's own output goes where it goes; what it raises is shown, and ends it. Raises UsageError
    for a script that is not there or cannot be read.
    """
    if not script.is_file():
        raise UsageError(f"{script}: no such file")
    seen, steps = options.pop("seen", None), options.get("steps")

    def certified(step: int) -> None:
        if seen is not None:
            seen(step)
        if stop and step == steps:
            raise _Enough

    watching = Watching(seen=certified, **options)
    failed = False
    with _as_main(script, arguments):
        try:
            with watching:
                runpy.run_path(str(script), run_name="__main__")
        except _Enough:
            watching.reason = None
        except SystemExit as error:
            failed = error.code not in (None, 0)
        except KeyboardInterrupt:
            pass  # what was certified until here is told
        except SyntaxError as error:
            raise UsageError(f"{script}: line {error.lineno}: {error.msg}") from None
        except Exception:
            failed = True
            traceback.print_exc()
    return Watched(watching.result, failed)


@contextmanager
def _as_main(script: Path, arguments: Sequence[str]) -> Iterator[None]:
    """`sys.argv` and `sys.path` as the script expects them."""
    argv, path = sys.argv, list(sys.path)
    sys.argv = [str(script), *arguments]
    sys.path[0:0] = [str(script.resolve().parent)]
    try:
        yield
    finally:
        sys.argv, sys.path[:] = argv, path
