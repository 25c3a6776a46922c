"""A few of PyTorch's own samples under watch; `python -m tests.reports.opinfo` runs all."""

from collections import defaultdict

import pytest
import torch

from tests.nightly import in_turn
from tests.reports.opinfo import DTYPES, Tally, watch

op_db = pytest.importorskip(
    "torch.testing._internal.common_methods_invocations",
    reason="PyTorch's samples need expecttest",
    exc_type=ImportError,
).op_db
NAMES = (
    "index_fill", "nn.functional.multi_margin_loss", "nn.functional.layer_norm", "native_batch_norm", "mul",
    "as_strided", "cumsum", "nn.functional.conv2d", "addmm", "nn.functional.embedding_bag",
)  # fmt: skip
OPERATORS = defaultdict(list)
for known in op_db:
    OPERATORS[known.name].append(known)


@pytest.mark.filterwarnings("ignore")  # PyTorch's own, of its samples
@pytest.mark.parametrize(("name", "dtype"), in_turn(NAMES, list(DTYPES)), ids=str)
def test_samples_are_certified_or_unsupported_by_name(name, dtype):
    tally = Tally()
    for operator in OPERATORS[name]:
        watch(operator, dtype, tally)
    assert tally.alarms == []
    assert tally.certified
    assert torch.is_grad_enabled()
