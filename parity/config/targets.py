"""Requirements of a loss on y and on the network's outputs."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from parity.errors import UsageError
from parity.render.texts.message import Message
from reference.architecture import Architecture
from reference.operations.activations import ACTIVATIONS
from reference.operations.losses import Loss

Floats = npt.NDArray[np.float64]


def target(loss: Loss, outputs: int, y: Floats) -> Floats:
    """y in the form that a loss takes; a one-hot y becomes one column of class indices if needed.

    Raises UsageError for invalid indices, and for numbers outside the domain of the loss.
    """
    if loss.target == "class" and y.shape[1] == outputs > 1:
        if not (np.isin(y, (0, 1)).all() and (y.sum(axis=1) == 1).all()):
            raise UsageError(Message("loss_one_hot", loss=loss.name))
        y = y.argmax(axis=1)[:, np.newaxis].astype(np.float64)
    if loss.target == "labels" or is_indices(loss, outputs, y.shape[1]):
        lowest = -1 if loss.target == "labels" else 0
        ignored = y == loss.options.get("ignore_index", -1.0)
        fits = (y == np.floor(y)) & (y >= lowest) & (y < outputs)
        if not (fits | ignored).all():
            sample = int(np.argwhere(~(fits | ignored))[0][0])
            raise UsageError(Message("loss_classes", sample=sample, loss=loss.name, outputs=outputs))
    elif loss.probabilities and not ((y >= 0) & (y <= 1)).all():
        raise UsageError(Message("loss_probabilities", loss=loss.name))
    return y


def is_indices(loss: Loss, outputs: int, width: int) -> bool:
    """Whether y holds class indices; for a loss that takes both forms, y's shape decides, as in PyTorch."""
    return loss.target == "class" or (loss.target == "either" and width == 1 < outputs)


def fitting(architecture: Architecture) -> Architecture:
    """Raise UsageError for a network that PyTorch would reject in the middle of a run."""
    loss, last = architecture.loss, architecture.activations[-1]
    if loss.probabilities and not last.unit:
        fitting_names = sorted(f.name for f in ACTIVATIONS.values() if f.unit)
        raise UsageError(
            Message("loss_outputs", loss=loss.name, fitting=", ".join(fitting_names), last=last.name)
        )
    for option, value in loss.options.items():
        if isinstance(value, tuple) and len(value) != architecture.layers[-1]:
            raise UsageError(
                Message("loss_per_output", option=option, given=len(value), outputs=architecture.layers[-1])
            )
    return architecture
