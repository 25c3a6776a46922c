"""The engine: runs a model's equations in order, in preallocated buffers."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Mapping
from functools import partial

import numpy as np

from reference import formulas
from reference.arrays import Array
from reference.clipping import Clipping
from reference.equations import shapes, sweep_equations
from reference.formula import Equation
from reference.model import LOSS, Model
from reference.optimizer_state import OptimizerState
from reference.trace import Trace

Views = dict[str, Array]


class Network:
    """A model with its parameters, trained by the three-step cycle of slide 2.

    All parameters are stored end to end in one buffer, all gradients in another. An update writes into
    a second parameter buffer and the two are swapped, so that a trace holds W before and after the step.
    """

    def __init__(self, model: Model, parameters: Mapping[str, Array]) -> None:
        """Create a network with a copy of `parameters` ({"W1": (out, in), "b1": (out, 1), …}).

        `parameters` also holds the model's statistics, which a step updates without learning them.
        Raises ValueError for a missing parameter or a wrong shape.
        """
        self.model, self._now = model, 0
        self._buffers = [_Laid(model) for _ in range(2)]
        self.gradients = _Laid(model)
        self._clipped = _Laid(model) if model.clipping else self.gradients
        for name, view in self.parameters.items():
            if name not in parameters or parameters[name].shape != view.shape:
                found = parameters[name].shape if name in parameters else "nothing"
                raise ValueError(f"{name}: expected shape {view.shape}, found {found}")
            view[...] = parameters[name]
        self._statistics = {name: parameters[name].copy() for name in model.statistics}
        self._programs: dict[int, tuple[_Program, _Program]] = {}
        self._state: OptimizerState | None = None  # slide 6's optimizer keeps none
        self._norm: Views = {}

    @property
    def parameters(self) -> Views:
        """The current parameters, {"W1": …, "b1": …, …}, as views of the buffer."""
        return self._buffers[self._now].views

    @property
    def statistics(self) -> Views:
        """The model's current statistics, such as running means."""
        return dict(self._statistics)

    def forward(self, x: Array, given: Mapping[str, Array] | None = None) -> Array:
        """Slide 2, first step, the forward pass: x (features, batch) -> ŷ (outputs, batch).

        `given` holds the values of the graph's other given leaves, such as a dropout mask.
        """
        self._program = self._program_of(x)
        return self._program.forward({"x": x, **self._statistics, **(given or {})})

    def backward(self, y: Array) -> Array:
        """Slide 2, second and third step, loss and backward pass: y (outputs, batch) -> the loss.

        Call it after `forward`.
        """
        return self._program.backward(y)

    def update(self, lr: float) -> None:
        """Slide 6: W^(l) ← W^(l) − η dW^(l) and b^(l) ← b^(l) − η db^(l), for all layers at once.

        Both formulas are the same and all parameters share one buffer, so a single call suffices. Any
        optimizer other than plain SGD runs its own rules and keeps a state.
        """
        now, after = self._now, 1 - self._now
        if self.model.clipping:
            self._clip(self.model.clipping)
        if self.model.optimizer.plain:
            W, W_next = self._buffers[now].flat, self._buffers[after].flat
            formulas.weight_update(W, self._clipped.flat, lr, out=W_next)
        else:
            self._optimizer_state(lr).step(now, self._clipped.views, lr)
        self._now = after

    def step(self, x: Array, y: Array, lr: float, given: Mapping[str, Array] | None = None) -> Trace:
        """One training step, forward, backward and update; returns its trace, valid until the next step.

        x (features, batch), y (outputs, batch); `given` as in `forward`.
        """
        now = self._now
        self.forward(x, given)
        self.backward(y)
        self.update(lr)
        trace = self._program.trace()
        self._statistics = {name: trace[f"{name}_next"] for name in self._statistics}
        if self._state:
            trace |= self._state.trace(now)
        if self.model.clipping:
            trace |= self._norm
            trace |= {self.model.gradient(name): view for name, view in self._clipped.views.items()}
        return trace

    def _clip(self, clipping: Clipping) -> None:
        """Clip all gradients in one call, since they share one buffer."""
        if clipping.measure:
            gradients = self.gradients.views.values()
            self._norm = {"norm": np.asarray(clipping.measure(*gradients, **clipping.options))}
        clipped = clipping.clip(self.gradients.flat, *self._norm.values(), **clipping.options)
        np.copyto(self._clipped.flat, clipped)

    def _optimizer_state(self, lr: float) -> OptimizerState:
        if self._state is None:
            flat, views = zip(*((laid.flat, laid.views) for laid in self._buffers), strict=True)
            self._state = OptimizerState(self.model, flat, views, self._clipped.flat, lr)
        return self._state

    def _program_of(self, x: Array) -> _Program:
        batch = self.model.samples(x)
        if batch not in self._programs:
            before, after = (laid.views for laid in self._buffers)
            made = self.gradients.views
            self._programs[batch] = (
                _Program(self.model, batch, before, after, made),
                _Program(self.model, batch, after, before, made),
            )
        return self._programs[batch][self._now]


class _Laid:
    """One flat buffer for all parameters or for all gradients, with a view for each."""

    def __init__(self, model: Model) -> None:
        wanted = model.parameter_shapes()
        self.flat = np.empty(sum(map(math.prod, wanted.values())), model.dtype)
        self.views: Views = {}
        start = 0
        for name, shape in wanted.items():
            size = math.prod(shape)
            self.views[name] = self.flat[start : start + size].reshape(shape)
            start += size


class _Program:
    """Both sweeps for one batch size and one of the two parameter buffers, as calls without arguments.

    A function with an `out` parameter writes into its own buffer; the result of any other is kept as it
    is. If all its inputs have fixed buffers, the call is bound to them once; inputs that change (x, y,
    results without a buffer) are looked up at every step.
    """

    def __init__(self, model: Model, batch: int, before: Views, after: Views, gradients: Views) -> None:
        self._model, self._known = model, {"n": model.n(batch)}
        self._gradients = {f"d{name}": view for name, view in gradients.items()}
        self._shapes = shapes(model, batch)
        self._fixed: Views = dict(before)
        self._values = Trace(before)  # every tensor of the current step, by name
        self._after = {f"{name}_next": view for name, view in after.items()}
        equations = sweep_equations(model)
        calls = [self._bound(equation) for equation in equations]
        end = [equation.makes for equation in equations].index(model.output) + 1
        self._forward, self._backward = calls[:end], calls[end:]

    def forward(self, given: Mapping[str, Array]) -> Array:
        """Run the forward sweep up to ŷ."""
        self._values.update(given)
        for call in self._forward:
            call()
        return self._values[self._model.output]

    def backward(self, y: Array) -> Array:
        """Compute the loss and run the backward sweep."""
        self._values["y"] = y
        for call in self._backward:
            call()
        return self._values[LOSS]

    def trace(self) -> Trace:
        """All tensors of both sweeps, and views of the parameters after the update."""
        return Trace(self._values | self._after)

    def _bound(self, equation: Equation) -> Callable[[], object]:
        function, makes, inputs = equation.evaluate, equation.makes, equation.inputs
        known = [self._known[name] for name in equation.constants]
        values, fixed = self._values, self._fixed
        writes = "out" in inspect.signature(function).parameters
        out = self._gradients.get(makes)
        if writes and out is None:
            out = np.empty(self._shapes[makes], self._model.dtype, order=self._model.order)
        if out is not None:
            fixed[makes] = values[makes] = out
        if writes and all(name in fixed for name in inputs):
            return partial(function, *(fixed[name] for name in inputs), *known, out=out)

        def write() -> None:
            function(*[values[name] for name in inputs], *known, out=out)

        def copy() -> None:
            np.copyto(fixed[makes], function(*[values[name] for name in inputs], *known))

        def keep() -> None:
            values[makes] = np.asarray(function(*[values[name] for name in inputs], *known))

        return write if writes else keep if out is None else copy
