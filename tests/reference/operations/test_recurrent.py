"""The LSTM layer that oneDNN runs in one call, of float32 alone."""

import numpy as np
import pytest
import torch

from reference.operation import UnreadArgumentError, bound
from reference.operations.recurrent import LSTM, OPERANDS
from tests.reference.operations.observed import REGIMES, runs
from tests.reference.operations.table import engine, evaluated, recorded, same, share, shares


@pytest.mark.parametrize("regime", REGIMES)
def test_pytorch_and_the_engine_are_within_the_bounds(regime):
    decided = 0
    for run in runs(LSTM, np.float32, regime):
        for outputs, gradients in ((run.outputs, run.gradients), engine(run)):
            for found in shares(run, outputs, gradients):
                assert not found.complaint, (run.title, found.complaint)
                decided += found.numbers - found.undecided
    assert decided


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
    run = next(runs(LSTM, np.float32, "normal"))
    for output, formula in LSTM.forward.items():
        found = evaluated(run, formula, run.outputs, recorded)
        assert share(formula, output, fault(run.outputs[output]), found).complaint, output
    for operand, formula in LSTM.vjps.items():
        found = evaluated(run, formula, run.outputs, recorded)
        assert share(formula, operand, fault(run.gradients[operand, 0]), found).complaint, operand


@pytest.mark.parametrize("option", [{"mode": 1}, {"batch_sizes": (2, 1)}])
def test_what_is_not_read_is_refused(option):
    run = next(runs(LSTM, np.float32, "normal"))
    states = LSTM.forward["y"].function
    with pytest.raises(UnreadArgumentError):
        bound(states, {**run.options, **option})(*(same(run.operands[name]) for name in OPERANDS))
