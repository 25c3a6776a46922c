"""One formula of watched operations as a straight line of numpy calls on kept buffers.

What the rules of the bounded arithmetic do with a formula does not change from block to block, nor from
step to step. A plan is recorded once, by running the rules on numbers that record, and replayed. It only
accepts: a block that it does not find right in every number is judged by the rules themselves.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Hashable, Mapping, Sequence
from dataclasses import dataclass
from types import SimpleNamespace

import numpy as np

from parity.bounds import SLACK, Bounded
from parity.bounds.conversion import into
from parity.bounds.formats import FORMATS, Arithmetic
from parity.bounds.number import EXACT
from parity.certify.measure import Measured, Within
from parity.certify.plan.constants import recorded, take_in
from parity.certify.plan.guards import Pools, Sorted, sort
from parity.certify.plan.memory import Memory
from parity.certify.plan.node import Making, TapeNode, Values
from parity.certify.plan.program import MADE, Program, live
from parity.certify.plan.recording import RecordingArray
from parity.certify.plan.tape import CallTape, UnplannableError
from parity.pytorch.recorder.data import Argument, Recorded

MEMORY = Memory()
"""What all plans write into, since only one of them runs at a time."""

LARGEST = 1 << 20
"""Bytes of the largest array that is kept: larger ones are better let go."""

FEW = 64
"""Numbers of a guard's array up to which it is kept; a larger one is reduced when it is made."""

Form = Callable[..., object]


@dataclass(frozen=True)
class FormulaCall:
    """A formula of operands in one arithmetic, and what is held to it: a block of a tensor, or all of it.

    `divided` says which operands differ between the blocks of a tensor. The `constants`, if there are any,
    are the formula's last argument.
    """

    form: Form
    arithmetic: Arithmetic
    operands: Sequence[Argument]
    divided: Sequence[bool]
    observed: Recorded
    constants: SimpleNamespace | None

    @property
    def numbers(self) -> Mapping[str, object]:
        """The constants by name."""
        return {} if self.constants is None else vars(self.constants)


class _ReadConstants:
    """Constants for a formula to read. `plain` are those without a bound that it did read."""

    def __init__(self, numbers: Mapping[str, object]) -> None:
        self._numbers = numbers
        self.plain: dict[str, object] = {}

    def __getattr__(self, name: str) -> object:
        number = self._numbers[name]
        if not isinstance(number, Bounded | RecordingArray):
            self.plain[name] = number
        return number


class FormulaPlan:
    """The calls for one formula of operands of given shapes: `begin` a tensor, then measure its blocks.

    `as_recorded` says whether the last numbers led to the decisions that were recorded.
    """

    as_recorded = True

    def __init__(self, asked: FormulaCall, general: Collection[Hashable] = ()) -> None:
        """Record and compile it. Raises UnplannableError where no replay could repeat it."""
        tape = CallTape(general)
        tape.begin(())
        outputs = self._recorded(tape, asked)
        self.general = tape.general
        moving = _dependent(tape.nodes, {_name(i) for i, divided in enumerate(asked.divided) if divided})
        before = sort((guard for guard in tape.guards if guard.node not in moving), ())
        after = sort((guard for guard in tape.guards if guard.node in moving), outputs)
        nodes = live(tape.nodes, [*outputs, *before.nodes, *after.nodes])
        if max(node.value.nbytes for node in nodes) > LARGEST:
            raise UnplannableError("too large")
        chunks: list[Values] = []

        def placed(node: TapeNode) -> Values:
            chunk, array = MEMORY.array(node.value)
            chunks.append(chunk)
            return array

        inputs = {node: placed(node) for node in nodes if node.kind is Making.INPUT}
        self._inputs = {node.name: array for node, array in inputs.items()}
        each = [node for node in nodes if node in moving]
        needed = {o.owner for node in each for o in node.operands} | {node.owner for node in outputs}
        shared = {node: placed(node) for node in needed - moving if node.kind in MADE}
        once = [node for node in nodes if node not in moving]
        first = _Part(once, inputs | shared, before, [])
        made = [node.value if node.kind is Making.CONSTANT else placed(node) for node in outputs]
        known = inputs | {
            node: first.program.buffers[node] for node in once if node in first.program.buffers
        }
        rest = _Part(each, known, after, list(zip(outputs, made, strict=True)))
        self._value, self._bound = made
        self._within = Within(placed(outputs[0]), placed(outputs[1]))
        for part in (first, rest):
            part.leave()
        MEMORY.give_back(chunks)
        self._once, self._each = first, rest

    def _recorded(self, tape: CallTape, asked: FormulaCall) -> tuple[TapeNode, TapeNode]:
        """The truth and the bound to hold a tensor to, by the rules."""
        kind = asked.arithmetic
        arguments: list[object] = []
        for place, value in enumerate(asked.operands):
            if isinstance(value, Recorded):
                node = tape.given(_name(place), _plain(value), stacked=False)
                number = RecordingArray(tape, node)
                floats = value.dtype in FORMATS
                arguments.append(Bounded(kind, kind.lift(number), EXACT) if floats else number)
            else:
                arguments.append(value)
        read = _ReadConstants({name: recorded(tape, name, v) for name, v in asked.numbers.items()})
        with np.errstate(all="ignore"):
            made = asked.form(*arguments, *(() if asked.constants is None else (read,)))
            if isinstance(made, Bounded):
                made = into(asked.observed.dtype, made)
            if not isinstance(made, Bounded) or made.kink is not None or made.shape != asked.observed.shape:
                raise UnplannableError("a formula without a bound for every number")
            parts: tuple[object, object] = made.value, made.carried * SLACK
        self._read = read.plain
        truth, limit = (_node(tape, part, made.shape) for part in parts)
        return truth, limit

    def begin(self, asked: FormulaCall) -> bool:
        """Take in what all blocks of a tensor share; False if the plan is not for it."""
        numbers = asked.numbers
        self.as_recorded = all(numbers[name] == value for name, value in self._read.items())
        if not self.as_recorded:
            return False
        for place, (value, divided) in enumerate(zip(asked.operands, asked.divided, strict=True)):
            if not divided:
                self._take_in(place, value)
        for name, number in numbers.items():
            take_in(self._inputs, name, number)
        self.as_recorded = self._once.run()
        return self.as_recorded

    def measured(self, asked: FormulaCall) -> Measured | None:
        """A block, if the plan finds every number of it right."""
        for place, (value, divided) in enumerate(zip(asked.operands, asked.divided, strict=True)):
            if divided:
                self._take_in(place, value)
        self.as_recorded = self._each.run()
        if not self.as_recorded:
            return None
        with np.errstate(all="ignore"):
            return self._within.measured(asked.observed.array, self._value, self._bound)

    def _take_in(self, place: int, value: Argument) -> None:
        if isinstance(value, Recorded) and _name(place) in self._inputs:
            np.copyto(self._inputs[_name(place)], value.array)


class _Part:
    """Some nodes of a tape as a program, with the decisions that it must take again."""

    def __init__(
        self,
        nodes: Sequence[TapeNode],
        buffers: Mapping[TapeNode, Values],
        guards: Sorted,
        outputs: Sequence[tuple[TapeNode, Values]],
    ) -> None:
        self._pools = Pools(guards, FEW)
        placed, copied = dict(buffers), []
        for node, array in (*outputs, *self._pools.placed.items()):
            if node in placed or node.kind not in MADE:
                copied.append((node, array))
            else:
                placed[node] = array
        self.program = Program(nodes, placed, [*copied, *self._pools.copied], self._pools.seen, MEMORY)

    def leave(self) -> None:
        """Keep nothing but the calls, and what they decide."""
        self.program.leave()
        self._pools.leave()

    def run(self) -> bool:
        """Run it; whether every decision is as it was recorded."""
        with np.errstate(all="ignore"):
            self.program.run()
            return self._pools.hold()


def _node(tape: CallTape, part: object, shape: tuple[int, ...]) -> TapeNode:
    """An array, recorded or known, in the shape of the result."""
    node = part.node if isinstance(part, RecordingArray) else tape.constant(part)  # type: ignore[arg-type]
    return node if node.shape == shape else tape.spread(node, shape)


def _name(place: int) -> str:
    return f"operand {place}"


def _plain(value: Recorded) -> Values:
    """A tensor's numbers as a plan takes them in: floats as doubles, which hold them all."""
    return value.array.astype(np.float64) if value.dtype in FORMATS else value.array


def _dependent(nodes: Sequence[TapeNode], inputs: set[str]) -> set[TapeNode]:
    """The nodes that depend on these inputs."""
    found: set[TapeNode] = set()
    for node in nodes:
        if (node.kind is Making.INPUT and node.name in inputs) or not found.isdisjoint(node.operands):
            found.add(node)
    return found
