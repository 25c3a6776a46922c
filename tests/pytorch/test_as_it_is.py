"""A torch model is judged as it is: what a copy would lose, or no module shows, is refused by name."""

from __future__ import annotations

import copy
import json

import pytest
import torch
from torch import nn

from parity.errors import UsageError
from parity.lockstep.run import run
from parity.pytorch.imported.case import BatchPeer, training_of

X = torch.linspace(-1, 1, 20).reshape(5, 4)
Y = torch.linspace(0, 1, 10).reshape(5, 2)


def net():
    return nn.Sequential(nn.Linear(4, 3), nn.Tanh(), nn.Linear(3, 3), nn.Tanh(), nn.Linear(3, 2))


def changed(change, model=None):
    model = model or net()
    change(model)
    return model


def walked(model, **options):
    return run(training_of(options.pop("loss", "mse"), lr=0.5, steps=2), peer=BatchPeer("m", model, X, Y))


def _shared(model):
    model[2].weight.data = model[0].weight.data.view(-1)[:9].view(3, 3)


def _forward(model):
    layer = model[0]
    layer.forward = lambda x: 2 * nn.functional.linear(x, layer.weight, layer.bias)


class Partly(nn.Module):
    """Its first layer runs under no_grad."""

    def __init__(self, run):
        super().__init__()
        self.first, self.act, self.last, self.run = nn.Linear(4, 3), nn.Tanh(), nn.Linear(3, 2), run

    def forward(self, x):
        return self.run(self, x)


def _no_grad_first(self, x):
    with torch.no_grad():
        z = self.first(x)
    return self.last(self.act(z))


def _no_grad_act(self, x):
    z = self.first(x)
    with torch.no_grad():
        a = self.act(z)
    return self.last(a)


REFUSED = {
    "hook on a parameter": (
        lambda: changed(lambda m: m[0].weight.register_hook(lambda g: 2 * g)),
        "0.weight has a hook on its gradient (register_hook)",
    ),
    "hook after accumulation": (
        lambda: changed(lambda m: m[2].bias.register_post_accumulate_grad_hook(lambda p: None)),
        "2.bias has a hook on its gradient (register_post_accumulate_grad_hook)",
    ),
    "shared storage": (lambda: changed(_shared), "0.weight and 2.weight share their storage"),
    "forward on the instance": (lambda: changed(_forward), "0 (Linear) has a forward that was put on"),
    "no_grad around a layer": (lambda: Partly(_no_grad_first), "no gradient reaches first (Linear)"),
    "no_grad around an activation": (lambda: Partly(_no_grad_act), "no gradient reaches act (Tanh)"),
    "compiled": (lambda: torch.compile(net()), "is compiled (torch.compile)"),
    "compiled in place": (lambda: changed(lambda m: m.compile()), "is compiled (torch.compile)"),
}


@pytest.mark.parametrize("what", REFUSED)
@pytest.mark.filterwarnings("ignore:`torch.jit.script_method` is deprecated")  # torch.compile's own
def test_what_would_be_judged_as_another_model_is_refused(what):
    model, said = REFUSED[what]
    with pytest.raises(UsageError) as error:
        walked(model())
    assert said in str(error.value)
    assert "\n" not in str(error.value)


RUNS = {
    "parametrized": lambda: changed(lambda m: nn.utils.parametrizations.weight_norm(m[0])),
    "frozen part": lambda: changed(lambda m: m[0].requires_grad_(False)),
    "frozen bias": lambda: changed(lambda m: m[2].bias.requires_grad_(False)),
    "a function between modules": lambda: Partly(
        lambda self, x: self.last(nn.functional.relu(self.first(x)))
    ),
}


@pytest.mark.parametrize("what", RUNS)
def test_what_is_no_chain_of_layers_is_judged_as_its_graph(what):
    assert walked(RUNS[what]()).verdict == "match"


def test_a_hook_on_every_module_is_refused():
    handle = nn.modules.module.register_module_forward_hook(lambda *_: None)
    try:
        with pytest.raises(UsageError, match="hooks on every module"):
            walked(net())
    finally:
        handle.remove()


def test_a_flat_buffer_whose_parts_do_not_overlap_is_no_sharing():
    model = net()
    flat = torch.cat([p.data.reshape(-1) for p in model.parameters()])
    begin = 0
    for parameter in model.parameters():
        parameter.data = flat[begin : begin + parameter.numel()].view(parameter.shape)
        begin += parameter.numel()
    assert walked(model).verdict == "match"


def test_the_model_is_left_as_it_was_bit_for_bit():
    model = net().train()
    model[0].weight.grad = torch.full_like(model[0].weight, 3.0)
    before, drawn = copy.deepcopy(model.state_dict()), torch.get_rng_state()
    assert walked(model).verdict == "match"
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())
    assert torch.equal(model[0].weight.grad, torch.full_like(model[0].weight, 3.0))
    assert model[2].weight.grad is None
    assert model.training
    assert torch.equal(torch.get_rng_state(), drawn)


def test_a_caller_without_gradients_is_answered_all_the_same():
    with torch.no_grad():
        assert walked(net()).verdict == "match"


class Raises(torch.autograd.Function):
    @staticmethod
    def forward(ctx, z):
        return z.view_as(z)

    @staticmethod
    def backward(ctx, g):
        raise RuntimeError("not today")


def test_a_backward_that_raises_is_one_line():
    model = Partly(lambda self, x: self.last(self.act(Raises.apply(self.first(x)))))
    with pytest.raises(UsageError, match="raised RuntimeError in training: not today"):
        walked(model)


@pytest.mark.parametrize(
    ("last", "loss", "advised"),
    [
        (nn.Softmax(dim=1), "cross_entropy", True),
        (nn.Sigmoid(), "bce_with_logits", True),
        (nn.Sigmoid(), "mse", False),
        (nn.Identity(), "cross_entropy", False),
    ],
)
def test_a_softmax_taken_twice_matches_and_is_advised_against(last, loss, advised):
    result = walked(nn.Sequential(nn.Linear(4, 2), last), loss=loss)
    assert result.verdict == "match"
    assert [line for line in result.advice if "applied twice" in line] == result.advice
    assert bool(result.advice) == advised


def test_the_advice_is_told_in_both_languages(ask, tmp_path):
    words = ["run", "--data", "iris", "--layers", "4-3", "--activation", "softmax"]
    words += ["--loss", "cross_entropy", "--steps", "1"]
    for lang, said in (("en", "applied twice"), ("es", "dos veces")):
        code, out, err = ask(*words, "--lang", lang, "--report", str(tmp_path / lang))
        assert code == 0, err
        assert said in out
        assert said in (tmp_path / lang / "index.html").read_text(encoding="utf-8")
    code, out, _ = ask(*words, "--json", "-")
    assert "applied twice" in json.loads(out)["advice"][0]
