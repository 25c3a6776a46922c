"""A judging process seen from outside: started when needed, limited in time and memory, asked again."""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from parity.campaign.program import TOO_LARGE
from parity.check.process import THREADS
from parity.errors import quoted

TRIES = 3
"""Times that a case may end its process before it is set aside."""

STARTING = 300.0
"""Seconds that a process may take until it says what it computes with: torch is read from a cold disk."""

PROGRAM = "from parity.campaign.program import main; main()"
ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class CaseLimits:
    """What one case may use."""

    seconds: float = 120.0
    memory: int = 4 * 2**30


@dataclass(frozen=True)
class Judging:
    """Which functions a judging process calls, as `module:name`."""

    answer: str = "parity.campaign.program:answer"
    environment: str = "parity.campaign.environment:computing"


@dataclass(frozen=True)
class JudgeReply:
    """What came of a request: what was said, or how each try ended; and what it was computed with."""

    said: Mapping[str, Any] | None
    environment: Mapping[str, Any]
    endings: tuple[str, ...] = ()


class Ended(Exception):  # noqa: N818 - it is what happened to the process
    """The process is gone: `seconds`, `memory`, or how it ended by itself."""


class JudgingProcess:
    """One judging process."""

    def __init__(self, judging: Judging, limits: CaseLimits) -> None:
        path = os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115 - open as long as the process
        self._unread = b""
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-c", PROGRAM, judging.answer, judging.environment, str(limits.memory)],
            env={**os.environ, **dict.fromkeys(THREADS, "1"), "PYTHONPATH": path},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            start_new_session=True,  # Ctrl-C is the campaign's
        )
        self.environment: Mapping[str, Any] = self._line(STARTING)["environment"]

    def ask(self, request: Mapping[str, Any], seconds: float) -> Mapping[str, Any]:
        """What it says. Raises Ended where it does not."""
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(json.dumps(request).encode() + b"\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            raise self._ended() from None
        return self._line(seconds)

    def close(self) -> None:
        """End it, whatever it does."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        for stream in (self._process.stdin, self._process.stdout, self._errors):
            with contextlib.suppress(OSError):
                stream.close()  # type: ignore[union-attr] # all three are open

    def _line(self, seconds: float) -> Mapping[str, Any]:
        assert self._process.stdout is not None
        handle, until = self._process.stdout.fileno(), time.monotonic() + seconds
        while b"\n" not in self._unread:
            left = until - time.monotonic()
            if left <= 0 or not select.select([handle], [], [], left)[0]:
                self.close()
                raise Ended("seconds")
            chunk = os.read(handle, 2**20)
            if not chunk:
                raise self._ended()
            self._unread += chunk
        line, _, self._unread = self._unread.partition(b"\n")
        said: Mapping[str, Any] = json.loads(line)
        return said

    def _ended(self) -> Ended:
        code = self._process.wait()
        self._errors.seek(0)
        last = self._errors.read().decode(errors="replace").strip().rpartition("\n")[2]
        self.close()
        if code == TOO_LARGE:
            return Ended("memory")
        how = signal.Signals(-code).name if -code in signal.valid_signals() else f"exit {code}"
        return Ended(f"{how}: {quoted(last)}".rstrip(": "))


_own = threading.local()
_all: list[JudgingProcess] = []


def ask(request: Mapping[str, Any], judging: Judging, limits: CaseLimits) -> JudgeReply:
    """Ask this thread's process, at most `TRIES` times.

    Raises Ended where no process can be started.
    """
    endings: list[str] = []
    environment: Mapping[str, Any] = {}
    while len(endings) < TRIES:
        judge = _judge(judging, limits)
        environment = judge.environment
        try:
            return JudgeReply(judge.ask(request, limits.seconds), environment, tuple(endings))
        except Ended as ended:
            endings.append(str(ended))
            _all.remove(judge)
        except BaseException:  # its answer would be taken for the next one's
            _all.remove(judge)
            judge.close()
            raise
    return JudgeReply(None, environment, tuple(endings))


def close() -> None:
    """End all processes that `ask` has started."""
    while _all:
        _all.pop().close()
    _own.__dict__.clear()


def _judge(judging: Judging, limits: CaseLimits) -> JudgingProcess:
    wanted = (judging, limits)
    held = getattr(_own, "judge", None)
    if held not in _all or _own.wanted != wanted:
        if held in _all:
            _all.remove(held)
            held.close()
        _own.judge, _own.wanted = JudgingProcess(judging, limits), wanted
        _all.append(_own.judge)
    judge: JudgingProcess = _own.judge
    return judge
