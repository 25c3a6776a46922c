"""The process that judges: a case a line in, an answer a line out, until its parent closes or goes away.

A case may loop, fill the memory or end its process. It does so here, and the campaign asks again.
"""

from __future__ import annotations

import json
import os
import resource
import sys
import threading
import time
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any, TextIO

from parity.errors import quoted

TOO_LARGE = 77
"""Exit code of a process that took more memory than it may."""

LOOKS_EVERY = 0.1
"""Seconds between two looks at memory and parent."""

STATM = Path("/proc/self/statm")


def main() -> None:
    """CampaignAnswer until stdin ends: `program ANSWERS ENVIRONMENT BYTES`, functions as `module:name`."""
    from parity.lockstep import openblas

    openblas.choose()  # before anything imports numpy
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    requests, replies = os.fdopen(os.dup(0)), os.fdopen(os.dup(1), "w")
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(2, 1)  # whatever a case prints is no answer
    answers, environment, memory = sys.argv[1:]
    threading.Thread(target=_guard, args=(os.getppid(), int(memory)), daemon=True).start()
    answer = _function(answers)
    _say(replies, {"environment": _function(environment)()})
    for line in requests:
        try:
            said = answer(json.loads(line))
        except Exception as error:
            said = {"failed": f"{type(error).__name__}: {quoted(error)}"}
        _say(replies, said)


def _guard(parent: int, memory: int) -> None:
    """End this process where it is too large, or nobody is left to answer to."""
    while True:
        time.sleep(LOOKS_EVERY)
        if _held() > memory:
            os._exit(TOO_LARGE)
        if os.getppid() != parent:
            os._exit(1)


def _held() -> int:
    """Bytes that this process holds; where there is no /proc, as on macOS, the most that it ever held.

    On Linux that most would be the parent's: it goes over to a program that a large process starts.
    """
    if STATM.exists():
        return int(STATM.read_text().split()[1]) * resource.getpagesize()
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def _say(replies: TextIO, said: Mapping[str, object]) -> None:
    replies.write(json.dumps(said) + "\n")
    replies.flush()


def _function(name: str) -> Any:
    module, _, function = name.partition(":")
    return getattr(import_module(module), function)


def answer(request: Mapping[str, Any]) -> dict[str, object]:
    """What is said of a request: `{"case": toml}` or `{"shrink": toml, "alarm": facts}`.

    An empty request is whether any can be answered.
    """
    from parity.campaign.case import Alarm, CampaignCase
    from parity.campaign.judging import judged
    from parity.campaign.lines import torch_lines
    from parity.campaign.shrink import shrunk

    if "case" in request:
        return {"answer": judged(CampaignCase.read(request["case"])).to_json()}
    if not request:
        return {}
    facts = request["alarm"]
    alarm = Alarm(**{**facts, "index": None if facts["index"] is None else tuple(facts["index"])})
    smallest = shrunk(CampaignCase.read(request["shrink"]), alarm)
    return {"case": smallest.to_toml(), "torch": torch_lines(smallest, alarm)}
