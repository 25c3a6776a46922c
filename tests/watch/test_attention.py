"""Attention whose scores are not finite: what is decided, what is not, and what PyTorch swallows."""

import math

import pytest
import torch
from torch.nn.functional import scaled_dot_product_attention

import parity


def attended(q, k, v, g, **options):
    tensors = [tensor.clone().requires_grad_() for tensor in (q, k, v)]
    with parity.watch() as watched:
        scaled_dot_product_attention(*tensors, **options).backward(g)
    return watched.result


def drawn(dtype, keys=5):
    generator = torch.Generator().manual_seed(3)
    shapes = (1, 2, 3, 4), (1, 2, keys, 4), (1, 2, keys, 4), (1, 2, 3, 4)
    return [torch.randn(shape, generator=generator, dtype=dtype) for shape in shapes]


@pytest.mark.parametrize("scale", [1e6, 1e12, 1e24])
@pytest.mark.parametrize("g", [0.0, 1.0])
def test_scores_too_large_for_their_format_accuse_nobody(scale, g):
    q, k, v, upstream = drawn(torch.float32)
    result = attended(scale * q, scale * k, v, g * upstream)
    assert result.wrong == []
    assert result.undecided


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_query_that_may_look_at_nothing_gives_zero(dtype):
    q, k, v, g = drawn(dtype, keys=600)
    mask = torch.zeros(3, 600, dtype=dtype)
    mask[1], mask[2, :520] = -math.inf, -math.inf
    result = attended(q, k, v, g, attn_mask=mask)
    assert result.verdict == "match"
    assert not result.undecided


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_nan_that_the_kernel_drops_is_told(dtype):
    q, k, v, g = drawn(dtype, keys=3)
    q[0, 1, 2, 0] = math.nan
    result = attended(q, k, v, g)
    assert {(wrong.check, wrong.operand) for wrong in result.wrong} == {
        ("forward", "logsumexp"),
        ("forward", "y"),
    }
    assert all(wrong.observed == 0 and wrong.index[1:3] == [1, 2] for wrong in result.wrong)
