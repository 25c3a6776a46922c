"""`parity.run` and `parity.model` in a test: the lockstep, its findings as one failure, its page."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import JsonValue

from parity.config.config import Config, read
from parity.lockstep.environment import require_torch
from parity.lockstep.result import Result
from parity.lockstep.run import Peer
from parity.lockstep.text import divergence_lines
from parity.pytest_plugin.answer import Answer, failure_text
from parity.pytest_plugin.context import Context
from parity.render.numbers import written
from parity.render.texts import catalogue
from parity.render.texts.message import said
from parity.report.ci.compared import compared
from parity.report.run import Keep
from parity.report.run import run as run_case

if TYPE_CHECKING:
    import torch

    from parity.pytorch.imported.case import Batch, LossLike


def run(
    context: Context, number: int, asked: Config | Mapping[str, object] | str | Path | None
) -> Answer[Result]:
    """Walk a config's case. Raises UsageError for a bad one, EnvironmentUnfit without torch."""
    path = Path(asked) if isinstance(asked, str | Path) else None
    tables = asked if isinstance(asked, Mapping) else None
    config = asked if isinstance(asked, Config) else read(path or tables, {})
    command = shlex.join(["parity", "run", "--config", context.relative(path)]) if path else None
    folder = context.report_folder("run", number)
    result = _reported(context, folder, config, command)
    return judged(context, "run", str(path or "config"), result, folder)


def model(
    context: Context,
    number: int,
    asked: torch.nn.Module,
    batch: tuple[Batch, Batch],
    loss: LossLike,
    **training: JsonValue,
) -> Answer[Result]:
    """Walk a torch model and its mirror.

    Raises UsageError for a model without a mirror, EnvironmentUnfit without torch.
    """
    require_torch()
    from parity.pytorch.imported.case import BatchPeer, training_of

    config = training_of(loss, **training)
    peer = BatchPeer(type(asked).__name__, asked, *batch)
    folder = context.report_folder("model", number)
    result = _reported(context, folder, config, None, peer)
    return judged(context, "model", peer.name, result, folder)


def _reported(
    context: Context, folder: Path | None, config: Config, command: str | None, peer: Peer | None = None
) -> Result:
    """The run's result, its page written where a folder was asked for."""
    result = run_case(config, Keep(pages=folder is not None), reproduce=command, peer=peer)
    if folder:
        result.report(folder, context.lang)
    return result


def judged(
    context: Context, kind: str, subject: str, result: Result, folder: Path | None
) -> Answer[Result]:
    """A walk's result as facts, and as a failure where it is no match."""
    facts = replace(
        compared(kind, subject, result, context.relative(context.file), lang=context.lang),
        reproduce=result.reproduce or context.command,
        report=context.relative(folder),
    )
    if result.verdict == "match":
        return Answer(result, facts)
    return Answer(result, facts, failure_text(context, walk_lines(result, context.lang), result.reproduce))


def walk_lines(result: Result, lang: str) -> list[str]:
    """What a person needs to know of a walk that is no match."""
    say = catalogue(lang)
    lines = list(divergence_lines(result.first_divergence, result.wrong_formulas, None, say))
    lines += [said(result.reason, lang)] if result.reason else []
    lines.append(say[f"run.verdict_{result.verdict}"].format(steps=written(f"{result.steps:,}", say)))
    return lines
