"""Functions of the user's own in a watched training: their backward is held to a definition."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.autograd import Function

import parity
from parity.kernel.defined import DEFINITIONS
from tests.kernel import kernels
from tests.kernel.mistakes import MISTAKES


def watched(function, *shapes, accept=(), steps=1, integers=None):
    """A training through a function of several parameters, watched."""
    torch.manual_seed(0)
    given = [nn.Parameter(torch.randn(shape)) for shape in shapes]
    optimizer = torch.optim.SGD(given, lr=0.1)
    with parity.watch(accept=accept) as watching:
        for _ in range(steps):
            optimizer.zero_grad()
            made = function(*(one * 1.0 for one in given), *([] if integers is None else [integers]))
            made.square().mean().backward()
            optimizer.step()
    return watching.result


def left(result):
    return [(one.operation, one.kind) for one in result.coverage.not_certified]


SHAPES = {
    "rms_norm": [(5, 7), (7,)],
    "softmax": [(5, 6)],
    "swiglu": [(5, 7), (7, 3), (7, 3)],
    "attention": [(6, 3), (10, 3), (10, 4)],
    "gelu": [(5, 6)],
    "logsumexp": [(5, 6)],
}


@pytest.mark.parametrize("name", SHAPES)
def test_a_right_backward_is_that_of_its_own_forward(name):
    function = kernels.KERNELS[name][0]
    result = watched(function.apply, *SHAPES[name], steps=2).verify()
    rows = [row for row in result.rows if row.operation == function.__name__]
    assert {row.operand for row in rows} == set(map(str, range(len(SHAPES[name]))))
    assert all(row.check == "vjp" and row.calls == 2 and row.source for row in rows)


@pytest.mark.parametrize("name", SHAPES)
def test_a_wrong_backward_is_not(name):
    mistake = next(one for one in MISTAKES if one.kernel == name and one.told in "xq")
    first = watched(mistake.planted, *SHAPES[mistake.kernel]).first_divergence
    assert (first.check, first.operand) == ("vjp", "0")
    assert first.operation == kernels.KERNELS[mistake.kernel][0].__name__


def test_a_none_for_a_gradient_is_told():
    (mistake,) = (one for one in MISTAKES if one.what == "weight's gradient is None")
    first = watched(mistake.planted, (5, 7), (7,)).first_divergence
    assert (first.operation, first.operand, first.observed) == ("RMSNorm", "1", 0)


class Straight(Function):
    """A sign that hands its gradient on: no derivative of anything that ran."""

    @staticmethod
    def forward(ctx, x):
        return x.sign()

    @staticmethod
    def backward(ctx, g):
        return g


class Elsewhere(Function):
    """Computed where nobody sees it."""

    @staticmethod
    def forward(ctx, x, power):
        ctx.save_for_backward(x)
        ctx.power = power
        return torch.from_numpy(x.detach().numpy() ** power)

    @staticmethod
    def backward(ctx, g):
        (x,) = ctx.saved_tensors
        return g * ctx.power * x ** (ctx.power - 1), None


class Late(Elsewhere):
    @staticmethod
    def backward(ctx, g):
        return Elsewhere.backward(ctx, g)[0] * 1.001, None


def powered(function):
    return lambda x: function.apply(x, 3)


@pytest.mark.parametrize("function", [Straight.apply, powered(Elsewhere)], ids=["straight", "elsewhere"])
def test_what_has_no_derivative_as_it_was_recorded_is_opaque(function):
    result = watched(function, (4, 3))
    assert result.verdict == "incomplete"
    ((name, kind),) = left(result)
    assert kind == "opaque"
    assert watched(function, (4, 3), accept=[name]).verdict == "match"


def test_what_is_accepted_is_not_looked_into():
    mistake = next(one for one in MISTAKES if one.kernel == "gelu")
    assert watched(mistake.planted, (5, 6), accept=["GELU"]).verdict == "match"


@pytest.fixture
def defined():
    before = dict(DEFINITIONS)
    yield parity.defines
    DEFINITIONS.clear()
    DEFINITIONS.update(before)


def test_a_registered_definition_is_what_a_function_is_held_to(defined):
    @defined(Elsewhere)
    @defined(Late)
    def power(x, power):
        return x**power

    result = watched(powered(Elsewhere), (4, 3), steps=2).verify()
    rows = {(row.check, row.operand): row for row in result.rows if row.operation == "Elsewhere"}
    assert rows.keys() == {("forward", "0"), ("vjp", "0")}
    first = watched(powered(Late), (4, 3), steps=2).first_divergence
    assert (first.operation, first.check, first.step) == ("Late", "vjp", 0)


def test_a_registered_definition_that_is_none_is_said(defined):
    defined(Elsewhere)(lambda x, power: torch.linalg.svdvals(x))
    ((name, kind),) = left(watched(powered(Elsewhere), (4, 3)))
    assert kind == "unsupported"
    assert name.startswith("Elsewhere, by its definition: ")


def test_only_a_function_can_be_defined(defined):
    with pytest.raises(parity.UsageError, match=r"a torch\.autograd\.Function"):
        defined(len)


def test_an_early_bound_function_with_integers_and_in_a_module_is_found():
    class Bag(nn.Module):
        def __init__(self):
            super().__init__()
            self.weight = nn.Parameter(torch.randn(8, 3))
            self.pool = kernels.EmbeddingBag.apply

        def forward(self, bags):
            return self.pool(self.weight, bags)

    bag = Bag()
    with parity.watch(bag) as watching:
        bag(kernels.whole(8, 5, 6)).square().sum().backward()
    assert watching.verify().verdict == "match"
