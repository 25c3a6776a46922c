"""`parity.model` in a test: a torch model, mirrored and walked in lockstep with the deck's engine."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import JsonValue

from parity.lockstep.environment import require_torch
from parity.lockstep.result import Result
from parity.lockstep.run import run
from parity.pytest_plugin.answer import Answer
from parity.pytest_plugin.context import Context
from parity.pytest_plugin.runs import judged, watched
from parity.report import write as write_report
from parity.report.recorder import Recorder

if TYPE_CHECKING:
    import torch

    from parity.pytorch.imported.case import Batch, LossLike


def model(
    place: Context,
    number: int,
    asked: torch.nn.Module,
    batch: tuple[Batch, Batch],
    loss: LossLike,
    **training: JsonValue,
) -> Answer[Result]:
    """Raises UsageError for a model without a mirror, EnvironmentUnfit without torch."""
    require_torch()
    from parity.pytorch.imported.case import BatchPeer, training_of

    config = training_of(loss, **training)
    peer = BatchPeer(type(asked).__name__, asked, *batch)
    recorders: list[Recorder] = []
    folder = place.report_folder("model", number)
    result = run(config, watched(recorders, folder), peer=peer)
    if folder:
        write_report(result, recorders[0].recording(), folder, place.lang)
    return judged(place, "model", peer.name, result, folder)
