"""A process that judges: whatever a case does to it, its campaign goes on."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from math import prod

import pytest

from parity.campaign import judge
from parity.campaign.case import CampaignCase
from parity.campaign.judge import CaseLimits
from tests.campaign.stand_in import FACTS, JUDGING, case

LIMITS = CaseLimits(seconds=1.5, memory=300 * 2**20)


@pytest.fixture(autouse=True)
def _no_process_is_left():
    yield
    judge.close()


def asked(one):
    return judge.ask({"case": one.to_toml()}, JUDGING, LIMITS)


@pytest.mark.parametrize(
    ("regime", "ending"),
    {"dies": "SIGKILL", "exits": "exit 1: no more", "hangs": "seconds", "grows": "memory"}.items(),
)
def test_a_case_that_ends_its_process_is_asked_three_times(regime, ending):
    told = asked(case(1, regime))
    assert told.said is None
    assert told.endings == (ending,) * judge.TRIES
    after = asked(case(2))
    assert after.endings == ()
    assert "answer" in after.said


def test_what_is_raised_beside_a_judgement_is_said_and_the_process_goes_on():
    asked(case(1))
    before = judge._all[:]
    assert asked(case(2, "fails")).said == {"failed": "LookupError: nothing there"}
    assert judge._all == before


def test_it_says_what_it_computes_with():
    assert judge.ask({}, JUDGING, LIMITS) == judge.JudgeReply({}, FACTS)


def test_a_process_that_cannot_start_says_why():
    with pytest.raises(judge.Ended, match="exit 1: ModuleNotFoundError: No module named 'nowhere'"):
        judge.ask({}, judge.Judging("nowhere:at_all", JUDGING.environment), LIMITS)


CAMPAIGN = """
from parity.campaign import judge
from parity.campaign.case import CampaignCase
from tests.campaign.stand_in import JUDGING, case
judge.ask({}, JUDGING, judge.CaseLimits())
print(judge._all[0]._process.pid, flush=True)
judge.ask({"case": case(1, "hangs").to_toml()}, JUDGING, judge.CaseLimits())
"""


def test_it_does_not_outlive_a_campaign_that_was_killed():
    campaign = subprocess.Popen([sys.executable, "-c", CAMPAIGN], stdout=subprocess.PIPE, text=True)
    pid = int(campaign.stdout.readline())
    campaign.kill()
    campaign.communicate()
    deadline = time.monotonic() + 20
    while _lives(pid) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not _lives(pid)


def _lives(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    with open(f"/proc/{pid}/stat") as file:  # a process that init has not fetched yet
        return file.read().rpartition(")")[2].split()[0] != "Z"


def test_a_known_deviation_is_shrunk_in_the_process_and_shown_in_torch():
    large = CampaignCase("activations", "hardsigmoid", "float64", "subnormal", (4, 16, 8, 64), {}, 3)
    judging, limits = judge.Judging(), CaseLimits()
    told = json.loads(judge.ask({"case": large.to_toml()}, judging, limits).said["answer"])
    alarm = told["alarms"][0]
    said = judge.ask({"shrink": large.to_toml(), "alarm": alarm}, judging, limits).said
    smallest = CampaignCase.read(said["case"])
    again = json.loads(judge.ask({"case": said["case"]}, judging, limits).said["answer"])
    assert alarm["formula"] in {one["formula"] for one in again["alarms"]}
    assert prod(smallest.shape) < prod(large.shape)
    assert "import torch" in said["torch"]
