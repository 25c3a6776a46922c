"""The traps of recording at run time, each with its test."""

from __future__ import annotations

import gc
import subprocess
import sys
import weakref

import numpy as np
import pytest
import torch
from torch import nn

from parity.errors import UsageError
from parity.pytorch.recorder.data import Output, Recorded, flat
from parity.pytorch.recorder.recorder import Recorder


@pytest.fixture(autouse=True)
def _seeded():
    torch.manual_seed(11)


def one_step(module, run, **options):
    """The only step of a program that runs forward and backward once."""
    with Recorder(*([module] if module is not None else []), **options) as recorder:
        run().backward()
    (step,) = recorder.steps
    return step


def calls(step, name):
    return [call for call in step.calls if call.operation.startswith(f"aten.{name}.")]


def node(backward, name):
    (found,) = [node for node in backward.nodes.values() if node.name == name]
    return found


# 1. Writes that no schema and no version shows


def test_batch_norm_writes_its_statistics():
    bn, x = nn.BatchNorm1d(3), torch.randn(7, 3)
    step = one_step(bn, lambda: (bn(x) * torch.randn(7, 3) + bn(x)).sum())
    first, second = calls(step, "native_batch_norm")
    mean = x.mean(0).numpy()
    assert np.all(first.arguments["running_mean"].array == 0)
    assert np.array_equal(first.written["running_mean"].array, second.arguments["running_mean"].array)
    assert np.max(np.abs(first.written["running_mean"].array - np.float32(0.1) * mean)) < 1e-6
    assert np.array_equal(second.written["running_mean"].array, bn.running_mean.numpy())
    assert first.written["running_var"].identity.state == first.arguments["running_var"].identity.state + 1


def test_batch_norm_in_evaluation_writes_nothing():
    bn = nn.BatchNorm1d(3).eval()
    step = one_step(bn, lambda: bn(torch.randn(7, 3)).sum())
    assert not calls(step, "native_batch_norm")[0].written


# 2. Snapshots by writes to the storage


def test_a_write_to_data_is_a_call_and_a_new_state():
    w = nn.Parameter(torch.randn(4, 3))

    def run():
        y = w * 2
        w.data.mul_(3)
        return (y * w).sum()

    step = one_step(None, run)
    first, last = calls(step, "mul")
    (write,) = calls(step, "mul_")
    before, after = first.arguments["self"], last.arguments["other"]
    assert np.array_equal(after.array, before.array * 3)
    assert after.identity == write.written["self"].identity != before.identity
    assert after.identity.storage == before.identity.storage
    assert write.outputs == (None,)


def test_lists_of_tensors_are_written_and_read():
    parameters = [nn.Parameter(torch.randn(3)), nn.Parameter(torch.randn(2, 2))]
    old = [p.detach().clone().numpy() for p in parameters]

    def run():
        with torch.no_grad():
            torch._foreach_add_(parameters, 1.5)
        return (parameters[0].sum() * parameters[1]).sum()

    step = one_step(None, run)
    (added,) = calls(step, "_foreach_add_")
    given, written = added.arguments["self"], added.written["self"]
    assert isinstance(given, tuple)
    for before, after, was in zip(given, written, old, strict=True):
        assert np.array_equal(before.array, was)
        assert np.array_equal(after.array, was + np.float32(1.5))
    assert calls(step, "sum")[0].arguments["self"] is written[0]


def test_a_write_in_backward_does_not_reach_what_was_recorded():
    class Overwrites(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x, buffer):
            ctx.buffer = buffer
            return x * 1.0

        @staticmethod
        def backward(ctx, g):
            ctx.buffer.data.zero_()
            return g, None

    w, buffer = nn.Parameter(torch.randn(4)), torch.randn(4) + 1
    was = buffer.clone().numpy()
    step = one_step(None, lambda: Overwrites.apply(w * buffer, buffer).sum())
    assert torch.all(buffer == 0)
    assert np.array_equal(calls(step, "mul")[0].arguments["other"].array, was)


def test_memory_shared_with_numpy_is_looked_at_again():
    memory = np.arange(4, dtype=np.float32)
    x, w = torch.from_numpy(memory), nn.Parameter(torch.randn(4))

    def run():
        y = (w * x).sum()
        memory[:] = 7
        return y + (w * x).sum()

    first, second = calls(one_step(None, run), "mul")
    assert first.arguments["other"].array.tolist() == [0, 1, 2, 3]
    assert second.arguments["other"].array.tolist() == [7, 7, 7, 7]
    assert first.arguments["other"].identity != second.arguments["other"].identity
    assert first.arguments["self"] is second.arguments["self"]


def test_recording_leaves_storages_resizable():
    w, out = nn.Parameter(torch.randn(4)), torch.empty(2)
    step = one_step(None, lambda: (w * torch.add(torch.ones(2), 1, out=out).sum()).sum())
    assert out.untyped_storage().resizable()
    assert w.untyped_storage().resizable()
    assert np.array_equal(calls(step, "add")[0].written["out"].array, [2, 2])


def test_the_same_value_is_the_same_object_and_views_share_memory():
    a, w = nn.Linear(3, 3), torch.randn(5, 3)
    step = one_step(a, lambda: (a(w) + a(w).t().reshape(5, 3)).sum())
    weights = {id(call.arguments["self"]) for call in calls(step, "t") if call.module_class == "Linear"}
    assert len(weights) == 1
    first = calls(step, "t")[0]
    assert first.results[0].identity == first.arguments["self"].identity
    assert np.shares_memory(first.results[0].array, first.arguments["self"].array)


# 3. Whether an output requires a gradient is known only after the call


def test_outputs_know_their_node():
    a, x = nn.Linear(3, 4), torch.randn(5, 3)
    step = one_step(a, lambda: (torch.stack(a(x).split(2, 1)) * x.sum()).sum())
    (split,), (plain,) = calls(step, "split"), [c for c in calls(step, "sum") if c.outputs == (None,)]
    assert [output.slot for output in split.outputs] == [0, 1]
    assert plain.arguments["self"].shape == (5, 3)
    (backward,) = step.backwards
    assert backward.nodes[split.outputs[0].node].call is split


# 4. In place on what backward needs: autograd clones it first


def test_in_place_on_a_saved_value():
    h, w = nn.Parameter(torch.randn(4)), nn.Parameter(torch.randn(4))

    def run():
        y = h * 1.0
        y.mul_(w)
        return y.sum()

    step = one_step(None, run)
    (call,) = calls(step, "mul_")
    (backward,) = step.backwards
    assert backward.nodes[call.outputs[0].node].call is call
    assert calls(step, "clone")
    share = backward.grad_in[call.outputs[0].node][1]
    assert np.array_equal(share.array, call.arguments["self"].array)  # ∂/∂w = what y was, times 1


# 5. In place on a view


def test_in_place_on_a_view():
    w, scale = nn.Parameter(torch.randn(4, 6)), nn.Parameter(torch.randn(4, 2))

    def run():
        base = w * 1.0
        base[:, 1:5:2].mul_(scale)
        return (base * base).sum()

    step = one_step(None, run)
    (backward,) = step.backwards
    copied = node(backward, "CopySlices")
    shape = copied.call.geometry
    assert copied.call.operation == "aten.mul_.Tensor"
    assert (shape.base_shape, shape.base_strides) == ((4, 6), (6, 1))
    assert (shape.shape, shape.strides, shape.offset) == ((4, 2), (6, 2), 1)
    assert backward.grad_in[copied.id][0].shape == (4, 6)


def test_a_view_seen_again_after_its_base_was_written():
    w = nn.Parameter(torch.randn(4, 6))

    def run():
        base = w * 1.0
        view = base[1:3]
        base.mul_(2.0)
        return (view * view).sum() + base.sum()

    (backward,) = one_step(None, run).backwards
    again = node(backward, "AsStridedBackward0")
    assert (again.geometry.shape, again.geometry.strides, again.geometry.offset) == ((2, 6), (6, 1), 6)
    assert (again.geometry.base_shape, again.geometry.base_strides) == ((4, 6), (6, 1))


def test_a_view_seen_again_after_another_view_was_written():
    w, scale = nn.Parameter(torch.randn(4, 6)), nn.Parameter(torch.randn(4, 2))

    def run():
        base = (w * 1.0).t()
        left, right = base[:, :2], base[3:, 2:]
        right.mul_(2.0)
        return (left * left).sum() + scale.sum()

    (backward,) = one_step(None, run).backwards
    again = [found for found in backward.nodes.values() if found.name == "AsStridedBackward0"]
    assert again
    for found in again:
        (share,) = backward.grad_in[found.id]
        placed = torch.zeros(24).as_strided(found.geometry.base_shape, found.geometry.base_strides)
        place = placed.as_strided(found.geometry.shape, found.geometry.strides, found.geometry.offset)
        place.copy_(torch.from_numpy(backward.grad_out[found.id][0].array.copy()))
        assert np.array_equal(share.array, placed.numpy())


# 6. No hook stays, no graph lives on


def test_no_graph_is_kept_alive():
    a, died = nn.Linear(3, 3), []

    class Watched(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            ctx.token = Token()
            died.append(weakref.ref(ctx.token))
            return x * 2

        @staticmethod
        def backward(ctx, g):
            return g * 2

    with Recorder(a) as recorder:
        for _ in range(3):
            Watched.apply(a(torch.randn(2, 3))).sum().backward()
            gc.collect()
            assert died[-1]() is None
        Watched.apply(a(torch.randn(2, 3)))  # a graph that never runs backward
        torch.ones(1)
        gc.collect()
        assert died[-1]() is None
    assert len(recorder.steps) == 3
    assert not a._forward_hooks
    assert not a.weight._backward_hooks


class Token:
    pass


def test_no_hook_stays_on_a_graph_that_is_kept():
    a = nn.Linear(3, 3)
    ran = []
    with Recorder(a, on_node=lambda backward, number: ran.append(number)):
        loss = a(torch.randn(2, 3)).sum()
        loss.backward(retain_graph=True)
    seen = len(ran)
    loss.backward()
    assert len(ran) == seen
    assert torch.autograd.backward.__module__ == "torch.autograd"
    assert not hasattr(torch.autograd.backward, "__wrapped__")


FLAT = """
import gc, resource, torch
from parity.pytorch.recorder.recorder import Recorder
model = torch.nn.Sequential(torch.nn.Linear(256, 2048), torch.nn.ReLU(), torch.nn.Linear(2048, 256))
optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
peaks = []
with Recorder(model, on_step=lambda step: None):
    for step in range(60):
        optimizer.zero_grad()
        model(torch.randn(512, 256)).square().mean().backward()
        optimizer.step()
        if step >= 10: peaks.append(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
print((peaks[-1] - peaks[0]) / 1024)
"""


def test_memory_is_flat_over_sixty_steps():
    found = subprocess.run([sys.executable, "-c", FLAT], capture_output=True, text=True, check=True)
    assert float(found.stdout) < 100, "MB more after sixty steps than after ten; a graph is 8 MB"


# 7. A gradient that is None


def test_nobody_asked():
    a, x = nn.Linear(3, 2), torch.randn(4, 3, requires_grad=True)
    with Recorder(a) as recorder:
        y = torch.tanh(a(x)).sum()
        (found,) = torch.autograd.grad(y, [a.weight])
        torch.tanh(a(x)).sum().backward()
    only, everything = (step.backwards[0] for step in recorder.steps)
    linear, t = node(only, "AddmmBackward0"), node(only, "TBackward0")
    asked = [only.asked(linear.id, edge) for edge in range(3)]
    assert asked == [False, False, True]  # bias, x, weight
    assert [share is not None for share in only.grad_in[linear.id]] == asked
    assert np.array_equal(only.found[0].array, found.numpy())
    assert only.shares(only.inputs[0])[0].array.tolist() == found.tolist()
    assert only.asked(t.id, 0)
    whole = node(everything, "AddmmBackward0")
    assert all(everything.asked(whole.id, edge) for edge in range(3))


def test_a_gradient_that_is_zero():
    class Nothing(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x, y):
            return x * 2 + y.detach()

        @staticmethod
        def backward(ctx, g):
            return g * 2, None

    w, v = nn.Parameter(torch.randn(3)), nn.Parameter(torch.randn(3))
    (backward,) = one_step(None, lambda: Nothing.apply(w * 1.0, torch.exp(v)).sum()).backwards
    function, exp = node(backward, "NothingBackward"), node(backward, "ExpBackward0")
    assert backward.grad_in[function.id][1] is None
    assert backward.asked(function.id, 1)
    assert backward.grad_out[exp.id] == [None]


# 8. Compiled code


def compiled_pair(backend):
    def tail(h):
        return torch.tanh(h) * 2 + h

    inner = nn.Sequential(nn.Linear(4, 8), nn.GELU(), nn.Linear(8, 4))
    net = nn.Sequential(nn.Linear(3, 4), torch.compile(inner, backend=backend), nn.ReLU())
    return net, torch.compile(tail, backend=backend)


@pytest.mark.filterwarnings("ignore")
def test_what_is_compiled_runs_compiled_and_is_one_call():
    from torch._dynamo.testing import CompileCounterWithBackend

    counter = CompileCounterWithBackend("aot_eager")
    torch._dynamo.reset()
    net, tail = compiled_pair(counter)
    x = torch.randn(5, 3)
    plain = tail(net(x)).sum()
    plain.backward()
    compiled = counter.frame_count
    assert compiled == 2
    gradients = [p.grad.clone() for p in net.parameters()]
    net.zero_grad()
    with Recorder(net) as recorder:
        loss = tail(net(x)).sum()
        loss.backward()
    assert counter.frame_count == compiled, "nothing was compiled again"
    assert torch.equal(loss, plain)
    assert all(torch.equal(p.grad, g) for p, g in zip(net.parameters(), gradients, strict=True))
    (step,) = recorder.steps
    (backward,) = step.backwards
    region, function = [call for call in step.calls if call.compiled]
    assert (region.module, region.module_class) == ("1", "Sequential")
    assert function.operation == "compiled tail"
    inside = [call.operation for call in region.region.definition.calls]
    assert inside == ["aten.t.default", "aten.addmm.default", "aten.gelu.default", *inside[:2]]
    assert not [call for call in step.calls if call.operation.startswith("aten.gelu")]
    assert not [call for call in step.calls if call.operation.startswith("aten.tanh")]
    opaque = [found for found in backward.nodes.values() if found.compiled]
    assert len(opaque) == 2
    known = backward.nodes[region.outputs[0].node]
    assert known in opaque
    assert known.call is region
    first = calls(step, "addmm")[0]
    assert region.arguments["input"] is first.results[0]
    assert backward.grad_out[known.id][0].shape == region.results[0].shape
    assert all(backward.grad_out[found.id][0] is not None for found in opaque)


# 9. Functions of the user's own


def test_a_custom_function_is_named():
    class Doubled(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return x * 2

        @staticmethod
        def backward(ctx, g):
            return g * 2

    w = nn.Parameter(torch.randn(3))
    step = one_step(None, lambda: Doubled.apply(w).sum())
    function = node(step.backwards[0], "DoubledBackward")
    assert function.call is None
    assert function.custom.name.endswith("Doubled")
    assert function.custom.module == __name__
    line = Doubled.forward.__code__.co_firstlineno - 1
    assert function.custom.source == f"test_traps.py:{line}"
    assert calls(step, "mul")[0].phase == "no_grad"


# 10. Nothing private is replaced; what was taken hold of before is noticed


def test_functions_imported_before_are_noticed():
    from torch.autograd import grad

    net, x = nn.Linear(3, 2), torch.randn(4, 3, requires_grad=True)
    with Recorder(net) as recorder:
        y = torch.tanh(net(x))
        (slope,) = grad(y, x, torch.ones(4, 2), create_graph=True)
        (y.sum() + slope.square().sum()).backward()
    (step,) = recorder.steps
    first, last = step.backwards
    assert [first.nodes[root.output.node].name for root in first.roots] == ["TanhBackward0"]
    assert first.roots[0].seed.array.tolist() == [[1, 1]] * 4
    assert first.grad_out[first.roots[0].output.node][0].array.tolist() == [[1, 1]] * 4
    assert "TanhBackward0" in {found.name for found in last.nodes.values()}
    assert {call.phase for call in step.calls} == {"forward", "backward-with-grad"}
    engine = torch.autograd.graph._engine_run_backward
    assert engine.__module__ == "torch.autograd.graph"


# 11. One opaque kernel for a whole layer


def test_an_lstm_is_one_call():
    rnn = nn.LSTM(3, 4)
    step = one_step(rnn, lambda: rnn(torch.randn(5, 2, 3))[0].sum())
    (layer,) = calls(step, "mkldnn_rnn_layer")
    (backward,) = step.backwards
    found = node(backward, "MkldnnRnnLayerBackward0")
    assert found.call is layer
    assert [share is not None for share in backward.grad_in[found.id][1:5]] == [True] * 4


# 12. Memory: nothing is copied unless somebody writes


def test_values_are_copied_only_when_somebody_writes():
    w = nn.Parameter(torch.randn(64, 64))
    copied: list[bool] = []

    def look(call):
        copied.extend(value.frozen for value in call.arguments.values() if isinstance(value, Recorded))

    with Recorder(on_call=look) as recorder:
        h = torch.tanh(w @ w)
        h = h * 2
        h.add_(1)
        h.sum().backward()
        (mul,) = [call for call in recorder._steps._calls if call.operation == "aten.mul.Tensor"]
        assert mul.results[0].frozen
        assert not mul.arguments["self"].frozen
    assert copied.count(True) == 1  # what add_ read
    assert mul.arguments["self"].frozen, "after recording all is numpy"


# Tensors that numpy does not have


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.complex64, torch.float64])
def test_formats(dtype):
    w = torch.tensor([0.1, 1e4, 7], dtype=dtype, requires_grad=True)
    step = one_step(None, lambda: (w * w.conj()).sum().abs())
    taken = calls(step, "mul")[0].arguments["self"]
    assert taken.dtype == str(dtype).removeprefix("torch.")
    assert taken.array.tolist() == w.tolist()


@pytest.mark.filterwarnings("ignore:Sparse CSR")
def test_sparse_tensors_are_recorded_dense():
    a = torch.eye(3).to_sparse_csr().requires_grad_()
    b = torch.randn(3, 2, requires_grad=True)
    with Recorder() as recorder:
        torch.autograd.grad(torch.sparse.mm(a, b).sum(), [b])
        torch.sparse.mm(a, b).sum().backward()
    (step,) = recorder.steps
    product = next(call for call in step.calls if any(v.layout == "sparse_csr" for v in flat(
        tuple(call.arguments.values()))))  # fmt: skip
    found = next(v for v in flat(tuple(product.arguments.values())) if v.layout == "sparse_csr")
    assert np.array_equal(found.array, np.eye(3))


def test_recording_runs_no_operation_of_its_own():
    net, x = nn.Linear(3, 2), torch.randn(4, 3)
    with Recorder(net) as recorder:
        torch.autograd.grad(net(x).sum(), [net.weight, net.bias])
    assert not calls(recorder.steps[0], "view")
    assert not calls(recorder.steps[0], "view_as")


# Other devices


def test_another_device_is_a_wrong_question():
    w = nn.Parameter(torch.randn(3, device="meta"))
    with pytest.raises(UsageError, match="device meta"), Recorder():
        (w * 2).sum()
    assert not hasattr(torch.autograd.backward, "__wrapped__")
    assert torch.utils._python_dispatch._get_current_dispatch_mode() is None


def test_an_output_is_compared_by_value():
    assert Output(3, 0) == Output(3, 0) != Output(3, 1)
