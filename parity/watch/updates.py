"""The fifth check: an optimizer's step is its rules, on the parameter, gradient and state that it had."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np

from parity.bounds.remembered import Remembered
from parity.certify.measure import Measured
from parity.pytorch.recorder.data import Argument, ParameterUpdate, Recorded, Update
from parity.render.texts.message import Message
from parity.watch.check import Check, Draw, Left, guarded
from parity.watch.judging import held
from reference.optimizers import GROUPS, OPTIMIZERS, Optimizer, OptimizerFamily, Rule

HOW = {"foreach", "fused", "capturable", "differentiable", "lr", "swap_params"}
"""Hyperparameters that say how a step is run, or that the rules read apart."""

SCHEDULED = {"initial_lr", "max_lr", "min_lr", "max_momentum", "base_momentum"}
"""What schedulers keep beside an optimizer's hyperparameters for themselves."""


def updated(update: Update, drawn: Draw) -> Iterator[Check | Left]:
    """Each parameter and each state after an optimizer's step, of which `drawn` says that it is checked."""
    operation = f"optim.{update.optimizer}"
    yield from guarded(_updated(update, operation, drawn), operation, "", "")


def _updated(update: Update, operation: str, drawn: Draw) -> Iterator[Check | Left]:
    family = next((f for f in OPTIMIZERS.values() if f.source == f"torch.{operation}"), None)
    if family is None:
        yield Left(operation, "unsupported", "", "")
        return
    for row in update.parameters:
        if row.gradient is None or row.after is None:
            continue
        if row.gradient.layout != "strided":
            kind = row.gradient.layout
            yield Left(
                Message("op_gradient", operation=operation, layout=kind),
                "unsupported",
                row.name.rpartition(".")[0],
                "",
            )
            continue
        module, _, name = row.name.rpartition(".")
        try:
            optimizer = _configured(family, row).of(matrix=len(row.before.shape) == 2)
        except ValueError:
            yield Left(operation, "unsupported", module, "")
            continue
        tensors = _tensors(optimizer, row)
        for rule in optimizer.rules:
            shown = name if rule.makes == "p" else f"{name}: {rule.formula}"
            observed = tensors[f"{rule.makes}_next"]
            if not isinstance(observed, Recorded) or any(tensors[one] is None for one in rule.inputs):
                yield Left(f"{operation}: {rule.formula}", "unsupported", module, "")
            elif drawn(observed):
                found = _held(optimizer, rule, row, tensors, observed)
                yield Check("update", operation, shown, module, "", found, rule, f"torch.{operation}")


def _configured(family: OptimizerFamily, row: ParameterUpdate) -> Optimizer:
    """The reference's optimizer with PyTorch's hyperparameters. Raises ValueError for one that it lacks."""
    options: dict[str, float | bool | str | None] = {}
    for name, value in row.hyperparameters.items():
        if name in HOW | SCHEDULED:
            continue
        parts: tuple[str, ...] = (name,)
        values: tuple[Argument, ...] = (value,)
        if isinstance(value, tuple) and name in GROUPS:
            parts, values = GROUPS[name], value
        for part, one in zip(parts, values, strict=True):
            if part in family.options:
                options[part] = _plain(one)
            elif one not in (None, False):
                raise ValueError(f"{family.name} takes no {part}")
    written = ((name, repr(value)) for name, value in options.items())
    return _CONFIGURED.get((family.name, *written), (), lambda: family.configured(**options))


_CONFIGURED: Remembered[Optimizer] = Remembered()


def _plain(value: Argument) -> float | bool | str | None:
    if isinstance(value, Recorded):
        return float(value.array.item())
    if isinstance(value, tuple | complex):
        raise ValueError("no number")
    return value if isinstance(value, bool | str) or value is None else float(value)


def _lr(row: ParameterUpdate) -> float:
    return float(_plain(row.hyperparameters["lr"]) or 0)


def _tensors(optimizer: Optimizer, row: ParameterUpdate) -> dict[str, Argument]:
    """What a step took and made, by the rules' names; None where PyTorch does not keep it."""
    lr = _lr(row)
    tensors: dict[str, Argument] = {"p": row.before, "g": row.gradient, "p_next": row.after}
    for state, entry in optimizer.states.items():
        before = row.state_before.get(entry.key)
        if not isinstance(before, Recorded):
            started = np.asarray(entry.start(row.before.array, lr), row.before.array.dtype)  # type: ignore[arg-type]
            before = Recorded.of(started, row.before.dtype)
        tensors[state] = before
        tensors[f"{state}_next"] = row.state_after.get(entry.key)
    return tensors


def _held(
    optimizer: Optimizer,
    rule: Rule,
    row: ParameterUpdate,
    tensors: Mapping[str, Argument],
    observed: Recorded,
) -> Measured:
    """One rule on one parameter."""
    lr = _lr(row)
    t = _steps(optimizer, row)
    constants = {"lr": lr, "t": t, **optimizer.numbers, **optimizer.derive(lr, t)}
    forms = (rule.function, *rule.other_functions)
    taken = [tensors[name] for name in rule.inputs]
    return held(forms, taken, observed, constants=constants, inside=True)


def _steps(optimizer: Optimizer, row: ParameterUpdate) -> int:
    """t, counted from 1: PyTorch's own count, or whether there was a state before."""
    counted = row.state_after.get("step")
    if isinstance(counted, Recorded):
        return int(counted.array.item())
    if isinstance(counted, int | float):
        return int(counted)
    kept: Mapping[str, Argument] = row.state_before
    return 2 if any(isinstance(kept.get(entry.key), Recorded) for entry in optimizer.states.values()) else 1
