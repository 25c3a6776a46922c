"""One thread each, before numpy is imported, and hypothesis without clocks."""

import os
import signal
from pathlib import Path
from typing import NamedTuple

for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(variable, "1")

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # in a shell's background, where Ctrl-C is ignored
    signal.signal(signal.SIGINT, signal.default_int_handler)

os.environ["LC_ALL"] = "C.UTF-8"  # the tests read English, whatever the machine speaks

import pytest  # noqa: E402 - after the threads are set
from hypothesis import HealthCheck, settings  # noqa: E402

settings.register_profile(
    "parity",
    deadline=None,  # machines are shared and noisy
    derandomize=bool(os.environ.get("CI")),  # CI draws the same networks every time; people draw new ones
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
    print_blob=True,
)
settings.load_profile("parity")


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    """A worker that is done takes what others have not begun: some tests take a hundred times others."""
    from xdist.scheduler.worksteal import WorkStealingScheduling

    return WorkStealingScheduling(config, log)


class Said(NamedTuple):
    """What a command came to, by the names that a finished process has."""

    returncode: int
    stdout: str
    stderr: str


@pytest.fixture
def ask(capsys, monkeypatch):
    """Ask `parity WORDS…` in this process, in a folder: exit code, stdout, stderr."""
    from parity.__main__ import _run

    def run(*words: object, folder: Path | None = None) -> Said:
        if folder is not None:
            monkeypatch.chdir(folder)
        code = _run([str(word) for word in words])
        return Said(code, *capsys.readouterr())

    return run


@pytest.fixture
def compiler_afresh():
    """torch.compile without what earlier tests left, and without processes of its own."""
    import torch

    torch._dynamo.reset()
    with torch._inductor.config.patch(force_disable_caches=True, compile_threads=1):
        yield
    torch._dynamo.reset()
