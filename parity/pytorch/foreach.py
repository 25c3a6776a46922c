"""One call on lists of tensors as calls on tensors: PyTorch's `_foreach_*`, of optimizers and clipping."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

from parity.pytorch.aten import entry
from parity.pytorch.recorder.data import Argument, Call

NUMBER, TENSOR = ("Scalar", "Tensor_Scalar", "default"), ("Tensor", "Tensor_Tensor", "default")
OVERLOADS = {"Scalar": NUMBER, "ScalarList": NUMBER, "List": TENSOR, "Tensor": TENSOR}
"""What an overload on lists may be called on tensors; of an operation of one operand, "default"."""

NORM = "aten._foreach_norm.Scalar"


def each(call: Call) -> Iterator[Call]:
    """The calls on single tensors that a call on lists stands for; any other call is itself."""
    space, name, overload = (*call.operation.split("."), "", "")[:3]
    if not name.startswith("_foreach_"):
        yield call
        return
    lists = call.arguments["self"]
    made = call.written.get("self", call.results)
    assert isinstance(lists, tuple)
    assert isinstance(made, tuple)
    plain = f"{space}.{name.removeprefix('_foreach_')}"
    names = [f"{plain}.{single}" for single in OVERLOADS.get(overload, (overload,))]
    operation = next((single for single in names if entry(single) is not None), names[0])
    for place in range(len(lists)):
        arguments = {key: _one(value, place) for key, value in call.arguments.items()}
        if call.operation == NORM:
            operation, arguments = _norm(arguments)
        yield replace(call, operation=operation, arguments=arguments, results=(made[place],), written={})


def _one(value: Argument, place: int) -> Argument:
    return value[place] if isinstance(value, tuple) else value


def _norm(arguments: Mapping[str, Argument]) -> tuple[str, dict[str, Argument]]:
    """‖·‖ of the whole tensor."""
    whole = {"self": arguments["self"], "ord": arguments["ord"], "dim": None, "keepdim": False}
    return "aten.linalg_vector_norm.default", {**whole, "dtype": arguments["dtype"]}
