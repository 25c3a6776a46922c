"""Two processes of one gloo group that train what a test asks for, each watched, and say what was found."""

from __future__ import annotations

import json
import multiprocessing
import tempfile
from collections.abc import Callable
from datetime import timedelta
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

Scenario = Callable[[int], None]
"""A training, by the rank of the process that runs it."""


class Pair:
    """Two processes that live as long as the tests: each would take seconds to start."""

    def __init__(self) -> None:
        context = multiprocessing.get_context("spawn")
        self._folder = tempfile.TemporaryDirectory()
        self._asked = 0
        pipes = [context.Pipe() for _ in range(2)]
        self._ends = [ours for ours, _ in pipes]
        self._processes = [
            context.Process(target=_serve, args=(rank, theirs), daemon=True)
            for rank, (_, theirs) in enumerate(pipes)
        ]
        for process in self._processes:
            process.start()

    def watch(self, scenario: Scenario, **options: Any) -> list[dict[str, Any]]:
        """The result of each rank, as JSON. A process that raises says what. `only` one may be watched."""
        self._asked += 1
        store = Path(self._folder.name) / str(self._asked)
        for end in self._ends:
            end.send((scenario.__module__, scenario.__name__, str(store), options))
        for end in self._ends:
            assert end.poll(60), "a rank does not answer"
        answers = [json.loads(end.recv()) for end in self._ends]
        for answer in answers:
            assert "raised" not in answer, answer["raised"]
        return answers

    def close(self) -> None:
        """End the processes."""
        for end in self._ends:
            end.send(None)
        for process in self._processes:
            process.join(10)
        self._folder.cleanup()


def _serve(rank: int, end: Connection) -> None:
    import importlib
    import traceback

    import torch
    from torch import distributed

    torch.set_num_threads(1)
    while (asked := end.recv()) is not None:
        module, name, store, options = asked
        scenario = getattr(importlib.import_module(module), name)
        try:
            answer = _watched(rank, scenario, store, options)
        except Exception:
            answer = json.dumps({"raised": traceback.format_exc()})
        if distributed.is_initialized():
            distributed.destroy_process_group()
        end.send(answer)


def _watched(rank: int, scenario: Scenario, store: str, options: dict[str, Any]) -> str:
    from torch import distributed

    from parity.watch.ranks import exchange
    from parity.watch.watching import Watching

    distributed.init_process_group("gloo", store=distributed.FileStore(store, 2), rank=rank, world_size=2)
    if "only" in options:
        exchange.HURRY = timedelta(seconds=0.2)
        if options.pop("only") != rank:
            scenario(rank)
            return "{}"
    with Watching(**options) as watching:
        scenario(rank)
    return watching.result.to_json()
