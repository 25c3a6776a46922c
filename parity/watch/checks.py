"""Forward, vjp, sum, grad: what a recorded step says of each of its operations, on its own numbers."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np

from parity.certify.measure import Measured
from parity.pytorch.aten import Bound, UnsupportedError, bind, edge_places
from parity.pytorch.foreach import each
from parity.pytorch.recorder.data import Argument, AutogradNode, Backward, Call, Output, Recorded
from parity.watch import views
from parity.watch.judging import judge, same, summed
from reference.formula import Formula
from reference.optimizers import Rule

Kind: TypeAlias = Literal["forward", "vjp", "sum", "grad", "update"]
Reason: TypeAlias = Literal["opaque", "unsupported", "altered"]

Draw: TypeAlias = Callable[[Recorded], bool]

REFUSALS = (UnsupportedError, ValueError, KeyError, TypeError, IndexError)
"""What binding a call, or a formula of its operands, raises for what it cannot treat."""

PASSES = ("BackwardHookFunctionBackward",)
"""Nodes that only hand on what they are given: PyTorch's own, for hooks of modules."""


@dataclass(frozen=True)
class Check:
    """One tensor that was held to its formula, and where in the program it is."""

    kind: Kind
    operation: str
    operand: str
    module: str
    source: str
    measured: Measured
    formula: Formula | Rule | None = None
    torch: str = ""


@dataclass(frozen=True)
class Left:
    """What is not certified, and why."""

    operation: str
    kind: Reason
    module: str
    source: str


Found: TypeAlias = Sequence[Check | Left]
"""What was found of one operation, or of one step back through one."""


def short(operation: str) -> str:
    """`addmm` of "aten.addmm.default"."""
    return operation.split(".")[1] if operation.count(".") > 1 else operation


def forward(call: Call, drawn: Draw) -> Iterator[Check | Left]:
    """Each tensor that a call made is its formula of the tensors that it took.

    Of each tensor `drawn` is asked whether it is to be checked.
    """
    if call.compiled:
        yield Left(call.operation, "opaque", call.module, call.source)
        return
    try:
        for one in each(call):
            yield from _outputs(one, drawn)
    except REFUSALS:
        yield Left(call.operation, "unsupported", call.module, call.source)


def _outputs(call: Call, drawn: Draw) -> Iterator[Check]:
    known = bind(call)
    operands = {**known.operands, **known.results}
    for output, formula in known.operation.forward.items():
        made = known.results.get(output)
        check = known.operation.choices.get(output)
        if made is None or (output in known.operation.given and check is None):
            continue
        several = isinstance(made, tuple)
        shown = "" if len(known.operation.forward) == 1 else output
        for at, result in enumerate(made if isinstance(made, tuple) else (made,)):
            part = _recorded(result)
            if part is not None and drawn(part):
                options = {**known.options, "at": at} if several else known.options
                measured = judge(formula, operands, options, part, check)
                where = short(call.operation), shown, call.module, call.source
                yield Check("forward", *where, measured, formula, call.operation)


def _recorded(made: Argument) -> Recorded | None:
    """A tensor, or the number that a program read out of one."""
    if isinstance(made, bool | int | float):
        number = np.asarray(made)
        return Recorded.of(number, str(number.dtype))
    return made if isinstance(made, Recorded) else None


def backward(passed: Backward, number: int, drawn: Draw) -> Iterator[Check | Left]:
    """A node of autograd that has run.

    What arrived is the sum of what was sent; what it sends on is the vector-Jacobian product of that.
    """
    node = passed.nodes[number]
    call = node.call
    operation = short(call.operation) if call else node.name
    module, source = (call.module, call.source) if call else ("", "")
    if node.parameter is not None:
        yield from _accumulated(passed, number)
        return
    for slot, arrived in enumerate(passed.grad_out[number]):
        shares = passed.shares(Output(number, slot))
        if arrived is not None and shares and drawn(arrived):
            measured = summed(shares, arrived)
            if measured.wrong and node.hooks:
                yield Left(f"{operation}: {', '.join(node.hooks)}", "altered", module, source)
            else:
                yield Check("sum", operation, "", module, source, measured, torch=node.name)
    if node.custom is not None:
        yield Left(node.custom.name, "opaque", node.custom.module, node.custom.source)
    elif node.compiled or (call is not None and call.compiled):
        yield Left(operation, "opaque", module, source)
    elif node.name in PASSES:
        for arrived, sent in zip(passed.grad_out[number], passed.grad_in[number], strict=False):
            if arrived is not None and sent is not None:
                yield Check("vjp", node.name, "", module, source, same(sent, arrived.array))
    elif call is None:
        yield from _view(passed, node)
    else:
        yield from _products(passed, node, call, drawn)


def _accumulated(passed: Backward, number: int) -> Iterator[Check]:
    """`.grad` after a backward pass is `.grad` before, and what arrived."""
    leaf = passed.leaves.get(number)
    if leaf is None or leaf.after is None:
        return
    parts = [*passed.shares(Output(number, 0)), *([leaf.before] if leaf.before is not None else [])]
    if parts:
        module, _, name = leaf.name.rpartition(".")
        yield Check(
            "grad", "accumulate", name, module, "", summed(parts, leaf.after), torch="AccumulateGrad"
        )


# --- Vector-Jacobian products -------------------------------------------------------------------------


def _products(passed: Backward, node: AutogradNode, call: Call, drawn: Draw) -> Iterator[Check | Left]:
    left = Left(f"{call.operation}, backward", "unsupported", call.module, call.source)
    inside = call.geometry if node.name == "CopySlices" else None
    if call.geometry is not inside:
        yield left
        return
    try:
        known = bind(call)
        places = list(edge_places(known, node))
        if len(places) < sum(edge is not None for edge in node.next):
            yield left  # an edge for an operand that the table does not differentiate
        gradients = _gradients(passed, node, call, known)
        operands = {**known.operands, **known.results, **gradients}
        for edge, (operand, at) in enumerate(places):
            sent = passed.grad_in[node.id][edge]
            if sent is None or not drawn(sent):
                continue
            several = len(_parts(known.operands.get(operand))) > 1 or operand.startswith("*")
            options = {**known.options, "at": at} if several else known.options
            shown = operand.strip("*") + (str(at) if several else "")
            if inside is not None and edge == 0:  # of the base: its other numbers are handed on
                (arrived,) = passed.grad_out[node.id]
                if arrived is not None:
                    rest = same(
                        Recorded.of(views.around(inside, sent), sent.dtype), views.around(inside, arrived)
                    )
                    yield Check("vjp", short(call.operation), "base", call.module, call.source, rest)
                sent = views.inside(inside, sent)
            formula = known.operation.vjps[operand]
            measured = judge(formula, operands, options, sent)
            where = short(call.operation), shown, call.module, call.source
            yield Check("vjp", *where, measured, formula, node.name)
    except REFUSALS:
        yield left


def _parts(value: Argument) -> tuple[Argument, ...]:
    return value if isinstance(value, tuple) else (value,)


def _gradients(passed: Backward, node: AutogradNode, call: Call, known: Bound) -> dict[str, Argument]:
    """`g` of the value, `g_NAME` of by-products, `*g` of several results; zeros where none came."""
    arrived = passed.grad_out[node.id]
    tensors = list(call.tensors())
    slots = {id(t): o.slot for t, o in zip(tensors, call.outputs, strict=False) if o and o.node == node.id}

    def of(made: Argument) -> Argument:
        if not isinstance(made, Recorded):
            return None
        slot = slots.get(id(made), 0 if len(tensors) == 1 or call.geometry else -1)
        found = arrived[slot] if 0 <= slot < len(arrived) else None
        if found is not None and call.geometry is not None:
            found = views.inside(call.geometry, found)
        return found if found is not None else _zeros(made)

    found: dict[str, Argument] = {}
    for output, made in known.results.items():
        if isinstance(made, tuple):
            found["*g"] = tuple(of(part) for part in made)
        else:
            found["g" if output == known.operation.value else f"g_{output}"] = of(made)
    return found


def _zeros(like: Recorded) -> Recorded:
    zeros = np.zeros(like.shape, like.array.dtype)
    return Recorded.of(zeros, like.dtype)


def _view(passed: Backward, node: AutogradNode) -> Iterator[Check | Left]:
    """A view that PyTorch made again after its base was written to: its gradient goes into its place."""
    arrived, sent = passed.grad_out[node.id][0], passed.grad_in[node.id][0]
    if node.geometry is None or arrived is None or views.repeats(node.geometry):
        yield Left(node.name, "unsupported", "", "")
    elif sent is not None:
        yield Check("vjp", "as_strided", "", "", "", same(sent, views.placed(node.geometry, arrived)))
