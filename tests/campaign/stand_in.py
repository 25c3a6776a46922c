"""A judging process without any mathematics: what a case asks for in its regime is what happens."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import sys
import time
from dataclasses import asdict, replace
from pathlib import Path

from parity.campaign.case import Alarm, CampaignAnswer, CampaignCase
from parity.campaign.judge import Judging

JUDGING = Judging(f"{__name__}:answer", f"{__name__}:computing")
ELSEWHERE = Judging(f"{__name__}:answer", f"{__name__}:computing_elsewhere")
OTHERWISE = Judging(f"{__name__}:answer_otherwise", f"{__name__}:computing_otherwise")

ASKED = "STAND_IN_ASKED"
"""Variable with a file in which every answered case leaves a line."""

FACTS = {
    "torch": "2.13.0", "torch_float32_matmul_precision": "highest", "numpy": "2.3.5", "processor": "A chip",
    "blas_kernel": "Haswell", "flushes_subnormals": False,
}  # fmt: skip


def computing():
    return FACTS


def computing_elsewhere():
    return {**FACTS, "blas_kernel": "SkylakeX"}


def computing_otherwise():
    return {**FACTS, "torch": "2.14.0"}


def answer_otherwise(request):
    """As another PyTorch, of which the regime `elsewhere` is wrong."""
    text = request.get("case", "")
    if 'regime = "elsewhere"' not in text:
        return answer(request)
    said = json.loads(answer(request)["answer"])
    said |= {"verdict": "mismatch", "alarms": [asdict(an_alarm("pytorch", None))]}
    return {"answer": json.dumps(said)}


def answer(request):
    if not request:
        return {}
    if "shrink" in request:
        case = replace(CampaignCase.read(request["shrink"]), seed=0)
        return {"case": case.to_toml(), "torch": f"import torch  # {case.name}"}
    case = CampaignCase.read(request["case"])
    alarms = {
        "dies": lambda: os.kill(os.getpid(), signal.SIGKILL),
        "exits": lambda: sys.exit("no more"),
        "hangs": lambda: time.sleep(1000),
        "grows": grows,
        "fails": fails,
        "slow": lambda: time.sleep(0.1),
        "wrong": lambda: [an_alarm("pytorch", None)],
        "ours": lambda: [an_alarm("reference", None)],
        "ourselves": lambda: [an_alarm("verifier", None)],
        "known": lambda: [an_alarm("pytorch", "some-finding")],
    }.get(case.regime, list)() or []
    if ASKED in os.environ:
        with Path(os.environ[ASKED]).open("a") as file:
            file.write(f"{case.digest}\n")
    drawn = int(hashlib.sha256(case.digest.encode()).hexdigest()[:8], 16)
    asked = case.regime != "skipped"
    said = CampaignAnswer(
        digest=case.digest, kind=case.kind, name=case.name, format=case.format, regime=case.regime,
        verdict="mismatch" if alarms else "match",
        numbers=asked * (drawn % 1000 + 2), undecided=asked * (drawn % 2),
        worst_share=float("inf") if case.regime == "infinite" else drawn / 2**32, worst_where="a2",
        alarms=tuple(alarms), seconds=0.5, skipped=None if asked else "no such operation",
    )  # fmt: skip
    return {"answer": said.to_json()}


def an_alarm(side, finding):
    return Alarm(
        side=side, formula="weight_gradient", operation="", tensor="dW2", index=(1, 0), found=1.5,
        expected=1.25, bound=0.001, message="", finding=finding,
    )  # fmt: skip


def fails():
    raise LookupError("nothing there")


def grows():
    held = []
    while True:
        held.append(b"x" * 2**25)
        time.sleep(0.01)


def case(number, regime="ordinary", kind="activations", **others):
    return CampaignCase(**{
        "kind": kind, "name": "tanh", "format": "float32", "regime": regime, "seed": number, **others
    })  # fmt: skip
