"""`parity.watch` in a test: the first wrong operation, or what is not certified, as a failure."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from parity.lockstep.environment import require_torch
from parity.pytest_plugin.answer import Answer, failure_text
from parity.pytest_plugin.context import Context
from parity.report.ci.facts import Compared, RootCause
from parity.report.watch import with_page
from parity.watch.result import WatchResult, WrongOperation
from parity.watch.text import finding_lines
from parity.watch.watching import Watching

if TYPE_CHECKING:
    import torch

SIDE = "torch"
MOST_ROOTS = 10
"""Wrong operations that are told as causes: what comes later is seldom news."""


def watching(
    modules: Sequence[torch.nn.Module],
    optimizer: torch.optim.Optimizer | None,
    steps: int | None,
    every: int,
    sample: float | None,
    accept: Sequence[str],
) -> Watching:
    """What watches. Raises UsageError for numbers that make no sense, EnvironmentUnfit without torch."""
    require_torch()
    return Watching(
        *modules,
        optimizer=optimizer,
        steps=steps,
        every=every,
        sample=sample,
        accept=accept,
        finish=with_page,
    )


def watched(
    context: Context, number: int, modules: Sequence[torch.nn.Module], result: WatchResult
) -> Answer[WatchResult]:
    """A result as facts, and as a failure where it is no match."""
    folder = context.report_folder("watch", number)
    if folder:
        result.report(folder, context.lang)
    lines = finding_lines(result, context.lang)
    compared = Compared(
        "watch",
        ", ".join(type(module).__name__ for module in modules) or context.test,
        result.verdict,
        result.numbers_compared,
        result.undecided,
        tuple(dict.fromkeys(_root(context, one) for one in result.wrong))[:MOST_ROOTS],
        reason="" if result.verdict in ("match", "mismatch") else " ".join(lines),
        reproduce=context.command,
        file=context.relative(context.file),
        report=context.relative(folder),
    )
    failure = None if result.verdict == "match" else failure_text(context, lines, None)
    return Answer(result, compared, failure)


def _root(context: Context, wrong: WrongOperation) -> RootCause:
    where = " ".join(filter(None, (wrong.module, wrong.operation, wrong.check, wrong.operand)))
    return RootCause(where, (), 0, SIDE, "", wrong.source, *_place(context, wrong.source))


def _place(context: Context, source: str) -> tuple[str, int]:
    """File and line of `net.py:12`; of no line, and of a name that several loaded modules have, nothing."""
    name, _, line = source.rpartition(":")
    files = {str(getattr(module, "__file__", None)) for module in list(sys.modules.values())}
    own = [path for path in map(Path, files) if path.name == name and path.is_relative_to(context.root)]
    return (context.relative(own[0]), int(line)) if len(own) == 1 and line.isdecimal() else ("", 0)
