"""What is told of a candidate, on which inputs, and of questions that are wrong."""

from __future__ import annotations

import json

import pytest
import torch
import torch.nn.functional as F
from torch import nn

import parity
from parity.errors import Mismatch, UsageError
from parity.kernel.result import KernelResult
from tests.kernel.elsewhere import (
    Own,
    definition,
    flushes,
    overflows,
    reads_as_contiguous,
    squeezes,
    with_backward,
)
from tests.kernel.kernels import normal, whole


def none(ctx, g):
    return Own.backward(ctx, g)[0], None


def zeros(ctx, g):
    return Own.backward(ctx, g)[0], torch.zeros_like(ctx.saved_tensors[1])


def nan(ctx, g):
    dx, dw = Own.backward(ctx, g)
    dw[1, 2] = torch.nan
    return dx, dw


def raising(ctx, g):
    raise LookupError("not today")


WORDS = {
    "None": (with_backward(none), "gradient of w", "it is None"),
    "zeros": (with_backward(zeros), "gradient of w", "it is zero everywhere"),
    "NaN": (with_backward(nan), "gradient of w[1,2]", "1 of its numbers are NaN"),
    "raises in backward": (
        with_backward(raising),
        "output 0",
        "its backward raised LookupError: not today",
    ),
    "raises": (lambda x, w: x @ w.T, "output 0", "it raised RuntimeError"),
    "shape": (lambda x, w: Own.apply(x, w)[:2], "output 0", "has shape (2, 3), not (4, 3)"),
    "dtype": (lambda x, w: Own.apply(x, w).float(), "output 0", "is float32, not float64"),
    "count": (lambda x, w: (Own.apply(x, w), x), "output 1", "it gives 2 outputs, not 1"),
    "detached": (lambda x, w: Own.apply(x, w).detach(), "output 0", "it carries no gradient"),
    "no tensor": (lambda x, w: "y", "output 0", "it gave str, no tensor"),
}


@pytest.mark.parametrize("case", WORDS)
def test_what_is_no_number_is_said_in_words(case):
    candidate, where, words = WORDS[case]
    found = parity.kernel(candidate, definition, normal(4, 5), normal(5, 3))
    assert found.verdict == "mismatch"
    assert f"First wrong: {where}" in str(found)
    assert words in " ".join(str(found).split())
    assert found.first_divergence.inputs == "given"


ONLY_THERE = {"strided": reads_as_contiguous, "one": squeezes, "large": overflows}


@pytest.mark.parametrize("kind", ONLY_THERE)
def test_what_is_wrong_on_other_inputs_alone_is_told_there(kind):
    found = parity.kernel(ONLY_THERE[kind], definition, normal(4, 5), normal(5, 3), dtype="float32")
    wrong = {one.inputs for one in found.wrong}
    assert found.verdict == "mismatch"
    assert kind in wrong
    assert "given" not in wrong or kind == "large"  # e^z − e^−z is not as precise as tanh anywhere


def test_flushed_subnormals_are_told_where_nothing_else_is():
    found = parity.kernel(flushes, definition, normal(4, 5), normal(5, 3), dtype="float32")
    assert {one.inputs for one in found.wrong} == {"subnormal"}


LINEAR = {
    "addmm": (lambda x, w, b: x @ w + b, lambda x, w, b: torch.addmm(b, x, w)),
    "conv1d": (
        lambda x, w, b: F.conv1d(x.T[None], w.T[:, :, None], b)[0].T,
        lambda x, w, b: (x[:, :, None] * w).sum(1) + b,
    ),
}


@pytest.mark.parametrize("case", LINEAR)
def test_whole_numbers_are_not_rounded(case):
    candidate, plain = LINEAR[case]
    inputs = normal(4, 5), normal(5, 3), normal(3)
    found = parity.kernel(candidate, plain, *inputs, dtype="float32").verify()
    exact = [row for row in found.rows if row.inputs == "whole"]
    assert len(exact) == 4
    assert all(row.worst_ratio == 0 and row.resolution == 0 and row.verdict == "match" for row in exact)
    rounding = parity.kernel(lambda *given: candidate(*given) + 0.1 - 0.1, plain, *inputs, dtype="float32")
    (told,) = {one.name: one for one in rounding.wrong if one.inputs == "whole"}.values()
    assert (told.part, told.bound) == ("output", 0)


def several(x, index, scale, unused):
    """Several outputs, one without a gradient; whole numbers as inputs; an input that is not used."""
    largest = x.amax(1, keepdim=True).detach()
    with torch.no_grad():
        mean = x.mean()
    return (x - largest)[index] * scale, x.argmax(1), mean * x, x


def leaking(x, index, scale, unused):
    *others, last = several(x, index, scale, unused)
    return *others, last + (unused - unused.detach()).sum()


def not_stopped(x, index, scale, unused):
    return (x - x.amax(1, keepdim=True))[index] * scale, *several(x, index, scale, unused)[1:]


def test_outputs_and_gradients_of_all_kinds():
    inputs = normal(4, 5), whole(4, 3), 0.1, normal(2)
    found = parity.kernel(several, several, *inputs).verify()
    assert [row.name for row in found.rows if row.inputs == "given"] == ["0", "1", "2", "3", "x"]
    for candidate, name in {leaking: "unused", not_stopped: "x"}.items():
        first = parity.kernel(candidate, several, *inputs).first_divergence
        assert (first.part, first.name) == ("gradient", name)


class Net(nn.Module):
    def __init__(self, slope=1.0):
        super().__init__()
        self.first, self.norm, self.slope = nn.Linear(5, 7), nn.BatchNorm1d(7), slope

    def forward(self, x):
        return F.silu(self.norm(self.first(x))) * self.slope


def test_modules_are_compared_with_the_gradients_of_their_parameters():
    torch.manual_seed(0)
    net, twin, wrong = Net(), Net(), Net(slope=1.001)
    twin.load_state_dict(net.state_dict())
    wrong.load_state_dict(net.state_dict())
    net.first.weight.grad = torch.ones(7, 5)
    before = {name: value.clone() for name, value in net.state_dict().items()}
    x = normal(6, 5).float()
    for candidate in (net, twin, net.forward, lambda x: net(x)):
        found = parity.kernel(candidate, net, x).verify()
        assert {row.name for row in found.rows} == {"0", "x", *dict(net.named_parameters())}
    assert parity.kernel(wrong, net, x).verdict == "mismatch"
    assert all(torch.equal(value, before[name]) for name, value in net.state_dict().items())
    assert torch.equal(net.first.weight.grad, torch.ones(7, 5))
    with pytest.raises(UsageError, match=r"differ in first\.weight"):
        parity.kernel(Net(), net, x)
    with pytest.raises(UsageError, match="has a parameter"):
        parity.kernel(nn.Linear(5, 7), net, x)


CLOSED = torch.ones(3, requires_grad=True)
X = normal(4, 3)
QUESTIONS = {
    "no tensor": ((abs, abs, 1.0), "none of the inputs is a tensor"),
    "no function": ((1, abs, X), "candidate is int, no function"),
    "empty": ((torch.abs, torch.abs, X[:0]), r"shape \(0, 3\) holds no numbers"),
    "sparse": ((torch.abs, torch.abs, X.to_sparse()), "give a dense"),
    "raises": ((torch.abs, lambda x: x @ x, X), "definition: it raised RuntimeError"),
    "random": ((torch.abs, lambda x: F.dropout(x), X), "it draws random numbers"),
    "unknown": ((torch.abs, lambda x: torch.linalg.svdvals(x), X), "is not in the table of operations"),
    "leaf": ((torch.abs, lambda x: x * CLOSED, X), "a gradient that is no input"),
    "opaque": ((torch.abs, lambda x: Own.apply(x, x.T), X), r"Own \(elsewhere.py:\d+\) is no operation"),
    "constant": ((torch.abs, lambda x: CLOSED.detach(), X), "output 0 comes of no operation"),
    "dtype": ((torch.abs, torch.abs, X, {"dtype": "float8"}), "dtype float8: known"),
    "module": ((nn.Linear(3, 2), nn.Linear(3, 2), X, {"dtype": "float64"}), "the parameter weight is not"),
}


@pytest.mark.parametrize("case", QUESTIONS)
def test_a_question_that_is_wrong_is_said_in_one_line(case):
    arguments, words = QUESTIONS[case]
    options = arguments[-1] if isinstance(arguments[-1], dict) else {}
    with pytest.raises(UsageError, match=words):
        parity.kernel(*[one for one in arguments if one is not options], **options)


def test_a_definition_that_has_no_answer_on_other_inputs_is_not_tried_there():
    def at_least_two(x):
        assert len(x) > 1
        return x * 2

    found = parity.kernel(at_least_two, at_least_two, normal(4, 3)).verify()
    assert [(one.inputs, "AssertionError" in one.reason) for one in found.not_tried] == [("one", True)]


def test_a_result_is_one_like_the_others(tmp_path):
    found = parity.kernel(with_backward(zeros), definition, normal(4, 5), normal(5, 3))
    with pytest.raises(Mismatch, match="no rounding of the definition"):
        found.verify()
    assert KernelResult.model_validate_json(found.to_json()).to_json() == found.to_json()
    assert json.loads(found.to_json())["schema"] == "parity-kernel/1"
    assert "MISMATCH" in found._repr_html_()
    assert "gradiente de w" in found.text("es")
    found.report(tmp_path / "page")
    assert (tmp_path / "page" / "result.json").exists()
    assert found.exit_code == 1
    right = parity.kernel(Own.apply, definition, normal(4, 5), normal(5, 3))
    assert right.verify() is right
    assert right.candidate == "Own"


def test_a_gradient_that_is_zero_but_for_rounding_must_be_that():
    """A bias whose mean is subtracted again: the gradient is zero, and PyTorch's is some rounding of it."""

    def centred(x, b):
        return (x + b) - (x + b).mean(0)

    def wrong(x, b):
        return centred(x, b) + (b - b.detach()) * 1e-5

    found = parity.kernel(centred, centred, normal(6, 3).float(), normal(3).float()).verify()
    assert not any(row.vacuous for row in found.rows if row.name == "b")
    told = parity.kernel(wrong, centred, normal(6, 3).float(), normal(3).float())
    assert {one.name for one in told.wrong} == {"b"}


def test_where_rounding_takes_everything_nothing_is_told():
    found = parity.kernel(lambda x: x + 1e9 - 1e9, lambda x: x + 1e9 - 1e9, normal(6, 3).float())
    assert found.verdict == "undecided"
    assert "Nothing could be told of the output 0: no number there is larger than its bound" in str(found)
    assert found.exit_code == 5


def test_a_definition_without_bounds_is_a_wrong_question():
    def scattered(x, i):
        return torch.zeros(3, 5, dtype=x.dtype).scatter_add(1, i, x)

    with pytest.raises(UsageError, match="its bounds are not known"):
        parity.kernel(scattered, scattered, normal(3, 4), whole(5, 3, 4), dtype="bfloat16")


COMPOSED = {
    "convolution": (
        lambda x, w, b: torch.relu(F.conv2d(x, w, b, padding=1, stride=2)),
        (2, 4, 6, 6),
        (3, 4, 3, 3),
        (3,),
    ),
    "batch norm without statistics": (
        lambda x, w, b: F.batch_norm(x, None, None, w, b, training=True),
        (4, 3, 5),
        (3,),
        (3,),
    ),
    "an attention of computed logits, whose largest carries a gradient": (
        lambda q, k: (q @ k.mT - (q @ k.mT).amax(-1, keepdim=True)).exp().cumsum(-1),
        (5, 3),
        (6, 3),
    ),
    "in place, of parts": (lambda x, y: torch.cat([x * 2, y]).mul_(3).sin().chunk(2, 1)[1], (4, 6), (3, 6)),
    "choices": (lambda x: torch.sort(x * x, -1)[0] + F.max_pool1d(x, 2).repeat(1, 2), (3, 6)),
}


@pytest.mark.parametrize("case", COMPOSED)
def test_a_definition_is_inside_its_own_bounds(case):
    function, *shapes = COMPOSED[case]
    inputs = [normal(*shape, seed=seed) for seed, shape in enumerate(shapes)]
    for dtype in ("float32", "float64"):
        parity.kernel(lambda *given: function(*given), function, *inputs, dtype=dtype).verify()
