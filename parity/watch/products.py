"""The vector-Jacobian products of a step, on the numbers that autograd's nodes took and gave."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np

from parity.pytorch.aten import Bound, UnsupportedError, bind, edge_places
from parity.pytorch.recorder.data import Argument, AutogradNode, Backward, Call, Recorded
from parity.render.texts.message import Message
from parity.watch import views
from parity.watch.check import Check, Draw, Left, guarded, short
from parity.watch.judging import judge
from parity.watch.short import BACKWARD
from parity.watch.unchanged import same, zeros
from parity.watch.writes import Writes
from reference.formula import Formula
from reference.operation import Options


def products(
    passed: Backward, node: AutogradNode, call: Call, drawn: Draw, writes: Writes
) -> Iterator[Check | Left]:
    """Each gradient that a node sends on is the vector-Jacobian product of the gradients that arrived."""
    operation = Message("op_backward", operation=call.operation)
    yield from guarded(_products(passed, node, call, drawn, writes), operation, call.module, call.source)


def _products(
    passed: Backward, node: AutogradNode, call: Call, drawn: Draw, writes: Writes
) -> Iterator[Check | Left]:
    inside = call.geometry if node.name == "CopySlices" else None
    if call.geometry is not inside:
        raise UnsupportedError(Message("op_written_view", operation=call.operation))
    known = bind(call)
    places = list(edge_places(known, node))
    if len(places) < sum(edge is not None for edge in node.next):
        # an edge for an operand that the table does not differentiate
        yield Left(
            Message("op_backward", operation=call.operation), "unsupported", call.module, call.source
        )
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
        if any(name not in formula.takes and _counts(g) for name, g in gradients.items()):
            raise UnsupportedError(Message("op_by_product", operation=call.operation))
        rounds = short(call.operation) in BACKWARD
        measured = judge(formula, operands, options, sent, inside=rounds)
        write = _write(formula, operands, options, sent, writes) if measured.wrong else None
        if write is not None:
            altered = Message("op_altered", operation=call.operation, by=write.operation)
            yield Left(altered, "altered", write.module, write.source)
        else:
            where = short(call.operation), shown, call.module, call.source
            yield Check("vjp", *where, measured, formula, node.name)


def _write(
    formula: Formula, operands: Mapping[str, Argument], options: Options, sent: Recorded, writes: Writes
) -> Call | None:
    """The write, unknown to autograd, of whose values the gradient is the formula; None: of no one's."""
    found = {name: writes.after(value) for name, value in operands.items() if name in formula.takes}
    later = {name: write for name, write in found.items() if write is not None}
    if not later:
        return None
    changed = {**operands, **{name: write.values for name, write in later.items()}}
    if judge(formula, changed, options, sent).wrong:
        return None
    return next(iter(later.values())).call


def _counts(gradient: Argument) -> bool:
    """Whether a gradient is one that something has to be made of."""
    return isinstance(gradient, Recorded) and bool(np.any(gradient.array))


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
        return found if found is not None else zeros(made)

    found: dict[str, Argument] = {}
    for output, made in known.results.items():
        if isinstance(made, tuple):
            found["*g"] = tuple(of(part) for part in made)
        else:
            found["g" if output == known.operation.value else f"g_{output}"] = of(made)
    return found
