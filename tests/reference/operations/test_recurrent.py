"""The LSTM layer that oneDNN runs in one call, of float32 alone."""

import numpy as np
import pytest
import torch

from reference.operation import UnreadArgumentError, bound
from reference.operations.recurrent import LSTM, OPERANDS
from tests.reference.operations.observed import REGIMES, runs
from tests.reference.operations.table import (
    assert_told,
    decided_within_the_bounds,
    evaluated,
    recorded,
    same,
    share,
)


@pytest.mark.parametrize("regime", REGIMES)
def test_pytorch_and_the_engine_are_within_the_bounds(regime):
    assert decided_within_the_bounds(LSTM, np.float32, regime)


def test_products_are_those_of_the_composed_layer_in_double():
    """torch.nn.LSTM in float64 is no single call: its autograd knows nothing of these formulas."""
    for run in runs(LSTM, np.float32, "normal"):
        doubles = {name: torch.from_numpy(v.astype(np.float64)) for name, v in run.operands.items()}
        leaves = [doubles[name].requires_grad_() for name in OPERANDS]
        x, W, U, b, b2, h0, c0 = leaves
        flat = (W, U, b, b2) if run.options["has_biases"] else (W, U)
        given = x.flip(0) if run.options["reverse"] else x
        states = (h0[None], c0[None])
        y, hn, cn = torch.lstm(given, states, flat, run.options["has_biases"], 1, 0.0, True, False, False)
        y = y.flip(0) if run.options["reverse"] else y
        upstream = [torch.from_numpy(run.upstream[k].astype(np.float64)) for k in ("g", "g_hn", "g_cn")]
        roots = [y, hn.reshape(h0.shape), cn.reshape(c0.shape)]
        theirs = torch.autograd.grad(roots, leaves, upstream, allow_unused=True)
        run.operands = {name: leaf.detach().numpy() for name, leaf in doubles.items()}
        run.upstream = dict(zip(run.upstream, (g.numpy() for g in upstream), strict=True))
        run.outputs = {"y": y.detach().numpy()}
        for operand, gradient in zip(OPERANDS, theirs, strict=True):
            if gradient is None:
                continue
            found = evaluated(run, LSTM.vjps[operand], run.outputs, recorded)
            assert not share(LSTM.vjps[operand], operand, gradient.numpy(), found).complaint


@pytest.mark.parametrize("fault", [lambda y: y * (1 + 2.0**-10), np.negative])
def test_a_planted_fault_is_told(fault):
    assert_told(next(runs(LSTM, np.float32, "normal")), fault)


@pytest.mark.parametrize("option", [{"mode": 1}, {"batch_sizes": (2, 1)}])
def test_what_is_not_read_is_refused(option):
    run = next(runs(LSTM, np.float32, "normal"))
    states = LSTM.forward["y"].function
    with pytest.raises(UnreadArgumentError):
        bound(states, {**run.options, **option})(*(same(run.operands[name]) for name in OPERANDS))
