"""A candidate held to its definition, on inputs of several kinds."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

import numpy as np
import torch

from parity.bounds.contract import contract
from parity.bounds.formats import FORMATS, arithmetic
from parity.errors import UsageError
from parity.kernel.asked import (
    Function,
    RefusedError,
    as_function,
    gradients_of,
    outputs_of,
    owner,
    paired,
    parameters,
    unchanged,
)
from parity.kernel.compare import Held, compared, misshapen
from parity.kernel.recording import RecordedDefinition, record
from parity.kernel.result import KernelDivergence, KernelResult, KernelRow, KernelVerdict, LeftOut
from parity.kernel.trials import Trial, is_float, trials, whole_numbers
from parity.kernel.truths import Truths
from parity.lockstep.environment import environment
from parity.pytorch.devices import DEVICES, arithmetic_of
from parity.render.texts.message import Message

SEED = 0
"""Of the upstream gradients."""


def hold(
    candidate: Function, definition: Function, *inputs: object, dtype: str | None = None
) -> KernelResult:
    """Hold a candidate to its definition.

    Floats among the inputs are rounded to `dtype` first, where one is given. Raises UsageError for
    inputs that are none, and for a definition that raises or is no graph of operations of the table.
    """
    candidate, definition = as_function(candidate, "candidate"), as_function(definition, "definition")
    given = _prepared(inputs, dtype, definition)
    holding = _Holding(candidate, definition, _names(definition, given))
    rows: list[KernelRow] = []
    wrong: list[KernelDivergence] = []
    left: list[LeftOut] = []
    with unchanged(candidate, definition):
        for trial in trials(given):
            try:
                found = list(holding.held(trial))
            except _NotTriedError as error:
                left.append(LeftOut(inputs=trial.kind, reason=error.reason))
                continue
            rows += [_row(trial, one) for one in found]
            wrong += [_divergence(trial, one) for one in found if one.wrong]
    devices = {value.device.type for value in given if isinstance(value, torch.Tensor)}
    kind = next((_dtype(value) for value in given if isinstance(value, torch.Tensor)), "")
    return KernelResult(
        verdict=_verdict(rows),
        candidate=_called(candidate),
        definition=_called(definition),
        operations=holding.operations,
        numbers_compared=sum(row.numbers for row in rows),
        undecided=sum(row.undecided for row in rows),
        rows=rows,
        not_tried=left,
        first_divergence=wrong[0] if wrong else None,
        wrong=wrong,
        seed=SEED,
        contract={**contract(arithmetic(kind if kind in FORMATS else "float32")), **arithmetic_of(devices)},
        environment=environment(with_torch=True),
    )


class _NotTriedError(Exception):
    def __init__(self, reason: Message) -> None:
        super().__init__(str(reason))
        self.reason = reason


class _Holding:
    """Both functions, and the parameters of each."""

    def __init__(self, candidate: Function, definition: Function, names: Sequence[str]) -> None:
        self.candidate, self.definition, self.names = candidate, definition, names
        self.ours, self.theirs = parameters(definition), paired(candidate, definition)
        self.operations = 0

    def held(self, trial: Trial) -> list[Held]:
        """Every output and every gradient, in this order. Raises _NotTriedError."""
        with self._parameters(trial):
            recording, truths = self._recorded(trial)
            if trial.kind == "given":
                self.operations = len(recording.definition.placed)
            inputs, learned = self._fresh(trial, self.theirs)
            upstream = [None if seed is None else trial.own(seed) for seed in recording.upstream]
            try:
                outputs = outputs_of(self.candidate, inputs)
                broken = misshapen(outputs, recording.reply.outputs)
                if broken is not None:
                    return [broken]
                return [*compared(gradients_of(outputs, upstream, learned), recording, truths)]
            except RefusedError as error:
                return [Held("output", "0", complaint=Message("own_words", failure=error))]
            except TypeError as error:  # an operation of a format that no rule knows
                raise UsageError(Message("definition_bounds", reason=error)) from None

    def _recorded(self, trial: Trial) -> tuple[RecordedDefinition, Truths]:
        inputs, learned = self._fresh(trial, self.ours)
        pairs = zip(self.names, inputs, strict=True)
        tensors = {name: value for name, value in pairs if isinstance(value, torch.Tensor)}
        random = np.random.default_rng(SEED)

        def drawn(output: torch.Tensor) -> torch.Tensor:
            if trial.kind == "whole":
                return whole_numbers(output, random)
            normal = np.asarray(random.standard_normal(tuple(output.shape)))
            return trial.own(torch.from_numpy(normal).to(output.device, output.dtype))

        try:
            recording = record(self.definition, inputs, learned, {**tensors, **self.ours}, drawn)
        except (RefusedError, UsageError) as error:
            said = Message.about(error)
            if trial.kind == "given":
                raise UsageError(Message("definition_said", reason=said)) from None
            raise _NotTriedError(Message("kernel_undefined", failure=said)) from None
        truths = Truths(recording.definition, exactly=trial.kind == "whole")
        if truths.rounds:
            raise _NotTriedError(Message("kernel_rounds"))
        return recording, truths

    def _fresh(
        self, trial: Trial, parameters: Mapping[str, torch.Tensor]
    ) -> tuple[tuple[object, ...], dict[str, torch.Tensor]]:
        """Inputs of one's own, and by name what gradients are asked for of."""
        inputs: list[object] = []
        learned: dict[str, torch.Tensor] = {}
        for name, value in zip(self.names, trial.inputs, strict=True):
            own = value
            if isinstance(value, torch.Tensor):
                own = trial.own(value)
            if is_float(own):
                learned[name] = own.requires_grad_()
            inputs.append(own)
        return tuple(inputs), {**learned, **parameters}

    @contextmanager
    def _parameters(self, trial: Trial) -> Iterator[None]:
        """Whole numbers in the parameters too, while whole numbers are tried."""
        pairs = [(one, self.theirs[name]) for name, one in self.ours.items() if trial.kind == "whole"]
        before = [one.detach().clone() for one, _ in pairs]
        random = np.random.default_rng(1)
        try:
            with torch.no_grad():
                for one, other in pairs:
                    other.copy_(one.copy_(whole_numbers(one, random)))
            yield
        finally:
            with torch.no_grad():
                for (one, other), values in zip(pairs, before, strict=True):
                    other.copy_(one.copy_(values))


# --- What was asked ---------------------------------------------------------------------------------------


def _prepared(inputs: tuple[object, ...], dtype: str | None, definition: Function) -> tuple[object, ...]:
    """The inputs in the format that was asked for. Raises UsageError."""
    tensors = [value for value in inputs if isinstance(value, torch.Tensor)]
    if not tensors:
        raise UsageError(Message("kernel_no_tensor"))
    for value in tensors:
        if value.device.type not in DEVICES or value.layout != torch.strided:
            raise UsageError(Message("kernel_layout", layout=value.layout, device=value.device))
        if value.numel() == 0:
            raise UsageError(Message("kernel_empty", shape=tuple(value.shape)))
    if dtype is None:
        return inputs
    if dtype not in FORMATS:
        raise UsageError(Message("kernel_dtype", dtype=dtype, known=", ".join(FORMATS)))
    apart = [name for name, one in parameters(definition).items() if _dtype(one) != dtype]
    if apart:
        raise UsageError(Message("kernel_parameter_dtype", dtype=dtype, name=apart[0]))
    wanted = getattr(torch, dtype)
    return tuple(one.to(wanted) if is_float(one) else one for one in inputs)


def _names(definition: Function, inputs: Sequence[object]) -> list[str]:
    """The inputs' names in the definition's signature; without one, their numbers."""
    module = owner(definition)
    try:
        signature = inspect.signature(definition.forward if module is definition else definition)
        named = list(signature.bind(*inputs).arguments)
    except (TypeError, ValueError, AttributeError):
        named = []
    return named if len(named) == len(inputs) else [f"input {place}" for place in range(len(inputs))]


def _called(function: Function) -> str:
    module = owner(function)
    made_by = getattr(function, "__self__", None)
    if isinstance(made_by, type):  # the `apply` of an autograd.Function
        return made_by.__name__
    inside = getattr(module, "_orig_mod", module) if module is not None else function
    return getattr(inside, "__name__", type(inside).__name__)


def _dtype(tensor: torch.Tensor) -> str:
    return str(tensor.dtype).removeprefix("torch.")


# --- What came of it --------------------------------------------------------------------------------------


def _row(trial: Trial, held: Held) -> KernelRow:
    found = held.measured
    untold = found is None or found.undecided == found.numbers or found.vacuous
    return KernelRow(
        inputs=trial.kind,
        part=held.part,
        name=held.name,
        numbers=found.numbers if found else 0,
        verdict="mismatch" if held.wrong else "undecided" if untold else "match",
        worst_ratio=found.worst.ratio if found and found.worst else float("inf") if held.wrong else 0.0,
        resolution=found.resolution if found else float("inf"),
        undecided=found.undecided if found else 0,
        vacuous=found.vacuous if found else False,
        complaint=held.complaint,
    )


def _divergence(trial: Trial, held: Held) -> KernelDivergence:
    found, place = held.measured, {"inputs": trial.kind, "part": held.part, "name": held.name}
    if found is None or found.worst is None:
        return KernelDivergence(**place, complaint=held.complaint)
    return KernelDivergence(
        **place,
        **found.worst.facts(),
        resolution=found.resolution,
        complaint=held.complaint,
    )


def _verdict(rows: Sequence[KernelRow]) -> KernelVerdict:
    """A match: no number is wrong, and on the given inputs each output and gradient could have been."""
    if any(row.verdict == "mismatch" for row in rows):
        return "mismatch"
    return "match" if all(row.verdict == "match" for row in rows if row.inputs == "given") else "undecided"
