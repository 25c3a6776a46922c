"""Forward, vjp, sum, grad: what a recorded step says of each of its operations, on its own numbers."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence

import numpy as np

from parity.pytorch.aten import bind
from parity.pytorch.foreach import each
from parity.pytorch.recorder.data import Argument, AutogradNode, Backward, Call, Output, Recorded
from parity.render.texts.message import Message, joined
from parity.watch import views
from parity.watch.check import Check, Draw, Left, guarded, short
from parity.watch.functions import PassedFunction, passed_function
from parity.watch.judging import judge, summed
from parity.watch.products import products
from parity.watch.regions import region_forward
from parity.watch.short import FORWARD
from parity.watch.unchanged import same
from parity.watch.writes import Writes

PASSES = ("BackwardHookFunctionBackward",)
"""Nodes that only hand on what they are given: PyTorch's own, for hooks of modules."""


def forward(call: Call, drawn: Draw) -> Iterator[Check | Left]:
    """Each tensor that a call made is its formula of the tensors that it took.

    Of each tensor `drawn` is asked whether it is to be checked.
    """
    if call.compiled:
        found = iter(region_forward(call, drawn))
        yield from guarded(found, call.operation, call.module, call.source)
        return
    if call.lowered:
        yield _lowered(call)
        return
    found = (check for one in each(call) for check in _outputs(one, drawn))
    yield from guarded(found, call.operation, call.module, call.source)


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
                name = short(call.operation)
                measured = judge(
                    formula, operands, options, part, check, own=known.results, inside=name in FORWARD
                )
                where = name, shown, call.module, call.source
                yield Check("forward", *where, measured, formula, call.operation)


def _recorded(made: Argument) -> Recorded | None:
    """A tensor, or the number that a program read out of one."""
    if isinstance(made, bool | int | float):
        number = np.asarray(made)
        return Recorded.of(number, str(number.dtype))
    return made if isinstance(made, Recorded) else None


def backward(
    passed: Backward,
    number: int,
    drawn: Draw,
    writes: Writes,
    custom: Callable[[PassedFunction], Iterable[Check | Left]],
    compiled: Callable[[Backward, int, Call], Iterable[Check | Left]],
) -> Iterator[Check | Left]:
    """A node of autograd that has run.

    What arrived is the sum of what was sent; what it sends on is the vector-Jacobian product of that.
    `writes` are those that autograd does not know of; `custom` says what there is of a function of the
    user's own, `compiled` what there is of a compiled region.
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
                what = Message("op_because", operation=operation, reason=_hooks(node.hooks))
                yield Left(what, "altered", module, source)
            else:
                yield Check("sum", operation, "", module, source, measured, torch=node.name)
    if node.name in PASSES:
        for arrived, sent in zip(passed.grad_out[number], passed.grad_in[number], strict=False):
            if arrived is None or sent is None:
                continue
            measured = same(sent, arrived.array)
            if measured.wrong:
                yield Left(Message("op_module_hook", operation=node.name), "altered", module, source)
            else:
                yield Check("vjp", node.name, "", module, source, measured, torch=node.name)
    elif call is not None and call.compiled:
        yield from guarded(iter(compiled(passed, number, call)), operation, module, source)
    elif node.custom is not None and not node.compiled:
        function = passed_function(passed, node)
        if function is None:
            yield Left(node.custom.name, "opaque", node.custom.module, node.custom.source)
        else:
            found = iter(custom(function))
            yield from guarded(found, node.custom.name, node.custom.module, node.custom.source)
    elif node.compiled:
        yield Left(operation, "opaque", module, source)
    elif call is None:
        yield from _view(passed, node)
    elif call.lowered:
        yield _lowered(call)
    else:
        yield from products(passed, node, call, drawn, writes)


def _hooks(names: Sequence[str]) -> str:
    """What a tensor's hooks are, in words."""
    return joined([Message.known(name, {}) or name for name in names])


def _lowered(call: Call) -> Left:
    return Left(f"{call.operation}, {call.lowered}", "unsupported", call.module, call.source)


def _accumulated(passed: Backward, number: int) -> Iterator[Check | Left]:
    """`.grad` after a backward pass is `.grad` before, and what arrived."""
    leaf = passed.leaves.get(number)
    if leaf is None or leaf.after is None:
        return
    parts = [*passed.shares(Output(number, 0)), *([leaf.before] if leaf.before is not None else [])]
    if not parts:
        return
    module, _, name = leaf.name.rpartition(".")
    measured, hooks = summed(parts, leaf.after), passed.nodes[number].hooks
    if measured.wrong and hooks:
        what = Message("op_accumulate", name=name, hooks=_hooks(hooks))
        yield Left(what, "altered", module, "")
    else:
        yield Check("grad", "accumulate", name, module, "", measured, torch="AccumulateGrad")


def _view(passed: Backward, node: AutogradNode) -> Iterator[Check | Left]:
    """A view that PyTorch made again after its base was written to: its gradient goes into its place."""
    arrived, sent = passed.grad_out[node.id][0], passed.grad_in[node.id][0]
    if node.geometry is None or arrived is None or views.repeats(node.geometry):
        yield Left(node.name, "unsupported", "", "")
    elif sent is not None:
        yield Check("vjp", "as_strided", "", "", "", same(sent, views.placed(node.geometry, arrived)))
