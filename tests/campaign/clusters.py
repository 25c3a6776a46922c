"""A scheduler and workers of dask, each a process of its own, on loopback."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).parents[2]


class Cluster:
    def __init__(self, folder: Path, workers: int = 2) -> None:
        self.folder, self.workers = folder, []
        self.scheduler, said = self._started("scheduler", "--host", "127.0.0.1", "--port", "0", "--no-show")
        self.address = said[1]
        for _ in range(workers):
            self.join()

    def join(self) -> None:
        """One worker more."""
        words = (self.address, "--nthreads", "1", "--no-nanny", "--memory-limit", "0")
        worker, _ = self._started("worker", *words, until=r"(Registered to)")
        self.workers.append(worker)

    def kill_worker(self) -> None:
        """The worker that has been there longest, by SIGKILL; another one comes."""
        killed(self.workers.pop(0))
        self.join()

    def close(self) -> None:
        for process in (*self.workers, self.scheduler):
            killed(process)

    def _started(self, what: str, *words: str, until: str = r"Scheduler at: *(tcp://\S+)"):
        log = self.folder / f"{what}-{time.monotonic_ns()}.log"
        with log.open("w") as file:
            process = subprocess.Popen(
                [sys.executable, "-m", f"distributed.cli.dask_{what}", *words, "--no-dashboard"],
                stdout=file, stderr=subprocess.STDOUT, cwd=self.folder,
                env={**os.environ, "PYTHONPATH": str(ROOT)},
            )  # fmt: skip
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline and process.poll() is None:
            said = re.search(until, log.read_text())
            if said:
                return process, said
            time.sleep(0.05)
        killed(process)
        raise AssertionError(log.read_text())


def killed(process: subprocess.Popen) -> None:
    with contextlib.suppress(ProcessLookupError):
        process.send_signal(signal.SIGKILL)
    process.wait()


@contextlib.contextmanager
def cluster(folder: Path, workers: int = 2):
    made = Cluster(folder, workers)
    try:
        yield made
    finally:
        made.close()
