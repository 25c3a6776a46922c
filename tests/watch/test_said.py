"""What is not PyTorch's own operation, or not left alone, is said: what, and where."""

import pytest
import torch
from torch import nn

from parity.watch.extent import RECENT
from parity.watch.watching import Watching
from tests.watch.helpers import twice
from tests.watch.lines import line_of


def watched(step, net):
    """One step of a training, watched, and what of it is not certified."""
    with Watching(net) as watching:
        step()
    result = watching.result
    assert not result.wrong
    return result, [(left.operation, left.kind, left.source) for left in result.coverage.not_certified]


class Doubled(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        return torch.from_numpy(2 * x.numpy())

    @staticmethod
    def backward(ctx, g):
        return 2 * g


def net_and_data():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(4, 5), nn.Tanh(), nn.Linear(5, 3)), torch.randn(6, 4)


def test_a_function_of_the_users_own_is_opaque():
    net, x = net_and_data()
    result, left = watched(lambda: Doubled.apply(net(x)).sum().backward(), net)
    assert result.verdict == "incomplete"
    assert result.exit_code == 5
    ((operation, kind, source),) = left
    assert (operation, kind) == ("Doubled", "opaque")
    assert source.startswith("test_said.py:")


def test_what_is_accepted_by_name_is_no_hole():
    net, x = net_and_data()
    with Watching(net, accept=("Doubled",)) as watching:
        Doubled.apply(net(x)).sum().backward()
    assert watching.result.verdict == "match"
    assert [left.operation for left in watching.result.coverage.not_certified] == ["Doubled"]


@pytest.mark.parametrize("factor", [2.0, 1.0])
def test_a_hook_on_a_tensor_that_changes_its_gradient_altered_it(factor):
    net, x = net_and_data()

    def step():
        hidden = net[0](x)
        hidden.register_hook(lambda g: g * factor)
        net[2](net[1](hidden)).square().mean().backward()

    result, left = watched(step, net)
    if factor == 1.0:
        assert result.verdict == "match"
        return
    ((operation, kind, source),) = left
    assert (operation, kind) == ("addmm: tensor hook", "altered")
    assert source.startswith("test_said.py:")


def test_a_hook_on_a_parameter_altered_it():
    net, x = net_and_data()
    net[0].weight.register_hook(lambda g: g.clamp(-0.01, 0.01))
    _, left = watched(lambda: net(x).square().mean().backward(), net)
    ((operation, kind, _),) = left
    assert (operation, kind) == ("accumulate of weight: tensor hook", "altered")


def test_a_modules_backward_hook_altered_it():
    net, x = net_and_data()
    net[1].register_full_backward_hook(lambda module, grad_in, grad_out: (grad_in[0] * 2,))
    _, left = watched(lambda: net(x).square().mean().backward(), net)
    assert [kind for _, kind, _ in left] == ["altered"]
    assert "backward hook" in left[0][0]


def test_a_write_to_data_between_forward_and_backward_altered_it():
    net, x = net_and_data()

    def step():
        loss = net(x).square().mean()
        net[2].weight.data.mul_(1.5)  # the write
        loss.backward()

    _, left = watched(step, net)
    ((operation, kind, source),) = left
    assert kind == "altered"
    assert operation == "aten.addmm.default, backward: aten.mul_.Tensor wrote to what it had taken"
    assert source == f"test_said.py:{line_of(__file__, '# the write')}"


def test_a_write_that_changes_nothing_that_is_used_is_nothing():
    net, x = net_and_data()

    def step():
        loss = net(x).square().mean()
        net[0].weight.data.mul_(1.5)  # x needs no gradient, so nothing reads it
        loss.backward()

    result, left = watched(step, net)
    assert (result.verdict, left) == ("match", [])


@pytest.mark.parametrize("where", ["checks", "products"])
def test_a_formula_of_ours_that_fails_is_our_fault_and_leaves_the_training_alone(where, monkeypatch):
    def failing(*_, **__):
        raise KeyError("planted")

    monkeypatch.setattr(f"parity.watch.{where}.judge", failing)
    net, x = net_and_data()
    with Watching(net, accept=("failed", "opaque", "aten.tanh.default")) as watching:
        net(x).sum().backward()
    result = watching.result
    assert result.verdict == "incomplete"
    assert result.exit_code == 4
    assert all(left.kind == "failed" for left in result.coverage.not_certified)
    assert any(
        "tanh" in left.operation and "'planted'" in left.operation for left in result.coverage.not_certified
    )
    assert net[0].weight.grad is not None


class Late(nn.Module):
    """Uses what an unknown operation made after many others that no gradient goes through."""

    def __init__(self, between: int, *, used: bool) -> None:
        super().__init__()
        self.out, self.between, self.used = nn.Linear(4, 2), between, used

    def forward(self, x):
        with torch.no_grad():
            scale = twice(x)
            others = [x + k for k in range(self.between)]
        return self.out(x * (scale if self.used else others[-1]))


@pytest.mark.parametrize(
    ("between", "used", "verdict"),
    [
        (3, False, "match"),
        (3, True, "incomplete"),
        (RECENT + 50, True, "incomplete"),
        (RECENT + 50, False, "incomplete"),  # it is forgotten by then what the operation was for
    ],
)
def test_an_unknown_operation_is_told_however_late_it_is_used(between, used, verdict):
    torch.manual_seed(0)
    net, x = Late(between, used=used), torch.randn(6, 4)
    with Watching(net) as watching:
        net(x).square().mean().backward()
    assert watching.result.verdict == verdict
