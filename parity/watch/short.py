"""What PyTorch computes in 16 bits otherwise than "in float32, and one rounding out".

An operation that PyTorch makes of several operations, or that keeps a running sum in the tensor itself,
rounds every result on the way to the short format. It is held to the class of programs that do: each
result of its formula rounded to that format, sums in any order in it. The bound grows with the unit of
the format, and the printed resolution with it. Every other operation has no such class.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from parity.bounds.formats import FORMATS, Arithmetic, rounding_each
from parity.pytorch.recorder.data import Recorded

FORWARD: Mapping[str, str] = {
    "_log_softmax": "x − max and log Σ are rounded before they are subtracted",
    "_scaled_dot_product_flash_attention_for_cpu": "the scores and their exponentials are rounded",
    "logsumexp": "made of amax, sub, exp, sum, log and add",
    "native_batch_norm": "the variance is rounded before its root is taken",
    "nll_loss_forward": "the sum over the batch is kept in the tensor",
    "pow": "the exponent is rounded to the format",
    "prod": "the product is kept in the format",
}
"""By operation: what PyTorch 2.13 was seen to round on the CPU."""

BACKWARD: Mapping[str, str] = {
    "_scaled_dot_product_flash_attention_for_cpu": "as forward, and the gradients of the scores",
    "embedding": "each row is added to the gradient in place",
    "huber_loss": "made of operations on tensors",
    "linalg_vector_norm": "made of div, mul",
    "logsumexp": "made of sub, exp, mul",
    "mse_loss": "2 (ŷ − y) and its products are rounded one by one",
    "native_group_norm": "the partial sums of the affine gradients are kept in the format",
    "native_layer_norm": "the partial sums of the affine gradients are kept in the format",
    "pow": "made of pow and two products",
    "prod": "made of mul and div",
    "std": "made of var's and a div",
    "var": "made of mean, sub and mul",
}
"""The same of its vector-Jacobian products."""


def shortest(tensors: Sequence[Recorded]) -> str | None:
    """The coarsest 16-bit format among these tensors'."""
    found = [tensor.dtype for tensor in tensors if tensor.dtype in FORMATS]
    coarsest = max(found, key=lambda name: FORMATS[name].u, default="float32")
    return coarsest if FORMATS[coarsest].inside != coarsest else None


def rounding_inside(tensors: Sequence[Recorded]) -> Arithmetic | None:
    """The arithmetic of a program that rounds each result to that format; None without one."""
    name = shortest(tensors)
    return None if name is None else rounding_each(FORMATS[name])
