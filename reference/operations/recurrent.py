"""A layer of an LSTM over a whole sequence, as oneDNN runs it: one call, whose cell states nobody sees.

    z_t = W x_t + U h_(t−1) + b + b′,   i, f, o = σ(z_i), σ(z_f), σ(z_o),   γ = tanh(z_γ)
    c_t = f ⊙ c_(t−1) + i ⊙ γ,   h_t = o ⊙ tanh c_t

The states h_t are outputs: cells and gradients take the recorded ones. The cells c_t are carried from
c_0, so that their bound grows with t. GRU, RNN and an LSTM of float64 are not one call: PyTorch runs
them as products and activations.

Shapes: x (steps, batch, in), W (4 units, in), U (4 units, units), b, b′ (4 units,), h0, c0 (batch, units);
y (steps, batch, units), hn, cn as h0. The rows of W are i, f, γ and o, one after the other.
Source: `torch.nn.LSTM`; ATen/native/mkldnn/RNN.cpp.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from reference.arrays import Array, exp_u20, select, total
from reference.formula import Formula
from reference.operation import REQUIRED, Operation, Option, Sample, UnreadArgumentError

LSTM_MODE = 2
"""What ATen calls an LSTM among RNN, GRU and LSTM."""


@dataclass(frozen=True)
class _Step:
    """One step: its place in the sequence, what it was given, its gates and its cell."""

    t: int
    h: Array
    c_before: Array
    i: Array
    f: Array
    candidate: Array
    o: Array
    c: Array

    @property
    def made(self) -> Array:
        return self.o * np.tanh(self.c)


def _gate(z: Array) -> Array:
    """σ(z) by e^−|z|, which oneDNN's kernels flush to 0 a little before it is subnormal."""
    e = exp_u20(-np.absolute(z))
    return select(np.less(z, 0), e / (1 + e), 1 / (1 + e))


def _steps(
    x: Array,
    W: Array,
    U: Array,
    b: Array,
    b2: Array,
    h0: Array,
    c0: Array,
    y: Array | None,
    *,
    reverse: bool,
    has_biases: bool,
) -> list[_Step]:
    """Every step, in the order in which they run; of a recorded y, each takes the state before it."""
    units, order = U.shape[1], range(x.shape[0])
    h, c = np.reshape(h0, (-1, units)), np.reshape(c0, (-1, units))
    found: list[_Step] = []
    for t in reversed(order) if reverse else order:
        if found:
            h = found[-1].made if y is None else y[found[-1].t]
        z = np.positive(total(np.matmul(x[t], W.T), np.matmul(h, U.T), *((b, b2) if has_biases else ())))
        gates = [z[:, k * units : (k + 1) * units] for k in range(4)]
        i, f, candidate, o = _gate(gates[0]), _gate(gates[1]), np.tanh(gates[2]), _gate(gates[3])
        found.append(_Step(t, h, c, i, f, candidate, o, f * c + i * candidate))
        c = found[-1].c
    return found


def _in_order(parts: list[tuple[int, Array]]) -> Array:
    return np.stack([part for _, part in sorted(parts, key=lambda pair: pair[0])])


def _refuse(mode: int, hidden_size: int, batch_sizes: tuple[int, ...], U: Array) -> None:
    """A call is one layer in one direction, time first, whatever PyTorch says beside of the whole."""
    for name, unread in {
        "mode": mode != LSTM_MODE,
        "batch_sizes": bool(batch_sizes),
        "hidden_size": hidden_size != U.shape[1],
    }.items():
        if unread:
            raise UnreadArgumentError(name)


def _states(
    x: Array,
    W: Array,
    U: Array,
    b: Array,
    b2: Array,
    h0: Array,
    c0: Array,
    *,
    reverse: bool,
    has_biases: bool,
    mode: int,
    hidden_size: int,
    batch_sizes: tuple[int, ...],
) -> Array:
    """Every h_t, each from the one before it that this formula made."""
    _refuse(mode, hidden_size, batch_sizes, U)
    steps = _steps(x, W, U, b, b2, h0, c0, None, reverse=reverse, has_biases=has_biases)
    return _in_order([(step.t, step.made) for step in steps])


def _last_state(y: Array, h0: Array, *, reverse: bool) -> Array:
    """h of the step that ran last."""
    return np.reshape(y[0 if reverse else -1], h0.shape)


def _last_cell(
    x: Array,
    W: Array,
    U: Array,
    b: Array,
    b2: Array,
    h0: Array,
    c0: Array,
    y: Array,
    *,
    reverse: bool,
    has_biases: bool,
) -> Array:
    return np.reshape(
        _steps(x, W, U, b, b2, h0, c0, y, reverse=reverse, has_biases=has_biases)[-1].c, c0.shape
    )


@dataclass(frozen=True)
class _Back:
    """What comes back: to each z with its step, and to the first state and cell."""

    z: list[tuple[_Step, Array]]
    h0: Array
    c0: Array


def _back(steps: list[_Step], U: Array, g: Array, g_hn: Array | None, g_cn: Array | None) -> _Back:
    """The sweep against the order of the steps. No gradient of a last state is one of zeros."""
    like = steps[0].h
    h, c = (np.zeros_like(like) if s is None else np.reshape(s, like.shape) for s in (g_hn, g_cn))
    found: list[tuple[_Step, Array]] = []
    for s in reversed(steps):
        h = h + g[s.t]
        out = np.tanh(s.c)
        c = c + h * s.o * (1 - out * out)
        z = np.concatenate(
            [
                c * s.candidate * (s.i * (1 - s.i)),
                c * s.c_before * (s.f * (1 - s.f)),
                c * s.i * (1 - s.candidate * s.candidate),
                h * out * (s.o * (1 - s.o)),
            ],
            axis=1,
        )
        found.append((s, z))
        h, c = np.matmul(z, U), c * s.f
    return _Back(found, h, c)


class _Gradient:
    """∂L/∂operand of the whole layer, by what comes back to each z; called by operands and results."""

    def __init__(self, operand: str) -> None:
        self.operand = operand
        self.__name__ = f"lstm_{operand}_gradient"

    def __call__(
        self,
        g: Array,
        g_hn: Array | None,
        g_cn: Array | None,
        x: Array,
        W: Array,
        U: Array,
        b: Array,
        b2: Array,
        h0: Array,
        c0: Array,
        y: Array,
        *,
        reverse: bool,
        has_biases: bool,
    ) -> Array:
        back = _back(
            _steps(x, W, U, b, b2, h0, c0, y, reverse=reverse, has_biases=has_biases), U, g, g_hn, g_cn
        )
        if self.operand in ("h0", "c0"):
            return np.reshape(getattr(back, self.operand), h0.shape)
        if self.operand == "x":
            return _in_order([(s.t, np.matmul(z, W)) for s, z in back.z])
        z = np.concatenate([z for _, z in back.z])
        if self.operand in ("b", "b2"):
            return np.add.reduce(z, axis=0)
        given = [x[s.t] if self.operand == "W" else s.h for s, _ in back.z]
        return np.matmul(z.T, np.concatenate(given))


OPERANDS = ("x", "W", "U", "b", "b2", "h0", "c0")

Z = r"\frac{\partial L}{\partial z_t}"
GRADIENTS = {
    "x": rf"W^T {Z}",
    "W": rf"\sum_t {Z} x_t^T",
    "U": rf"\sum_t {Z} h_{{t-1}}^T",
    "b": rf"\sum_t {Z}",
    "b2": rf"\sum_t {Z}",
    "h0": r"U^T \frac{\partial L}{\partial z_1}",
    "c0": r"\frac{\partial L}{\partial c_1} \odot f_1",
}


def _samples() -> Iterator[Sample]:
    random = np.random.default_rng(32)
    for steps, batch, size, units, reverse, biases in (
        (3, 2, 4, 3, False, True),
        (4, 3, 2, 5, True, True),
        (1, 1, 3, 2, False, False),
        (5, 2, 3, 4, False, False),
    ):
        shapes = {"x": (steps, batch, size), "W": (4 * units, size), "U": (4 * units, units)}
        shapes |= {"b": (4 * units,), "b2": (4 * units,), "h0": (batch, units), "c0": (batch, units)}
        operands: dict[str, Array | None] = {k: random.standard_normal(v) for k, v in shapes.items()}
        if not biases:  # PyTorch hands in zeros then
            operands |= {"b": np.zeros(4 * units), "b2": np.zeros(4 * units)}
        options: dict[str, Option] = {"reverse": reverse, "mode": LSTM_MODE, "hidden_size": units}
        options["has_biases"] = biases
        yield Sample(operands, options)


LSTM = Operation(
    "lstm_layer",
    OPERANDS,
    forward={
        "y": Formula(
            "lstm_layer", r"h_t = o_t \odot \tanh c_t, \; c_t = f_t c_{t-1} + i_t \gamma_t", _states
        ),
        "hn": Formula("lstm_layer_state", r"h_T", _last_state),
        "cn": Formula("lstm_layer_cell", r"c_T = f_T c_{T-1} + i_T \gamma_T", _last_cell),
    },
    vjps={
        operand: Formula(
            f"lstm_layer_{operand}_gradient",
            latex,
            _Gradient(operand),
            ("g", "g_hn", "g_cn", *OPERANDS, "y"),
        )
        for operand, latex in GRADIENTS.items()
    },
    options={
        "reverse": False,
        "batch_sizes": (),
        "mode": REQUIRED,
        "hidden_size": REQUIRED,
        "has_biases": True,
    },
    torch="torch.nn.LSTM",
    aten={
        "aten.mkldnn_rnn_layer.default": (
            "x W U b b2 h0 c0 reverse batch_sizes mode hidden_size - has_biases - - - -> y hn cn -"
        )
    },
    samples=_samples,
)

OPERATIONS = (LSTM,)
