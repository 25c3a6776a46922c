"""Somebody's script, run as `python SCRIPT.py` would run it, and watched."""

from __future__ import annotations

import ast
import runpy
import sys
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple

from parity.errors import UsageError
from parity.watch.result import WatchResult
from parity.watch.watching import Watching


@dataclass(frozen=True)
class Watched:
    """What was found, and whether the script failed by itself or was interrupted.

    `part` is to be called once all is shown: a launcher ends every rank with the first that fails.
    """

    result: WatchResult
    failed: bool = False
    interrupted: bool = False
    part: Callable[[], None] = lambda: None


class EnoughError(BaseException):
    """All steps that were asked for are there: the script ends here."""


class ScriptEnd(NamedTuple):
    """How a script ended: whether it failed by itself, and whether it was interrupted."""

    failed: bool = False
    interrupted: bool = False


def readable(script: Path) -> None:
    """Raises UsageError for a script that is not there, that is empty, or that Python cannot read."""
    if not script.is_file():
        raise UsageError(f"{script}: is a folder" if script.is_dir() else f"{script}: no such file")
    try:
        tree = ast.parse(script.read_bytes(), str(script))
    except OSError as error:
        raise UsageError(f"{script}: {error.strerror}") from None
    except (SyntaxError, ValueError) as error:
        line = f"line {error.lineno}: {error.msg}" if isinstance(error, SyntaxError) else str(error)
        raise UsageError(f"{script}: {line}") from None
    if not tree.body:
        raise UsageError(f"{script}: is empty")


def run(script: Path, arguments: Sequence[str], *, stop: bool = False, **options: Any) -> Watched:
    """Run the script, and certify what `Watching(**options)` is asked for.

    The script's own output goes where it goes; what it raises is shown, and ends it. Raises UsageError
    for a script that is not there or cannot be read.
    """
    readable(script)
    seen, steps = options.pop("seen", None), options.get("steps")

    def certified(step: int) -> None:
        if seen is not None:
            seen(step)
        if stop and step == steps:
            raise EnoughError

    watching = Watching(seen=certified, **options)
    ending = run_inside(watching, script, arguments)
    return Watched(watching.result, *ending, watching.part)


def run_inside(
    recorder: AbstractContextManager[object], script: Path, arguments: Sequence[str]
) -> ScriptEnd:
    """Run the script as the main program while a recorder is entered; what the script raises is shown."""
    failed = interrupted = False
    with _as_main(script, arguments):
        try:
            with recorder:
                runpy.run_path(str(script.absolute()), run_name="__main__")
        except EnoughError:
            pass
        except SystemExit as error:
            failed = error.code not in (None, 0)
            if failed and not isinstance(error.code, int):
                sys.stderr.write(f"{error.code}\n")
        except KeyboardInterrupt:
            interrupted = True
        except UsageError:
            raise  # what cannot be recorded: no fault of the script's
        except Exception as error:
            failed = True
            traceback.print_exception(type(error), error, _own(error.__traceback__, script))
    return ScriptEnd(failed, interrupted)


def _own(trace: TracebackType | None, script: Path) -> TracebackType | None:
    """A traceback from the script's own frame on, as it would be without us."""
    found = trace
    while found is not None and found.tb_frame.f_code.co_filename != str(script.absolute()):
        found = found.tb_next
    return found or trace


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
