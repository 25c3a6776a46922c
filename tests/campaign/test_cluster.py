"""Many processes: nothing is lost, nothing that has an answer is asked again, whoever is killed."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from itertools import count

import pytest

from parity.campaign import cluster as clusters_of
from parity.campaign.campaign import campaign
from parity.campaign.judge import CaseLimits, Judging
from parity.errors import EnvironmentUnfit, UsageError
from tests.campaign.clusters import ROOT, cluster, killed
from tests.campaign.stand_in import ASKED, ELSEWHERE, JUDGING, case
from tests.nightly import NIGHTLY

LIMITS = CaseLimits(seconds=10, memory=2**30)
CASES = [case(number) for number in range(40)]


@pytest.fixture
def asked(tmp_path, monkeypatch):
    """How often each case has been answered, by its digest."""
    file = tmp_path / "asked"
    file.touch()
    monkeypatch.setenv(ASKED, str(file))
    return lambda: Counter(file.read_text().split())


def run(cases, folder, **others):
    return campaign(cases, folder, **{"judging": JUDGING, "limits": LIMITS, **others})


@pytest.mark.parametrize("workers", [1, 2])
def test_a_second_run_asks_only_what_is_missing(tmp_path, asked, workers):
    first = run(CASES[:25], tmp_path / "c", workers=workers)
    assert asked() == {one.digest: 1 for one in CASES[:25]}
    again = run([*CASES, *CASES[:5]], tmp_path / "c", workers=workers)
    assert asked() == {one.digest: 1 for one in CASES}
    assert (first.result.cases, again.result.cases) == (25, 40)
    assert again.result == run(CASES, tmp_path / "whole").result


@pytest.mark.parametrize("workers", [1, 2])
def test_a_case_that_ends_its_process_is_set_aside_and_stays_there(tmp_path, asked, workers):
    cases = [*CASES[:6], case(1, "dies"), *CASES[6:12]]
    for _ in range(2):
        found = run(cases, tmp_path / "c", workers=workers).result
        assert asked() == {one.digest: 1 for one in CASES[:12]}
        ((case_, endings),) = [(one.case, one.endings) for one in found.set_aside]
        assert (case_, endings) == (case(1, "dies").digest, ["SIGKILL"] * 3)
        assert (found.verdict, found.exit_code, found.cases) == ("fault", 4, 13)


@pytest.mark.parametrize("workers", [1, 2])
def test_cases_are_made_as_they_are_asked_and_the_time_ends_them(tmp_path, workers):
    made = []

    def without_end():
        for number in count():
            made.append(number)
            yield case(number)

    found = run(without_end(), tmp_path / "c", workers=workers, minutes=0.02).result
    assert 0 < found.cases <= len(made) <= found.cases + 1 + clusters_of.AHEAD * workers


def test_a_cluster_by_its_address_gives_the_same(tmp_path, asked):
    with cluster(tmp_path) as two:
        found = run(CASES, tmp_path / "c", scheduler=two.address).result
    assert asked() == {one.digest: 1 for one in CASES}
    assert found == run(CASES, tmp_path / "alone").result


def test_workers_of_another_arithmetic_are_refused_at_once_and_nothing_is_asked(tmp_path, asked):
    run(CASES[:3], tmp_path / "c")
    with pytest.raises(UsageError, match="made with blas_kernel Haswell, and here it is SkylakeX"):
        run(CASES, tmp_path / "c", judging=ELSEWHERE)
    assert sum(asked().values()) == 3


def test_workers_that_cannot_judge_are_the_environments_fault(tmp_path):
    with pytest.raises(EnvironmentUnfit, match=r"no process can judge: .*No module named 'nowhere'"):
        run(CASES, tmp_path / "c", workers=2, judging=Judging("nowhere:at_all", JUDGING.environment))


def test_no_scheduler_there(tmp_path, monkeypatch):
    monkeypatch.setattr(clusters_of, "PATIENCE", "1s")
    with pytest.raises(EnvironmentUnfit, match=r"--scheduler tcp://127.0.0.1:9: "):
        run(CASES, tmp_path / "c", scheduler="tcp://127.0.0.1:9")


def test_without_dask_one_worker_does_and_several_name_the_extra(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    assert run(CASES[:2], tmp_path / "c", workers=1).result.cases == 2
    with pytest.raises(EnvironmentUnfit, match=r"backprop-parity\[campaign\]"):
        run(CASES, tmp_path / "c", workers=2)


def in_its_own_process(folder, *, scheduler=""):
    """The same cases as `SLOW`, as a campaign that can be killed."""
    program = (
        "import sys; from pathlib import Path; from parity.campaign.campaign import campaign\n"
        "from parity.campaign import cluster; cluster.PATIENCE = '2s'\n"
        "from tests.campaign.stand_in import JUDGING; from tests.campaign.test_cluster import *\n"
        "folder, scheduler = sys.argv[1:]\n"
        "found = campaign(SLOW, Path(folder), workers=2, scheduler=scheduler or None, judging=JUDGING,"
        " limits=LIMITS)\n"
        "sys.exit(130 if found.interrupted else 3 if found.failure else 0)"
    )
    return subprocess.Popen(
        [sys.executable, "-c", program, str(folder), scheduler],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stderr=subprocess.PIPE,
        text=True,
    )


SLOW = [case(number, "slow") for number in range(60)]


def answers(folder):
    return len([*(folder / "answers").glob("[!.]*.json")]) if folder.exists() else 0


def until(there, process, seconds=60):
    deadline = time.monotonic() + seconds
    while not there() and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.02)


def test_ctrl_c_keeps_what_is_done(tmp_path, asked):
    folder = tmp_path / "c"
    process = in_its_own_process(folder)
    until(lambda: answers(folder) > 5, process)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "Traceback" not in said
    done = answers(folder)
    assert 5 < done < len(SLOW)
    found = run(SLOW, folder, workers=2).result
    assert found.cases == len(SLOW)
    assert sum(asked().values()) <= len(SLOW) + 2 * clusters_of.AHEAD  # what was under way is asked again


@pytest.mark.parametrize(
    "kills",
    [
        ["worker", "campaign", "scheduler"],
        pytest.param(["campaign", "worker", "scheduler", "worker", "campaign"] * 2, marks=NIGHTLY),
    ],
    ids=len,
)
def test_killed_at_random_nothing_is_lost_and_no_answer_asked_for_again(tmp_path, asked, kills):
    """Campaign, workers and scheduler end by SIGKILL; the same command goes on until all is answered."""
    draw, left, folder = random.Random(len(kills)), [*kills], tmp_path / "c"
    kept: set[str] = set()
    for number in range(len(kills) + 3):
        before = asked()
        place = tmp_path / f"cluster{number}"
        place.mkdir()
        with cluster(place) as two:
            process = in_its_own_process(folder, scheduler=two.address)
            while left:
                goal = answers(folder) + draw.randint(1, 4)
                until(lambda goal=goal: answers(folder) >= goal, process)
                assert process.poll() is None, "it ended before it was killed"
                victim = left.pop(0)
                if victim == "worker":
                    two.kill_worker()
                    continue
                killed(process if victim == "campaign" else two.scheduler)
                break
            process.communicate(timeout=120)
        assert {digest: asked()[digest] for digest in kept} == {digest: before[digest] for digest in kept}
        assert kept <= (kept := {file.stem for file in (folder / "answers").glob("[!.]*.json")})
        if process.returncode == 0:
            break
    assert not left
    assert kept == {one.digest for one in SLOW}
    whole = run(SLOW, tmp_path / "whole", workers=2).result
    assert run([], folder).result == whole
