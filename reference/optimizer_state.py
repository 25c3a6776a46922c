"""Runs an optimizer's rules in order, and keeps its states for each parameter."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from reference.arrays import Array
from reference.model import Model
from reference.optimizers.rule import Optimizer

Views = Mapping[str, Array]


class OptimizerState:
    """The states of an optimizer, each in two buffers, before and after a step, swapped like parameters.

    Elementwise rules run once, on flat buffers that hold all parameters end to end; other rules run
    once for each parameter.
    """

    def __init__(
        self,
        model: Model,
        flat: Sequence[Array],
        views: Sequence[Views],
        gradients: Array,
        lr: float,
    ) -> None:
        """Allocate the states and set their initial values.

        `flat` and `views` are the two parameter buffers, as flat arrays and as views by parameter; the
        first of each holds the current values.
        """
        self._model, self.optimizer, self.t = model, model.optimizer, 0
        self._flat, self._views, self._gradients = flat, views, gradients
        self._together = self.optimizer.elementwise and self.optimizer.others is None
        self._states: list[dict[str, Array]] = [{}, {}]  # views, by the name in a trace
        self._whole: list[dict[str, Array]] = [{}, {}]  # flat, by the name in a rule
        for now in (0, 1):
            self._lay_out(now, lr)

    def _lay_out(self, now: int, lr: float) -> None:
        parameters, states = self._views[0], self._states[now]
        if self._together:
            for state, entry in self.optimizer.states.items():
                whole = np.ascontiguousarray(entry.start(self._flat[0], lr))
                self._whole[now][state] = whole
                start = 0
                for name, parameter in parameters.items():
                    part = whole[start : start + parameter.size]
                    states[f"{state}_{name}"] = part.reshape(parameter.shape)
                    start += parameter.size
        else:
            for name, parameter in parameters.items():
                for state, entry in self._model.optimizer_of(name).states.items():
                    states[f"{state}_{name}"] = np.array(entry.start(parameter, lr))

    def step(self, now: int, gradients: Views, lr: float) -> None:
        """Run all rules, reading the buffers `now` and writing the other ones."""
        self.t += 1
        after = 1 - now
        if self._together:
            known = {"p": self._flat[now], "g": self._gradients, **self._whole[now]}
            into = {"p": self._flat[after], **self._whole[after]}
            self._run(self.optimizer, known, into, lr)
            return
        for name in self._views[0]:
            optimizer = self._model.optimizer_of(name)
            known = {"p": self._views[now][name], "g": gradients[name]}
            into = {"p": self._views[after][name]}
            for state in optimizer.states:
                known[state] = self._states[now][f"{state}_{name}"]
                into[state] = self._states[after][f"{state}_{name}"]
            self._run(optimizer, known, into, lr)

    def _run(
        self, optimizer: Optimizer, known: dict[str, Array], into: dict[str, Array], lr: float
    ) -> None:
        c = optimizer.hyper(lr, self.t)
        known |= {f"{name}_next": array for name, array in into.items()}
        for rule in optimizer.rules:
            np.copyto(into[rule.makes], rule.function(*(known[name] for name in rule.inputs), c))

    def trace(self, now: int) -> dict[str, Array]:
        """The states before and after the step that starts from buffers `now`, by trace name."""
        after = {f"{name}_next": array for name, array in self._states[1 - now].items()}
        return self._states[now] | after
