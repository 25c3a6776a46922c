"""Products of groups of rows, which PyTorch has in float32 and shorter formats alone."""

import numpy as np
import pytest
import torch

from reference.operation import UnreadArgumentError, bound
from reference.operations.experts import OPERATIONS
from tests.reference.operations.observed import REGIMES, runs
from tests.reference.operations.table import assert_told, decided_within_the_bounds, same

GROUPED = OPERATIONS[0]


@pytest.mark.parametrize("regime", REGIMES)
def test_pytorch_and_the_engine_are_within_the_bounds(regime):
    assert decided_within_the_bounds(GROUPED, np.float32, regime)


def test_gradients_are_those_of_a_product_a_group_in_double():
    for run in runs(GROUPED, np.float32, "normal"):
        x, z, g = (
            torch.from_numpy(v.astype(np.float64))
            for v in (*map(run.operands.get, "xz"), run.upstream["g"])
        )
        leaves, ends = (x.requires_grad_(), z.requires_grad_()), run.operands["ends"]
        rows = np.split(np.arange(len(x)), ends[:-1])
        theirs = torch.autograd.grad(torch.cat([x[i] @ W for i, W in zip(rows, z, strict=True)]), leaves, g)
        ours = [
            GROUPED.vjps[name].function(g.numpy(), *(v.detach().numpy() for v in leaves), ends)
            for name in "xz"
        ]
        for one, other in zip(ours, theirs, strict=True):
            np.testing.assert_allclose(one, other, rtol=1e-13, atol=1e-13)


@pytest.mark.parametrize("fault", [lambda y: y * (1 + 2.0**-10), np.negative])
def test_a_planted_fault_is_told(fault):
    assert_told(next(runs(GROUPED, np.float32, "normal")), fault)


@pytest.mark.parametrize(
    "changed", [{"options": {"bias": 1.0}}, {"ends": None}, {"ends": np.array([2, 3, 5])}]
)
def test_what_is_not_read_is_refused(changed):
    run = next(runs(GROUPED, np.float32, "normal"))
    taken = {**run.operands, **changed}
    function = bound(GROUPED.forward["y"].function, {**run.options, **changed.get("options", {})})
    with pytest.raises(UnreadArgumentError):
        function(*(same(taken[name]) for name in ("x", "z", "ends")))
