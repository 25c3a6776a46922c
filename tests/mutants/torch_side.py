"""The same bugs on PyTorch's side: modules whose backward is wrong, an optimizer whose step is.

The forward pass is PyTorch's own. Each module's backward hands autograd what the buggy copy of the
engine computes from PyTorch's own tensors, so that autograd records and spreads the wrong numbers.
"""

from __future__ import annotations

import numpy as np
import torch

from parity.config.case import Case
from parity.pytorch.twin import Twin
from tests.mutants.engine import Backprop, Bug


def _rows(columns: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(np.ascontiguousarray(columns.T))


class WrongLinear(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, W, b, buggy, l):
        ctx.buggy, ctx.l = buggy, l
        return torch.nn.functional.linear(x, W, b)

    @staticmethod
    def backward(ctx, delta):
        buggy, l = ctx.buggy, ctx.l
        below = _rows(buggy.s[l - 1]) if l > 1 else None
        return below, torch.from_numpy(buggy.dW[l]), torch.from_numpy(buggy.db[l][:, 0]), None, None


class WrongActivation(torch.autograd.Function):
    @staticmethod
    def forward(ctx, z, f, buggy, l):
        ctx.buggy, ctx.l = buggy, l
        return f(z)

    @staticmethod
    def backward(ctx, s):
        return _rows(ctx.buggy.delta[ctx.l]), None, None, None


class WrongLoss(torch.autograd.Function):
    @staticmethod
    def forward(ctx, y_hat, y, loss, buggy):
        ctx.buggy = buggy
        return loss(y_hat, y)

    @staticmethod
    def backward(ctx, one):
        return _rows(ctx.buggy.s[ctx.buggy.depth]), None, None, None


class MutantTwin(Twin):
    """A twin whose backward and update are the buggy copy's."""

    def __init__(self, case: Case, bug: Bug) -> None:
        super().__init__(case.architecture, case.parameters, case.lr)
        self.buggy = bug.planted(Backprop)(case)
        modules = list(self.model)
        layers = [
            self._linear(l, modules[2 * l - 2]) if odd else self._activation(l, modules[2 * l - 1])
            for l in range(1, len(modules) // 2 + 1)
            for odd in (True, False)
        ]
        self._layers = list(zip(layers[::2], layers[1::2], strict=True))
        right_loss = self.loss
        self.loss = lambda y_hat, y: self._finish(WrongLoss.apply(y_hat, y, right_loss, self.buggy), y)
        self.optimizer = _Update(self)

    def _linear(self, l, linear):
        def apply(x):
            if l == 1:
                self._start(x)
            z = WrongLinear.apply(x, linear.weight, linear.bias, self.buggy, l)
            self.buggy.z[l] = z.detach().numpy().T
            return z

        return apply

    def _activation(self, l, f):
        def apply(z):
            a = WrongActivation.apply(z, f, self.buggy, l)
            self.buggy.a[l] = a.detach().numpy().T
            return a

        return apply

    def _start(self, x):
        buggy = self.buggy
        for l in range(1, buggy.depth + 1):
            buggy.W[l] = self._parameters[2 * l - 2].detach().numpy().copy()
            buggy.b[l] = self._parameters[2 * l - 1].detach().numpy()[:, None].copy()
        buggy.forward(x.detach().numpy().T)  # makes the lists; PyTorch's own values follow

    def _finish(self, loss, y):
        self.buggy.backward(y.numpy().T)
        return loss


class _Update:
    def __init__(self, twin: MutantTwin) -> None:
        self.twin = twin

    def step(self) -> None:
        buggy = self.twin.buggy
        W_next, b_next = buggy.update()
        for l in range(1, buggy.depth + 1):
            self.twin._parameters[2 * l - 2].data.copy_(torch.from_numpy(W_next[l]))
            self.twin._parameters[2 * l - 1].data.copy_(torch.from_numpy(b_next[l][:, 0]))
