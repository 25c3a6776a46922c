"""What a step is, which steps are recorded, and what can be told of what the user's own code changed."""

from __future__ import annotations

import contextlib
import pickle
import subprocess
import sys
import threading
import weakref

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from parity.pytorch.recorder.data import Output, flat
from parity.pytorch.recorder.recorder import Recorder
from tests.pytorch.recorder.models import MODELS


@pytest.fixture(autouse=True)
def _seeded():
    torch.manual_seed(5)


def small():
    net = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 2))
    return net, torch.optim.SGD(net.parameters(), lr=0.1), lambda: net(torch.randn(5, 3)).square().mean()


def names(calls):
    return [call.operation.split(".")[1] for call in calls]


def test_what_follows_belongs_to_the_step_until_the_next_forward():
    net, optimizer, _ = small()
    with Recorder(net) as recorder:
        for _ in range(3):
            x = torch.randn(5, 3) / 255
            found = net(x).square().mean()
            optimizer.zero_grad()
            found.backward()
            found.item()
            nn.utils.clip_grad_norm_(net.parameters(), 0.1)
            optimizer.step()
            with torch.no_grad():
                net[0].weight.clamp_(-1, 1)
    for step in recorder.steps:
        assert len(step.backwards) == len(step.updates) == 1
        inside = names(step.calls)
        assert inside.count("randn") == inside.count("div") == inside.count("mean") == 1
        assert "_local_scalar_dense" in inside
        assert "_foreach_norm" in inside or "linalg_vector_norm" in inside
    assert [step.index for step in recorder.steps] == [0, 1, 2]
    assert "clamp_" in names(recorder.steps[1].calls)[:3]  # after the update, so before the next step


def test_two_losses_are_two_steps_of_one_graph():
    net, optimizer, _ = small()
    with Recorder(net) as recorder:
        h = net(torch.randn(5, 3))
        h.square().mean().backward(retain_graph=True)
        h.abs().sum().backward()
        optimizer.step()
    first, second = recorder.steps
    assert not first.updates
    assert len(second.updates) == 1
    shared = set(first.backwards[0].nodes) & set(second.backwards[0].nodes)
    linear = {n for n in shared if second.backwards[0].nodes[n].name == "AddmmBackward0"}
    assert len(linear) == 2
    assert all(second.backwards[0].nodes[n].call in first.calls for n in linear)
    for leaf in second.backwards[0].leaves.values():
        before = next(one for one in first.backwards[0].leaves.values() if one.name == leaf.name)
        assert np.array_equal(leaf.before.array, before.after.array)


def test_a_sum_of_two_losses_is_one_step_with_two_roots():
    net, _, _ = small()
    with Recorder(net) as recorder:
        h = net(torch.randn(5, 3))
        torch.autograd.backward([h.square().mean(), h], [None, torch.full((5, 2), 2.0)])
    (step,) = recorder.steps
    (backward,) = step.backwards
    assert [root.seed is None for root in backward.roots] == [True, False]
    arrived = backward.grad_out[backward.roots[1].output.node][0]
    shares = backward.shares(backward.roots[1].output)
    assert len(shares) == 2
    assert np.array_equal(arrived.array, shares[0].array + shares[1].array)


def test_autograd_grad_of_parameters_is_a_step_without_update():
    net, _, loss = small()
    with Recorder(net) as recorder:
        found = torch.autograd.grad(loss(), list(net.parameters()))
        loss()
    (step,) = recorder.steps
    (backward,) = step.backwards
    assert not step.updates
    assert not backward.leaves
    assert all(
        np.array_equal(ours.array, theirs.numpy())
        for ours, theirs in zip(backward.found, found, strict=True)
    )


def test_a_gradient_with_respect_to_an_input_is_no_step():
    net, _, loss = small()
    with Recorder(net) as recorder:
        x = torch.randn(5, 3, requires_grad=True)
        torch.autograd.grad(net(x).sum(), x)
        loss().backward()
    (step,) = recorder.steps
    assert len(step.backwards) == 2


def test_without_modules_leaves_are_numbered():
    w, b = torch.randn(3, 2, requires_grad=True), torch.zeros(2, requires_grad=True)
    with Recorder() as recorder:
        for _ in range(2):
            (torch.randn(4, 3) @ w + b).square().sum().backward()
    found = [sorted(leaf.name for leaf in step.backwards[0].leaves.values()) for step in recorder.steps]
    assert [name.partition("(")[2] for name in found[0]] in (["2)", "3×2)"], ["3×2)", "2)"])
    assert found[0] == found[1]


def test_only_the_wanted_steps_are_recorded():
    net, optimizer, loss = small()
    told: list[int] = []
    on = []
    with Recorder(net, wanted=lambda step: step in (2, 5), on_step=lambda s: told.append(s)) as recorder:
        for _ in range(8):
            loss().backward()
            on.append(recorder.recording)
            optimizer.step()
            optimizer.zero_grad()
    assert [step.index for step in told] == [2, 5]
    assert on == [False, True, True, False, True, True, False, False]
    with Recorder(net) as whole:
        loss().backward()
        optimizer.step()
    (reference,) = whole.steps
    for step in told:
        kept = [name for name in names(step.calls) if not name.startswith("_foreach") and name != "zero_"]
        assert kept == [name for name in names(reference.calls) if not name.startswith("_foreach")]
        assert len(step.updates) == len(step.backwards) == 1


def test_an_unwanted_step_runs_without_us():
    net, optimizer, loss = small()
    modes = []
    with Recorder(net, wanted=lambda step: step == 0):
        for _ in range(4):
            found = loss()
            modes.append(torch.utils._python_dispatch._get_current_dispatch_mode() is not None)
            found.backward()
            optimizer.step()
    assert modes[0]
    assert not any(modes[2:])


def test_a_dispatch_mode_of_the_users_own():
    from torch.utils.flop_counter import FlopCounterMode

    net, _, loss = small()
    counts = []
    for recorder in (None, Recorder(net, wanted=lambda step: step in (1, 2))):
        if recorder is not None:
            recorder.__enter__()
        for _ in range(4):
            with FlopCounterMode(display=False) as counter:
                loss().backward()
            counts.append(counter.get_total_flops())
        if recorder is not None:
            recorder.__exit__(None, None, None)
    assert len(set(counts)) == 1
    assert torch.utils._python_dispatch._get_current_dispatch_mode() is None


def test_a_backward_in_another_thread_is_left_alone():
    net, _, loss = small()
    with Recorder(net) as recorder:
        other = threading.Thread(target=lambda: loss().backward())
        other.start()
        other.join()
        loss().backward()
    assert [len(step.backwards) for step in recorder.steps] == [1]


def test_what_was_taken_while_recording_does_nothing_afterwards():
    net, _, loss = small()
    with Recorder(net) as recorder:
        taken = torch.autograd.backward
        loss().backward()
    taken(loss())
    taken(loss())
    assert len(recorder.steps) == 1
    assert torch.utils._python_dispatch._get_current_dispatch_mode() is None


def test_a_closure_is_called_inside_the_update():
    def run(*, recorded):
        torch.manual_seed(1)
        net, _, loss = small()
        optimizer = torch.optim.LBFGS(net.parameters(), max_iter=3)

        called = []

        def closure():
            called.append(1)
            optimizer.zero_grad()
            found = loss()
            found.backward()
            return found

        with Recorder(net) if recorded else contextlib.nullcontext() as recorder:
            optimizer.step(closure)
        return [p.tolist() for p in net.parameters()], len(called), recorder

    ours, count, recorder = run(recorded=True)
    assert ours == run(recorded=False)[0]
    assert count > 1
    assert [len(step.updates) for step in recorder.steps] == [0] * (count - 1) + [1]


def test_a_failed_backward_is_no_step():
    net, _, loss = small()
    with Recorder(net) as recorder:
        h = net[0](torch.randn(5, 3))
        y = torch.exp(h)
        y.add_(1)  # exp needs what it was
        with pytest.raises(RuntimeError, match="modified by an inplace"):
            y.sum().backward()
        loss().backward()
    assert [len(step.backwards) for step in recorder.steps] == [1]


def test_a_listener_that_has_heard_enough_leaves_nothing_behind():
    def enough(step):
        raise ZeroDivisionError

    net, _, loss = small()
    with pytest.raises(ZeroDivisionError), Recorder(net, on_step=enough):
        loss().backward()
    assert torch.utils._python_dispatch._get_current_dispatch_mode() is None
    loss().backward()


def test_the_users_own_exception_passes():
    net, _, loss = small()
    recorder = Recorder(net)

    def run():
        with recorder:
            loss().backward()
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        run()
    assert len(recorder.steps) == 1
    assert torch.utils._python_dispatch._get_current_dispatch_mode() is None


# --- What the user's own code changed -----------------------------------------------------------------


def triple(parameter):
    parameter.grad.mul_(3)


def test_a_tensor_hook_shows_as_a_junction_that_does_not_add_up():
    net, _, _ = small()
    with Recorder(net) as recorder:
        h = net[0](torch.randn(5, 3))
        h.register_hook(lambda g: g * 2)
        net[2].weight.register_hook(lambda g: g + 1)
        net[2].bias.register_post_accumulate_grad_hook(triple)
        net[2](torch.tanh(h)).sum().backward()
    (backward,) = recorder.steps[0].backwards
    altered = [
        (backward.nodes[number].name, backward.nodes[number].parameter)
        for number, arrived in backward.grad_out.items()
        if (shares := backward.shares(Output(number, 0)))
        and not np.array_equal(arrived[0].array, shares[0].array)
    ]
    assert altered == [("AccumulateGrad", "2.weight"), ("AddmmBackward0", None)]
    hooks = {node.parameter or node.name: node.hooks for node in backward.nodes.values() if node.hooks}
    assert hooks == {
        "2.weight": ("tensor hook",),
        "2.bias": ("post-accumulate hook",),
        "AddmmBackward0": ("tensor hook",),
    }
    bias = next(leaf for leaf in backward.leaves.values() if leaf.name == "2.bias")
    share = backward.shares(Output(next(n for n, leaf in backward.leaves.items() if leaf is bias), 0))
    assert np.array_equal(bias.after.array, share[0].array * 3)


def test_module_hooks_are_named():
    net, _, loss = small()
    net[1].register_full_backward_hook(lambda module, grad_in, grad_out: (grad_in[0] * 2,))
    net[0].register_forward_hook(lambda module, args, out: out * 1.5)
    with Recorder(net) as recorder:
        loss().backward()
    (step,) = recorder.steps
    assert sorted(step.module_hooks) == [("0", "forward hook"), ("1", "backward hook")]
    wrapped = [node for node in step.backwards[0].nodes.values() if node.custom is not None]
    assert {node.custom.name for node in wrapped} == {"BackwardHookFunction"}


def test_an_optimizers_own_hook_shows_between_backward_and_update():
    net, optimizer, loss = small()

    def halve(optimizer, args, kwargs):
        for p in net.parameters():
            p.grad.data.mul_(0.5)

    optimizer.register_step_pre_hook(halve)
    with Recorder(net) as recorder:
        loss().backward()
        optimizer.step()
    (update,) = recorder.steps[0].updates
    (first, *_) = update.parameters
    inside = [call for call in recorder.steps[0].calls if update.first <= call.index < update.last]
    assert [call for call in inside if call.operation == "aten.mul_.Tensor"]
    moved = first.before.array - np.float32(0.1) * (first.gradient.array * np.float32(0.5))
    assert np.max(np.abs(first.after.array - moved)) < 1e-7


def test_what_cannot_be_recorded_is_remarked_on():
    net, _, loss = small()
    with Recorder(net) as recorder:
        out = net(torch.randn(5, 3))
        seeds = torch.eye(10).reshape(10, 5, 2)
        torch.autograd.grad(out, net[2].weight, seeds, is_grads_batched=True, retain_graph=True)
        torch.func.grad(lambda x: net(x).sum())(torch.randn(5, 3))
        loss().backward()
    (step,) = recorder.steps
    assert len(step.backwards) == 1
    assert len(step.remarks) == 2
    assert all(remark.startswith("test_steps.py:") for remark in step.remarks)


# --- Streaming ----------------------------------------------------------------------------------------


def defined(call):
    """The bytes of a call's results, without memory that nobody has written to."""
    if call.operation.startswith("aten.empty"):
        return []
    workspace = 3 if call.operation == "aten.mkldnn_rnn_layer.default" else None
    return [value.array.tobytes() for value in list(call.tensors())[:workspace]]


@pytest.mark.parametrize("name", ["mlp_dropout", "resnet_block", "gpt", "lstm"])
def test_streamed_it_is_the_same(name):
    def run(**options):
        torch.manual_seed(3)
        module, make_batch, loss = MODELS[name]()
        with Recorder(module, **options) as recorder:
            for step in range(2):
                loss(module, *make_batch(step)).backward()
        return recorder.steps

    kept = run()
    heard: list[tuple[str, ...]] = []
    ran: list[tuple[object, ...]] = []

    def on_call(call):
        heard.append((call.operation, *defined(call)))

    def on_node(backward, number):
        node = backward.nodes[number]
        shares = [share.array.tobytes() for share in backward.shares(Output(number, 0))]
        operands = [] if node.call is None else list(flat(tuple(node.call.arguments.values())))
        inside = [value.array.tobytes() for value in operands]
        gave = [None if g is None else g.array.tobytes() for g in backward.grad_in[number]]
        ran.append((node.name, shares, inside, gave))

    streamed = run(on_call=on_call, on_node=on_node, keep=False)
    assert [step.calls for step in streamed] == [(), ()]
    calls = [call for step in kept for call in step.calls]
    assert [operation for operation, *_ in heard] == [call.operation for call in calls]
    for (_, *values), call in zip(heard, calls, strict=True):
        assert values == defined(call)
    backwards = [step.backwards[0] for step in kept]
    assert [name for name, *_ in ran] == [b.nodes[n].name for b in backwards for n in b.grad_out]
    assert all(
        gradient is None for b in streamed[0].backwards for g in b.grad_out.values() for gradient in g
    )


def test_streamed_only_what_backward_needs_stays():
    net, _, loss = small()
    alive: list[weakref.ref] = []
    with Recorder(
        net, on_call=lambda call: alive.append(weakref.ref(call)), on_node=lambda b, n: None, keep=False
    ):
        found = loss()
        (found * 0).detach().add(1).item()
        during = [made().operation for made in alive if made() is not None]
        found.backward()
        torch.ones(1)
        assert not [made for made in alive[:-1] if made() is not None and made().phase == "forward"]
    assert "aten.addmm.default" in during
    assert "aten.detach.default" not in during


def test_a_recording_can_be_pickled_and_needs_no_torch(tmp_path):
    net, optimizer, loss = small()
    with Recorder(net) as recorder:
        loss().backward()
        optimizer.step()
    (step,) = recorder.steps
    frozen = tmp_path / "step"
    frozen.write_bytes(pickle.dumps(step))
    program = "import pickle, sys; pickle.load(open(sys.argv[1], 'rb')); sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program, str(frozen)], check=False).returncode == 0
    again = pickle.loads(frozen.read_bytes())
    for ours, theirs in zip(step.calls, again.calls, strict=True):
        assert ours.operation == theirs.operation
        for a, b in zip(ours.tensors(), theirs.tensors(), strict=True):
            assert a.identity == b.identity
            assert np.array_equal(a.array, b.array, equal_nan=True)


def test_sixteen_bits_are_kept_as_float32_with_their_name():
    net, _, _ = small()
    with Recorder(net) as recorder, torch.autocast("cpu", torch.bfloat16):
        F.mse_loss(net(torch.randn(5, 3)), torch.randn(5, 2)).backward()
    low = [
        value for call in recorder.steps[0].calls for value in call.tensors() if value.dtype == "bfloat16"
    ]
    assert low
    assert {value.array.dtype for value in low} == {np.dtype("float32")}
