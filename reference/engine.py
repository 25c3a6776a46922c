"""A layered network that runs the deck's formulas: forward, loss, backward, update."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from reference import formulas
from reference.architecture import Architecture
from reference.arrays import Array
from reference.clipping import Clipping
from reference.optimizers.state import OptimizerState
from reference.trace import Trace


class Network:
    """Parameters W^(l), b^(l) for l = 1..L, and the three-step cycle of slide 2 over them.

    All parameters lie in one flat buffer, all gradients in another; `W[l]`, `b[l]`, `dW[l]`, `db[l]`
    are views into them. An update writes into a second parameter buffer and the two change places,
    so a step's trace can show W before and after. Layer 0 is the input: `a[0]` is x, and
    `W[0]`, `b[0]`, `z[0]`, `delta[0]` are empty, so that indices are the deck's.
    """

    def __init__(self, architecture: Architecture, parameters: Mapping[str, Array]) -> None:
        """Copy `parameters` ({"W1": (out, in), "b1": (out, 1), …}) into a network.

        Raises ValueError for a missing parameter, or one whose shape is not the architecture's.
        """
        self.architecture = architecture
        shapes = architecture.parameter_shapes()
        size = sum(rows * columns for rows, columns in shapes.values())
        self._buffers = [np.empty(size, architecture.dtype) for _ in range(2)]
        self._gradients = np.empty(size, architecture.dtype)
        self._views = [_views(buffer, shapes) for buffer in self._buffers]
        self._gradient_views = _views(self._gradients, shapes)
        self.dW = _by_layer("W", self._gradient_views)
        self.db = _by_layer("b", self._gradient_views)
        self._workspaces: dict[int, _Workspace] = {}
        for name, shape in shapes.items():
            if name not in parameters or parameters[name].shape != shape:
                found = parameters[name].shape if name in parameters else "nothing"
                raise ValueError(f"{name}: expected shape {shape}, found {found}")
            self._views[0][name][...] = parameters[name]
        self._sides = [(_by_layer("W", views), _by_layer("b", views)) for views in self._views]
        self._loss = architecture.reduced_loss
        self._now = 0
        self._learned_names = [()] + [architecture.learned(l) for l in range(1, architecture.depth + 1)]
        self._plain = architecture.optimizer.plain
        self._state: OptimizerState | None = None  # slide 6's optimizer keeps none
        self._clipped = np.empty_like(self._gradients) if architecture.clipping else self._gradients
        self._clipped_views = _views(self._clipped, shapes)

    @property
    def W(self) -> list[Array]:
        """The weights as they stand: `W[l]` has shape (out, in)."""
        return self._sides[self._now][0]

    @property
    def b(self) -> list[Array]:
        """The biases as they stand: `b[l]` has shape (out, 1)."""
        return self._sides[self._now][1]

    @property
    def parameters(self) -> dict[str, Array]:
        """{"W1": …, "b1": …, …} as they stand, as views."""
        return self._views[self._now]

    def forward(self, x: Array) -> Array:
        """Slide 2, first step: data goes forward. x (features, batch) -> ŷ = a^(L) (outputs, batch)."""
        work = self._workspace(x.shape[1])
        W, b, z, a = self.W, self.b, work.z, work.a
        a[0] = x
        for l, f in enumerate(self.architecture.activations, start=1):
            formulas.affine(W[l], a[l - 1], b[l], out=z[l])
            learned = self._learned(l) if self._learned_names[l] else ()
            formulas.activation(f, z[l], *learned, out=a[l])
        return a[-1]

    def backward(self, y: Array) -> Array:
        """Slide 2, second and third step: the error, and its way back. y (outputs, batch) -> the loss.

        Call it after `forward`. It leaves ∂L/∂W^(l) and ∂L/∂b^(l) in `dW[l]`, `db[l]`.
        """
        work = self._workspaces[y.shape[1]]
        L, f, W = self._loss, self.architecture.activations, self.W
        z, a, s, delta, f_prime = work.z, work.a, work.s, work.delta, work.f_prime
        depth, n = self.architecture.depth, work.n
        loss = formulas.loss(L, a[-1], y, n)
        formulas.loss_gradient(L, a[-1], y, n, out=s[-1])
        for l in range(depth, 0, -1):
            if l < depth:
                formulas.backpropagated(W[l + 1], delta[l + 1], out=s[l])
            learned = self._learned(l) if self._learned_names[l] else ()
            formulas.through(f[l - 1], s[l], z[l], a[l], *learned, f_prime=f_prime[l], out=delta[l])
        for l in range(1, depth + 1):
            formulas.weight_gradient(delta[l], a[l - 1], out=self.dW[l])
            formulas.bias_gradient(delta[l], out=self.db[l])
            for name in self._learned_names[l]:
                gradient = formulas.slope_gradient(f[l - 1], s[l], z[l], self.parameters[name])
                np.copyto(self._gradient_views[name], gradient)
        return loss

    def _learned(self, l: int) -> tuple[Array, ...]:
        """What layer l's activation learns, as it stands."""
        return tuple(self.parameters[name] for name in self._learned_names[l])

    def update(self, lr: float) -> None:
        """Slide 6: W^(l) ← W^(l) − η dW^(l) and b^(l) ← b^(l) − η db^(l), for all layers at once.

        Both lines are the same, and all parameters lie in one buffer: one call does it. Any other
        optimizer runs its own rules, and keeps a state.
        """
        now, after = self._now, 1 - self._now
        if self.architecture.clipping:
            self._clip(self.architecture.clipping)
        if self._plain:
            formulas.weight_update(self._buffers[now], self._clipped, lr, out=self._buffers[after])
        else:
            self._optimizer_state(lr).step(now, self._clipped_views, lr)
        self._now = after

    def _clip(self, clipping: Clipping) -> None:
        """Clip the gradients; all of them lie in one buffer too."""
        norm: tuple[Array, ...] = ()
        if clipping.measure:
            self.norm = np.asarray(clipping.measure(*self._gradient_views.values(), **clipping.options))
            norm = (self.norm,)
        np.copyto(self._clipped, clipping.clip(self._gradients, *norm, **clipping.options))

    def _optimizer_state(self, lr: float) -> OptimizerState:
        if self._state is None:
            self._state = OptimizerState(
                self.architecture.optimizer, self._buffers, self._views, self._clipped, lr
            )
        return self._state

    def step(self, x: Array, y: Array, lr: float) -> Trace:
        """Forward, backward, update, and the trace of it all. x (features, batch), y (outputs, batch)."""
        self.forward(x)
        loss = self.backward(y)
        trace = self._workspaces[x.shape[1]].traces[self._now]
        if not self._plain:
            trace |= self._optimizer_state(lr).trace(self._now)
        self.update(lr)
        trace["x"], trace["y"], trace["loss"] = x, y, np.asarray(loss)
        if self.architecture.clipping:
            trace |= {f"clipped_{name}": view for name, view in self._clipped_views.items()}
            trace |= {"norm": self.norm} if self.architecture.clipping.measure else {}
        return trace

    def _workspace(self, batch: int) -> _Workspace:
        if batch not in self._workspaces:
            self._workspaces[batch] = _Workspace(
                self.architecture, batch, self._views, self._gradient_views
            )
        return self._workspaces[batch]


class _Workspace:
    """The buffers of one batch size, and the traces that show them.

    In memory a sample is a row, as in PyTorch; the formulas see its transpose, the deck's column.
    """

    def __init__(
        self,
        architecture: Architecture,
        batch: int,
        parameters: list[dict[str, Array]],
        gradients: dict[str, Array],
    ) -> None:
        def columns() -> list[Array]:
            empty = np.empty((0, batch), architecture.dtype)
            return [empty] + [
                np.empty((batch, units), architecture.dtype).T for units in architecture.layers[1:]
            ]

        self.n = architecture.n(batch)
        self.z, self.a, self.s, self.delta, self.f_prime = (columns() for _ in range(5))
        self.traces = [self._trace(parameters[now], parameters[1 - now], gradients) for now in (0, 1)]

    def _trace(
        self, before: dict[str, Array], after: dict[str, Array], gradients: dict[str, Array]
    ) -> Trace:
        trace = Trace(before)
        for l in range(1, len(self.z)):
            trace |= {f"z{l}": self.z[l], f"a{l}": self.a[l]}
            trace |= {f"s{l}": self.s[l], f"delta{l}": self.delta[l]}
        trace |= {f"d{name}": gradient for name, gradient in gradients.items()}
        trace |= {f"{name}_next": parameter for name, parameter in after.items()}
        return trace


def _views(buffer: Array, shapes: Mapping[str, tuple[int, int]]) -> dict[str, Array]:
    """The flat buffer, cut into its parameters."""
    views: dict[str, Array] = {}
    start = 0
    for name, (rows, columns) in shapes.items():
        views[name] = buffer[start : start + rows * columns].reshape(rows, columns)
        start += rows * columns
    return views


def _by_layer(letter: str, views: Mapping[str, Array]) -> list[Array]:
    """[empty, W1, W2, …]: indices are the deck's layers."""
    first = next(iter(views.values()))
    return [first[:0]] + [view for name, view in views.items() if name[0] == letter]
