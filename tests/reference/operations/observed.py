"""PyTorch's side of the table of operations: every record, run on its own samples.

A `Run` is one sample of one record in one format and one regime of values: what PyTorch computed, and
what came back through its autograd.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch

from reference.operation import Operation, Sample

REGIMES: dict[str, Callable[[np.ndarray, np.random.Generator], np.ndarray]] = {
    "normal": lambda x, rng: x,
    "offset": lambda x, rng: 100 + x,
    "tiny": lambda x, rng: 1e-20 * x,
    "huge": lambda x, rng: 1e15 * x,
    "wide": lambda x, rng: x * np.exp(4 * rng.standard_normal(x.shape)),
}
"""Values of the operands that are differentiated, from a sample's; the others are data and stay."""

DTYPES = (np.float32, np.float64)

Tensors = dict[str, Any]
"""An array by name; a tuple of arrays under "*parts", a Python number where one is an operand."""


@dataclass
class Run:
    """What PyTorch made of one sample: by-products and gradients by our names of them."""

    operation: Operation
    overload: str
    sample: Sample
    dtype: type
    regime: str
    operands: Tensors
    outputs: Tensors = field(default_factory=dict)
    upstream: Tensors = field(default_factory=dict)
    gradients: Tensors = field(default_factory=dict)

    @property
    def options(self) -> Mapping[str, Any]:
        return self.operation.settled(self.sample.options)

    @property
    def title(self) -> str:
        return f"{self.overload} {np.dtype(self.dtype).name} {self.regime} {dict(self.sample.options)}"


# Names and signatures


def signature(record: str) -> tuple[list[str], list[str]]:
    """Our names of an ATen operation's arguments, and of its results."""
    arguments, _, results = record.partition("->")
    return arguments.split(), results.split()


def overload_of(name: str) -> Any:
    _, packet, overload = name.split(".")
    return getattr(getattr(torch.ops.aten, packet), overload)


def plain(operand: str) -> str:
    return operand.rstrip("?")


def overloads(operation: Operation, sample: Sample) -> Iterator[str]:
    """The ATen operations that can be called with a sample's operands and options."""
    for name, record in operation.aten.items():
        ours, _ = signature(record)
        wanted = {*sample.options, *(k for k, v in sample.operands.items() if v is not None)}
        if not wanted <= set(ours):
            continue
        arguments = dict(zip(ours, overload_of(name)._schema.arguments, strict=False))
        given = {k: v for k, v in sample.operands.items() if v is not None}
        if all(_accepts(str(arguments[k].type), v) for k, v in given.items()) and all(
            _accepts(str(arguments[k].type), v) for k, v in sample.options.items() if k in arguments
        ):
            left = ((k, a) for k, a in arguments.items() if k not in wanted and k != "-")
            if all(
                _accepts(str(a.type), operation.options[k]) if k in operation.options else _optional(a)
                for k, a in left
            ):
                yield name


def _optional(argument: Any) -> bool:
    return argument.has_default_value() or "Optional" in str(argument.type)


def _accepts(kind: str, value: Any) -> bool:
    if value is None:
        return "Optional" in kind
    if isinstance(value, np.ndarray):
        return "Tensor" in kind and "List" not in kind
    if isinstance(value, tuple) and any(isinstance(v, np.ndarray) for v in value):
        return "List" in kind and "Tensor" in kind
    if value == ():
        return "List" in kind
    if isinstance(value, tuple):
        return "List" in kind and "Tensor" not in kind
    return "List" not in kind and "Tensor" not in kind


# PyTorch


def runs(operation: Operation, dtype: type, regime: str) -> Iterator[Run]:
    """Every sample of a record, on every ATen operation that it fits, as PyTorch runs it."""
    assert operation.samples is not None
    for place, sample in enumerate(operation.samples()):
        for overload in overloads(operation, sample):
            rng = np.random.default_rng((place, len(operation.name)))
            values = {
                name: _formed(value, dtype, regime if _differentiated(operation, name) else "normal", rng)
                for name, value in sample.operands.items()
            }
            for name in operation.operands:
                values.setdefault(plain(name), None)
            run = Run(operation, overload, sample, dtype, regime, values)
            try:
                observe(run, rng)
            except (RuntimeError, IndexError):
                if regime == "normal":  # values may leave the domain in the others
                    raise
                continue
            yield run


def _differentiated(operation: Operation, operand: str) -> bool:
    return operand in operation.vjps


def _formed(value: Any, dtype: type, regime: str, rng: np.random.Generator) -> Any:
    if isinstance(value, tuple):
        return tuple(_formed(part, dtype, regime, rng) for part in value)
    if isinstance(value, np.ndarray) and value.dtype.kind == "f":
        with np.errstate(over="ignore"):
            return np.asarray(REGIMES[regime](value, rng)).astype(dtype)
    return value


def observe(run: Run, rng: np.random.Generator) -> None:
    """Call the ATen operation on tensors that require gradients, and autograd from random ones."""
    operation, (ours, results) = run.operation, signature(run.operation.aten[run.overload])
    tensors = {name: _tensor(v, _differentiated(operation, name)) for name, v in run.operands.items()}
    call = overload_of(run.overload)
    positional, keywords, written = [], {}, dict(tensors)
    for name, argument in zip(ours, call._schema.arguments, strict=False):
        if name in tensors:
            value = tensors[name]
        elif name in run.options:
            value = _option(run.options[name], str(argument.type))
        else:
            assert name == "-" or argument.has_default_value(), (run.title, name)
            size = [2, 3, 2][: argument.N or 2]
            needed = {"bool": False, "int": 1}.get(str(argument.type), size)  # a switch, a number, a size
            value = argument.default_value if _optional(argument) else needed
        if argument.alias_info and argument.alias_info.is_write and isinstance(value, torch.Tensor):
            value = written[name] = value.clone()  # in place
        if argument.kwarg_only:
            keywords[argument.name] = value
        else:
            positional.append(value)
    returned = call(*positional, **keywords)
    made = dict(zip(results, returned if len(call._schema.returns) > 1 else (returned,), strict=False))
    run.outputs = {name: _array(value) for name, value in made.items() if name != "-"}
    for name in operation.forward:  # what it updates in place, though its schema may not say so
        if name.endswith("_next") and written[name.removesuffix("_next")] is not None:
            run.outputs[name] = _array(written[name.removesuffix("_next")])
    _backward(run, tensors, made, rng)


def _backward(run: Run, tensors: Tensors, made: Tensors, rng: np.random.Generator) -> None:
    roots, upstream = [], []
    taken = {name for formula in run.operation.vjps.values() for name in formula.takes}
    scale = run.regime if run.regime in ("tiny", "huge", "wide") else "normal"

    def random(y: torch.Tensor) -> np.ndarray:
        g = REGIMES[scale](rng.standard_normal(y.shape), rng)
        return np.asarray(g).astype(_array(y).dtype)

    for name, output in made.items():
        value = name == run.operation.value
        if not value and f"g_{name}" not in taken:
            continue
        parts = output if isinstance(output, list | tuple) else (output,)
        if not any(part.requires_grad for part in parts):
            continue
        gs = tuple(random(part) for part in parts)
        key = ("*g" if name.startswith("*") else "g") if value else f"g_{name}"
        run.upstream[key] = gs if isinstance(output, list | tuple) else gs[0]
        roots += list(parts)
        upstream += [torch.from_numpy(np.array(g)) for g in gs]
    if not roots:
        return
    asked, places = [], []
    for name, tensor in tensors.items():
        for at, part in enumerate(tensor if isinstance(tensor, list) else [tensor]):
            if isinstance(part, torch.Tensor) and part.requires_grad:
                asked.append(part)
                places.append((name, at))
    found = torch.autograd.grad(roots, asked, upstream, allow_unused=True)
    for (name, at), leaf, gradient in zip(places, asked, found, strict=True):
        run.gradients[name, at] = (
            np.zeros(leaf.shape, _array(leaf).dtype) if gradient is None else _array(gradient)
        )


def _tensor(value: Any, learned: bool) -> Any:
    if isinstance(value, tuple):
        return [_tensor(part, learned) for part in value]
    if not isinstance(value, np.ndarray):
        return value
    tensor = torch.from_numpy(np.array(value))
    return tensor.requires_grad_(learned and tensor.is_floating_point())


def _option(value: Any, kind: str) -> Any:
    if isinstance(value, str) and "str" not in kind:
        return getattr(torch, value)
    return list(value) if isinstance(value, tuple) else value


def _array(tensor: Any) -> Any:
    if isinstance(tensor, list | tuple):
        return tuple(_array(part) for part in tensor)
    return tensor.numpy(force=True) if isinstance(tensor, torch.Tensor) else tensor
