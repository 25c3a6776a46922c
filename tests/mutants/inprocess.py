"""A subject run in this process: what the matrix needs a thousand times, without a thousand starts."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence

import numpy as np

from parity.certify.observation import Observation
from parity.check.answers import observations as observe
from parity.check.cases import SubjectCall
from parity.check.implementations import Answers


def observations(
    step: Callable, calls: Sequence[SubjectCall], layout: str = "columns", keys: Sequence[str] | None = None
) -> list[Observation]:
    """What the subject shows; a call in which it raises ValueError shows nothing."""
    answers = Answers(layout=layout)
    for number, call in enumerate(calls):
        given, depth = call.given, call.architecture.depth
        W = [given[f"W{l}"].copy() for l in range(1, depth + 1)]
        b = [given[f"b{l}"].copy() for l in range(1, depth + 1)]
        x, y = given["x"].copy(), given["y"].copy()
        if layout == "rows":
            W, b, x, y = [w.T.copy() for w in W], [v[:, 0].copy() for v in b], x.T.copy(), y.T.copy()
        names = [f.name for f in call.architecture.activations]
        try:
            with np.errstate(all="ignore"), warnings.catch_warnings():
                warnings.simplefilter("ignore")
                shown = step(W, b, x, y, call.lr, names)
        except ValueError:  # the shapes forbid it
            continue
        answers.tensors[number] = tensors = {}
        for key, value in shown.items():
            if keys is not None and key not in keys:
                continue
            if key == "loss":
                tensors["loss"] = np.asarray(value)
                continue
            for l, tensor in enumerate(value, start=1):
                tensors[f"{key}{l}_next" if key in "Wb" else f"{key}{l}"] = tensor
    return observe(calls, answers)
