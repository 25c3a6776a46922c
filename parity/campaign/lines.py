"""A few lines of PyTorch alone that show what an alarm of its side found."""

from __future__ import annotations

import contextlib
import io
import math
from collections.abc import Iterator, Mapping

import numpy as np

from parity.campaign.case import Alarm, CampaignCase
from parity.campaign.judging import again
from parity.campaign.layered import LADDER, NAMED, alone, built_of
from parity.config.case import Case
from parity.pytorch.twin import Twin
from reference.arrays import Array
from reference.operations.activations.activation import Activation
from reference.trace import Trace, split

MOST = 64
"""Numbers of a tensor that are written out at most."""

SPECIAL = "from math import inf, nan"


def torch_lines(case: CampaignCase, alarm: Alarm) -> str | None:
    """A script that prints the wrong number and the right one, run once to see that it does.

    None where the alarm is not PyTorch's, no such lines are known (of a layer's own formulas, losses and
    optimizers they are), or the number is another where it is computed alone.
    """
    if alarm.side != "pytorch" or case.kind not in (*NAMED, "networks"):
        return None
    now = again(case, alarm)
    if now is None or now.index is None or now.found is None:
        return None
    for lines in _written(case, now):
        if lines and _shows(lines, now.found):
            return lines
    return None


def _written(case: CampaignCase, alarm: Alarm) -> Iterator[str | None]:
    if case.kind == "activations" and case.regime == LADDER:
        f, z, s = alone(case)
        yield _activation(f, z, s, alarm)
        return
    built = built_of(case)
    quantity, layer = split(alarm.tensor)
    for traces in _steps(built):
        trace = traces[-1]
        if quantity in ("a", "delta") and layer is not None:
            z, s = trace[f"z{layer}"], trace[f"s{layer}"]
            yield _activation(built.architecture.activations[layer - 1], z, s, alarm)
        elif quantity in ("loss", "s"):
            yield _loss(built, trace, alarm)
        elif quantity in ("W_next", "b_next") and built.architecture.clipping is None:
            yield _optimizer(built, traces, alarm)


def _steps(case: Case) -> Iterator[list[Trace]]:
    """PyTorch's traces until each step."""
    twin, traces = Twin(case.architecture, case.parameters, case.lr), []
    with np.errstate(all="ignore"):
        for _, (x, y) in zip(range(case.steps), case.batches(), strict=False):
            trace = twin.step(x, y)
            traces.append(Trace({name: np.array(tensor) for name, tensor in trace.items()}))
            yield traces


def _activation(f: Activation, z: Array, s: Array, alarm: Alarm) -> str | None:
    """Forward or backward of one activation; its index is (unit, sample), PyTorch's (sample, unit)."""
    if f.learned or z.size > MOST:
        return None
    shown = _call(f"torch.nn.{f.source.removeprefix('torch.nn.')}", {**f.options, **f.torch_options})
    forward = split(alarm.tensor)[0] == "a"
    place = list(reversed(alarm.index or ()))
    return _script(
        f"z = {_tensor(z.T, 'requires_grad=True')}",
        f"a = {shown}(z)",
        *([] if forward else [f"a.backward({_tensor(s.T)})"]),
        f"print({'a' if forward else 'z.grad'}{place}.item(), 'instead of', {alarm.expected!r})",
    )


def _loss(case: Case, trace: Trace, alarm: Alarm) -> str | None:
    architecture = case.architecture
    y_hat, y, loss = trace[f"a{len(architecture.layers) - 1}"], trace["y"], architecture.loss
    if (
        loss.per_call
        or y_hat.size > MOST
        or any(isinstance(value, tuple) for value in loss.options.values())
    ):
        return None
    options = {
        name: int(value) if name in loss.integers and isinstance(value, float) else value
        for name, value in loss.options.items()
    }
    reduction = architecture.reduction
    shown = _call(f"torch.nn.{loss.source.removeprefix('torch.nn.')}", {**options, "reduction": reduction})
    data = _tensor(y.T)
    if architecture.class_indices:
        data = f"torch.tensor({y[0].astype(int).tolist()})"
    elif loss.target == "labels":
        data = f"torch.tensor({y.T.astype(int).tolist()})"
    place = list(reversed(alarm.index or ()))
    return _script(
        f"y_hat = {_tensor(y_hat.T, 'requires_grad=True')}",
        f"loss = {shown}(y_hat, {data}){'.sum()' if reduction == 'none' else ''}",
        *([] if alarm.tensor == "loss" else ["loss.backward()"]),
        f"print({'loss' if alarm.tensor == 'loss' else f'y_hat.grad{place}'}.item(), "
        f"'instead of', {alarm.expected!r})",
    )


def _optimizer(case: Case, traces: list[Trace], alarm: Alarm) -> str | None:
    name = alarm.tensor.removesuffix("_next")
    rule, start = case.architecture.optimizer, case.parameters[name]
    if start.size > MOST:
        return None
    flat = name.startswith("b")  # PyTorch's biases have one axis
    gradients = [trace[f"d{name}"] for trace in traces]
    p, *gs = (_tensor(array.ravel() if flat else array) for array in (start, *gradients))
    place = list((alarm.index or ())[:1] if flat else alarm.index or ())
    options = ", ".join(f"{key}={value!r}" for key, value in {"lr": case.lr, **rule.torch_options}.items())
    return _script(
        f"p = torch.nn.Parameter({p})",
        f"optimizer = torch.optim.{rule.source.removeprefix('torch.optim.')}([p], {options})",
        f"for p.grad in [{', '.join(gs)}]:",
        "    optimizer.step()",
        f"print(p{place}.item(), 'instead of', {alarm.expected!r})",
    )


def _call(name: str, options: Mapping[str, object]) -> str:
    return f"{name}({', '.join(f'{key}={value!r}' for key, value in options.items())})"


def _tensor(array: Array, more: str = "") -> str:
    kind = "" if array.dtype == np.float32 else f", dtype=torch.{array.dtype}"
    numbers = np.array([float(str(number)) for number in array.flat]).reshape(array.shape)
    text = str(numbers.tolist())  # the shortest decimals that are these numbers
    return f"torch.tensor({text}{kind}{', ' if more else ''}{more})"


def _script(*lines: str) -> str:
    text = "\n".join(lines)
    special = [SPECIAL] if any(word in text for word in ("nan", "inf")) else []
    return "\n".join([*special, "import torch", text]) + "\n"


def _shows(lines: str, found: float) -> bool:
    """Whether a script, which is ours, prints this number first."""
    said = io.StringIO()
    try:
        with contextlib.redirect_stdout(said):
            exec(compile(lines, "lines", "exec"), {})
        number = float(said.getvalue().split()[0])
    except Exception:
        return False
    return number == found or (math.isnan(number) and math.isnan(found))
