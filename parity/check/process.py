"""A process that is not trusted: bounded in time, memory and output, and ended with all it started."""

from __future__ import annotations

import contextlib
import os
import resource
import signal
import subprocess
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from parity.check import landlock
from parity.render.texts.message import Message

OUTPUT_KEPT = 16 * 2**10
"""Bytes of what it prints that are kept; the rest is read and dropped."""

THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")

SAFE_PATH = "PYTHONSAFEPATH"
"""Leaves a program's folder out of Python's path: for the checker's own processes, not for a subject's."""

GUARD = Path(__file__).with_name("guard")
"""Where the `sitecustomize` is that keeps a subject from the verifier's own mathematics."""

PACKAGE = Path(__file__).parents[1]
CLOSED = (PACKAGE, PACKAGE.with_name("reference"))
"""What nothing that is started here may read, in whatever language, where the kernel can see to it;"""

OPEN = (*map(Path(__file__).with_name, ("worker.py", "tracer.py")), GUARD)
"""save these, which run a subject and judge nothing."""


@dataclass(frozen=True)
class Limits:
    """What a subject may use: wall seconds, bytes of memory, bytes of any file it writes."""

    seconds: float = 20.0
    memory: int = 8 * 2**30
    file: int = 64 * 2**20


@dataclass(frozen=True)
class Ending:
    """How it ended: what it printed, and in words why it did not end by itself, if it did not."""

    output: str
    code: int
    failure: Message | None = None


def run(command: Sequence[str], folder: Path, limits: Limits) -> Ending:
    """Run a command in `folder`. Raises OSError where it cannot be started at all."""
    environment = {**os.environ, **dict.fromkeys(THREADS, "1"), "PYTHONDONTWRITEBYTECODE": "1"}
    environment["PYTHONIOENCODING"] = "utf-8"
    environment.pop(SAFE_PATH, None)
    environment["PYTHONPATH"] = os.pathsep.join([str(GUARD), *filter(None, [os.environ.get("PYTHONPATH")])])

    def restrict() -> None:
        seconds = int(limits.seconds) + 1
        resource.setrlimit(resource.RLIMIT_AS, (limits.memory, limits.memory))
        resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds + 1))
        resource.setrlimit(resource.RLIMIT_FSIZE, (limits.file, limits.file))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        if readable is not None:
            landlock.restrict(readable)

    readable = landlock.ruleset(CLOSED, OPEN)
    try:
        process = subprocess.Popen(
            list(command),
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            preexec_fn=restrict,
            start_new_session=True,
        )
    finally:
        if readable is not None:
            os.close(readable)
    assert process.stdout is not None
    kept = bytearray()
    reader = threading.Thread(target=_drain, args=(process.stdout, kept), daemon=True)
    reader.start()
    failure = None
    try:
        process.wait(limits.seconds)
    except subprocess.TimeoutExpired:
        failure = Message("no_return", seconds=f"{limits.seconds:g}")
    finally:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)  # whatever it started goes with it
        process.wait()
        reader.join(1.0)
        with contextlib.suppress(OSError, ValueError):
            process.stdout.close()
    code = process.returncode
    if failure is None and code != 0:
        failure = _ended_by(-code, limits) if code < 0 else Message("exit_code", code=code)
    return Ending(bytes(kept).decode(errors="replace"), code, failure)


def _drain(stream: IO[bytes], kept: bytearray) -> None:
    """Read to the end, so that nobody blocks on a full pipe; keep the beginning."""
    with contextlib.suppress(OSError, ValueError):
        while chunk := os.read(stream.fileno(), 65536):
            kept += chunk[: OUTPUT_KEPT - len(kept)]


def _ended_by(number: int, limits: Limits) -> Message:
    """A signal, in words."""
    if number == signal.SIGXCPU:
        return Message("processor_time", seconds=f"{limits.seconds:g}")
    if number == signal.SIGXFSZ:
        return Message("file_size", size=limits.file // 2**20)
    try:
        return Message("signal", name=signal.Signals(number).name)
    except ValueError:
        return Message("signal_number", number=number)
