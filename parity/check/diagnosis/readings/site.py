"""The surroundings of one equation: every tensor that its author could have used, by a relative name.

`W@+1` is the W of the layer above, `a@top` that of the last layer, `dW@+0'` that of the call before;
`-1w` counts as Python does, where the one below the first is the last. What was made out of the
observed tensor cannot have been used for it, and has no value here: else everything is explained by
itself.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import cached_property
from typing import TypeAlias, cast

import numpy as np

from parity.bounds import Bounded, exact
from parity.certify.certificate import Verdict, compare
from parity.check.diagnosis.anatomy import curve, layer_function, slope
from parity.check.diagnosis.judge import Instance, Judge
from parity.check.diagnosis.mistake import DoesNotApplyError
from parity.check.diagnosis.readings.operands import operands_of
from parity.check.diagnosis.readings.operations import OPERATIONS, Number, moved
from parity.check.diagnosis.readings.tree import Tree, number_of
from parity.check.diagnosis.readings.unnamed import UNNAMED
from parity.check.diagnosis.scenario import Scenario
from reference.arrays import Array
from reference.operations.activations import ACTIVATIONS, Activation
from reference.trace import Trace

Tag: TypeAlias = tuple[str, str]
"""Where a place is, by what: its activation, its position, the call, the batch."""


class Site:
    """One instance of a formula, with what stands around it."""

    def __init__(self, court: Judge, instance: Instance) -> None:
        self.court, self.instance = court, instance
        self.observation, self.equation = instance.observation, instance.equation
        self.layer, self.depth = instance.equation.layer, instance.observation.architecture.depth
        self.scenario = court.scenario(instance.observation)
        self.observed = self._observed()
        self._floats: dict[Tree, Number | None] = {}
        self._proofs: dict[Tree, Number | None] = {}
        self._verdicts: dict[Tree, Verdict] = {}

    def _observed(self) -> Array:
        """What was shown; a vector is a vector, lying or standing."""
        observed, shape = self.instance.observed, self.expected.shape
        if observed.shape != shape and observed.size == self.expected.value.size and 1 in shape:
            return observed.reshape(shape)
        return observed

    @cached_property
    def expected(self) -> Bounded:
        return self.court.expected(self.instance)

    @property
    def activation(self) -> str:
        return self.observation.architecture.activations[self.layer - 1].name

    @cached_property
    def operands(self) -> dict[str, str]:
        """The tensors that go in, by the formula's own names for them; a hidden s is opened."""
        return dict(operands_of(self.observation.equations, self.equation, self.observation.known))

    @cached_property
    def tags(self) -> tuple[Tag, ...]:
        """What may set it apart from places where nothing is wrong."""
        return (
            ("f", self.activation),
            ("position", "top" if self.layer == self.depth else "below_top"),
            ("layer", "first" if self.layer == 1 else "above_first"),
            ("call", "first_call" if self.observation.step == 0 else "later_calls"),
            ("batch", "one_sample" if self.observation.batch == 1 else "several_samples"),
        )

    @cached_property
    def sizes(self) -> tuple[Tag, ...]:
        """How large it is: said of a mistake that is known already, and never read off."""
        return (
            ("depth", str(self.depth)),
            ("outputs", "one_output" if self.terms["outputs"] == 1 else "several_outputs"),
            ("samples", str(self.observation.batch)),
        )

    @cached_property
    def terms(self) -> Mapping[str, float]:
        """The case's own numbers, which constants may be made of."""
        layers = self.observation.architecture.layers
        found: dict[str, float] = {
            "n": self.observation.constants["n"],
            "batch": self.observation.batch,
            "η": self.observation.lr,
            "outputs": layers[-1],
            "units": layers[self.layer],
            "inputs": layers[self.layer - 1],
            "L": self.depth,
            "l": self.layer,
        }
        expected = self.expected.lowered()
        norm = float(np.sqrt(np.square(expected).sum()))
        return found | ({"‖it‖": norm} if np.isfinite(norm) and norm else {})

    # --- what a tree is worth here --------------------------------------------------------------

    def floats(self, part: Tree) -> Array:
        """Its value, quickly: a sieve. Raises DoesNotApplyError where it has none."""
        return cast(Array, self._value(part, self._floats, self._float_leaf))

    def proof(self, part: Tree) -> Bounded:
        """Its value and bound. Raises DoesNotApplyError where it has none."""
        value = self._value(part, self._proofs, self._leaf)
        return value if isinstance(value, Bounded) else exact(self.scenario.judge, np.asarray(value))

    def _value(self, part: Tree, kept: dict[Tree, Number | None], leaf: Callable[[str], Number]) -> Number:
        if part not in kept:
            try:
                if part.of:
                    operands = (self._value(operand, kept, leaf) for operand in part.of)
                    kept[part] = self._operation(part.head)(*operands)
                else:
                    number = number_of(part)
                    kept[part] = leaf(part.head) if number is None else number
            except (DoesNotApplyError, ValueError, TypeError, KeyError, IndexError, ArithmeticError):
                kept[part] = None
        value = kept[part]
        if value is None:
            raise DoesNotApplyError
        return value

    def _operation(self, head: str) -> Callable[..., Number]:
        if head in OPERATIONS:
            return OPERATIONS[head]
        name = head.removesuffix("'")  # `tanh` and `tanh'`: an activation, and its slope
        f = self._function(name)
        judge = self.scenario.judge

        def applied(z: Number, a: Number | None = None) -> Number:
            number = z if isinstance(z, Bounded) else exact(judge, np.asarray(z))
            of_a = curve(f, number) if a is None else a if isinstance(a, Bounded) else exact(judge, a)
            found = slope(f, number, of_a) if "'" in head else of_a
            return found if isinstance(z, Bounded) else found.lowered()

        return applied

    def _function(self, name: str) -> Activation:
        """An activation by name; `f` is this layer's, `f@+1` that of the layer above."""
        if name != "f" and not name.startswith("f@"):
            return ACTIVATIONS[name]
        layer = int(self._full("z", name[2:] or "+0")[1:])
        return self.observation.architecture.activations[layer - 1]

    def _float_leaf(self, name: str) -> Number:
        value = self._leaf(name)
        return value.lowered() if isinstance(value, Bounded) else value

    def _leaf(self, name: str) -> Number:
        if name in self.operands:
            return self.scenario.value(self.operands[name])
        if name == "it":
            return self.expected
        if name == "n":
            return self.scenario.constants["n"]
        if name in ("lr", "η"):
            return self.scenario.constants["lr"]
        if name in self.terms:
            return float(self.terms[name])
        if name == "shown_nonzero":  # the one thing that is taken from what was shown: which are left
            if not self.instance.wrong:
                raise DoesNotApplyError
            return exact(self.scenario.judge, (self.observed != 0) * 1.0)
        if name in UNNAMED:
            return UNNAMED[name](self.scenario, self.equation)
        if name == "ones":
            return exact(self.scenario.judge, np.ones(self.observed.shape))
        return self._tensor("slope@+0" if name == "slope" else name)

    def _tensor(self, name: str) -> Bounded:
        scenario, earlier = self.scenario, name.endswith("'")
        quantity, _, where = name.removesuffix("'").partition("@")
        if earlier:
            if scenario.before is None:
                raise DoesNotApplyError
            scenario = scenario.before
        if quantity.startswith("right_"):  # as it would be, had nothing gone wrong from the start
            return self._right.value(self._full(quantity.removeprefix("right_"), where))
        if quantity == "slope":
            layer = int(self._full("z", where)[1:])
            if not earlier and self.equation.makes in (f"z{layer}", f"a{layer}"):
                raise DoesNotApplyError
            f = layer_function(scenario, layer)
            z = self._known(scenario, f"z{layer}")
            found = slope(f, z, self._known(scenario, f"a{layer}"))
            full = moved(lambda x: np.broadcast_to(x, z.shape))
            return cast(Bounded, full(found))
        return self._known(scenario, self._full(quantity, where))

    def _known(self, scenario: Scenario, name: str) -> Bounded:
        if scenario is self.scenario and name in self._made_of_it:
            raise DoesNotApplyError
        return scenario.value(name)

    @cached_property
    def _right(self) -> Scenario:
        return Scenario(replace(self.observation, shown=Trace(), before=None), self.scenario.judge)

    @cached_property
    def _made_of_it(self) -> set[str]:
        """The observed tensor, and what is made out of it."""
        found = {self.equation.makes}
        for name, equation in self.observation.equations.items():
            if found.intersection(equation.inputs):
                found.add(name)
        return found

    def _full(self, quantity: str, where: str) -> str:
        """The name in this network: `W@+1` of layer 2 is W3. Raises DoesNotApplyError."""
        if quantity in ("x", "y"):
            return quantity
        layer = {"top": self.depth, "first": 1, "mirror": self.depth + 1 - self.layer}.get(where)
        if layer is None:
            layer = self.layer + int(where.rstrip("wx"))
            if where.endswith("w") and layer <= 0:  # of a list of L
                layer += self.depth
            elif where.endswith("x") and layer < 0:  # of a list that starts with x
                layer += self.depth + 1
        if quantity == "a" and layer == 0:
            return "x"
        if not 1 <= layer <= self.depth:
            raise DoesNotApplyError
        base, _, after = quantity.partition("_")
        return f"{base}{layer}" + (f"_{after}" if after else "")

    # --- whether it is what was shown -----------------------------------------------------------

    def resembles(self, part: Tree) -> bool:
        """Whether its floats come near: half the digits of the format. What does not is not it."""
        try:
            value = self.floats(part)
        except DoesNotApplyError:
            return False
        return self.near(value)

    def near(self, value: Array) -> bool:
        """Whether floats come near to what was shown: a sieve before the proof."""
        observed = self.observed
        if np.shape(value) != observed.shape:
            if np.size(value) != 1 or observed.size != 1:
                return False
            value = np.reshape(value, observed.shape)
        half = np.sqrt(self.scenario.judge.u)
        finite = np.isfinite(observed) & np.isfinite(value)
        scale = np.abs(observed[finite]).max(initial=0)
        close = np.abs(value - observed) <= half * scale
        alike = (value == observed) | ((value != value) & (observed != observed))
        return bool(np.where(finite, close, alike).all())

    def proves(self, part: Tree) -> bool:
        """Whether it gives every number that was shown, within its own bound."""
        return self._verdict(part) is Verdict.MATCH

    def refutes(self, part: Tree) -> bool:
        """Whether it gives something else; what cannot be told refutes nothing."""
        return self._verdict(part) is Verdict.DIFFERENT

    def _verdict(self, part: Tree) -> Verdict:
        if part not in self._verdicts:
            self._verdicts[part] = self._judged(part)
        return self._verdicts[part]

    def _judged(self, part: Tree) -> Verdict:
        try:
            truth = self.proof(part)
        except DoesNotApplyError:
            return Verdict.DIFFERENT
        observed = self.observed
        if truth.shape != observed.shape:
            if truth.value.size != 1 or observed.size != 1:
                return Verdict.DIFFERENT
            observed = observed.reshape(truth.shape)
        return compare(self.equation, observed, truth).verdict
