"""Compiled code in a watched training: held to its own Python code as one unit, however compiled."""

from __future__ import annotations

import contextlib
import shutil
from dataclasses import dataclass

import pytest
import torch
import torch.nn.functional as F
from functorch.compile import make_boxed_func
from torch import nn
from torch._dynamo.backends.common import aot_autograd
from torch.utils.checkpoint import checkpoint

import parity
from tests.nightly import NIGHTLY, but

pytestmark = [
    pytest.mark.filterwarnings("ignore"),  # the compiler's own
    pytest.mark.usefixtures("compiler_afresh"),
]

X = torch.randn(6, 4, generator=torch.Generator().manual_seed(1))
Y = torch.randn(6, 3, generator=torch.Generator().manual_seed(2))


def mlp():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(4, 8), nn.GELU(), nn.Linear(8, 3))


def watched(net, loss, steps=2, accept=()):
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
    with parity.watch(net, accept=accept) as watching:
        for _ in range(steps):
            optimizer.zero_grad()
            loss().backward()
            optimizer.step()
    return watching.result


def region_rows(result):
    return {
        (row.check, row.operand): row
        for row in result.rows
        if row.operation.startswith("compiled") and row.check != "sum"
    }


def left(result):
    return {(one.operation, one.kind) for one in result.coverage.not_certified}


def whole(backend):
    net = mlp()
    compiled = torch.compile(net, backend=backend)
    return net, lambda: F.mse_loss(compiled(X), Y)


def in_place(backend):
    net = mlp()
    net.compile(backend=backend)
    return net, lambda: F.mse_loss(net(X), Y)


def forward_alone(backend):
    net = mlp()
    net.forward = torch.compile(net.forward, backend=backend)
    return net, lambda: F.mse_loss(net(X), Y)


def with_its_loss(backend):
    net = mlp()
    compiled = torch.compile(lambda x, y: F.mse_loss(net(x), y), backend=backend)
    return net, lambda: compiled(X, Y)


def inside_another(backend):
    net = mlp()
    net[1] = torch.compile(net[1], backend=backend)
    compiled = torch.compile(net, backend=backend)
    return net, lambda: F.mse_loss(compiled(X), Y)


def several_outputs(backend):
    net = mlp()

    def both(x, *, scale):
        h = net[0](x)
        return {"made": net[2](net[1](h)), "also": [h.sigmoid() * scale, x]}

    compiled = torch.compile(both, backend=backend)

    def loss():
        made = compiled(X, scale=2.5)
        return F.mse_loss(made["made"], Y) + made["also"][0].square().mean()

    return net, loss


def gradients_stopped(backend):
    net = mlp()

    def own(x):
        with torch.no_grad():
            scale = net(x).abs().amax()
        return net(x) * net(x).detach().sigmoid() / scale

    compiled = torch.compile(own, backend=backend)
    return net, lambda: F.mse_loss(compiled(X), Y)


def broken_in_two(backend):
    net = mlp()

    def own(x):
        h = net[0](x)
        print("seen once a step")
        h = net[1](h) * h.sum()
        return net[2](h), h

    compiled = torch.compile(own, backend=backend)

    def loss():
        made, h = compiled(X)
        return F.mse_loss(made, Y) + h.square().mean()

    return net, loss


def of_parts(backend):
    net = mlp()
    compiled = torch.compile(lambda a, b, c: a * b + c, backend=backend)
    return net, lambda: compiled(*net(X).unbind(1)).square().mean()


def on_a_mean(backend):
    torch.manual_seed(0)
    net = nn.Sequential(
        nn.Conv2d(2, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(16, 3)
    )
    compiled, x = torch.compile(net, backend=backend), torch.randn(6, 2, 6, 6)
    return net, lambda: F.mse_loss(compiled(x), Y)


def in_bfloat16(backend):
    net = mlp()
    compiled = torch.compile(net, backend=backend)

    def loss():
        with torch.autocast("cpu", torch.bfloat16):
            made = compiled(X)
        return F.mse_loss(made.float(), Y)

    return net, loss


WAYS = [
    whole, in_place, forward_alone, with_its_loss, inside_another, several_outputs, gradients_stopped,
    broken_in_two, of_parts, on_a_mean, in_bfloat16,
]  # fmt: skip

inductor = pytest.mark.skipif(shutil.which("g++") is None, reason="inductor needs a C++ compiler, g++")
BY_INDUCTOR = pytest.param("inductor", marks=[NIGHTLY, inductor])


@pytest.mark.parametrize("backend", ["aot_eager", pytest.param("eager", marks=NIGHTLY), BY_INDUCTOR])
@pytest.mark.parametrize("way", WAYS)
def test_compiled_code_is_its_python_code_within_rounding(way, backend, capsys):
    net, loss = way(backend)
    result = watched(net, loss).verify()
    rows = region_rows(result)
    assert {row.verdict for row in rows.values()} == {"match"}
    assert {row.calls for row in rows.values()} == {2}
    if way is not of_parts:
        assert {operand for check, operand in rows if check == "vjp"} >= dict(net.named_parameters()).keys()
    if way is broken_in_two:
        assert capsys.readouterr().out == "seen once a step\n" * 2


def test_what_it_writes_is_held_too():
    net, loss = on_a_mean("aot_eager")
    statistics = {name: value.clone() for name, value in net[1].named_buffers()}
    rows = region_rows(watched(net, loss, steps=1))
    assert ("forward", "written 2") in rows
    assert int(net[1].num_batches_tracked) == int(statistics["num_batches_tracked"]) + 1
    assert not torch.equal(net[1].running_mean, statistics["running_mean"])


class Averaging(nn.Module):
    """Writes to a buffer, counts, and remembers."""

    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(4, 3)
        self.register_buffer("mean", torch.ones(3))
        self.calls, self.seen = 0, []

    def forward(self, x):
        self.calls += 1
        self.seen.append(len(x))
        h = self.linear(x)
        with torch.no_grad():
            self.mean.mul_(0.9).add_(h.mean(0) * 0.1)
        return h * self.mean


def test_the_program_does_not_notice():
    def trained(watching):
        torch._dynamo.reset()
        torch.manual_seed(0)
        net = Averaging()
        compiled = torch.compile(net, backend="aot_eager")
        optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
        with watching:
            for _ in range(3):
                optimizer.zero_grad()
                F.mse_loss(compiled(X + torch.rand(6, 4)), Y).backward()
                optimizer.step()
        return net

    watching = parity.watch()
    net, plain = trained(watching), trained(contextlib.nullcontext())
    assert (net.calls, net.seen) == (plain.calls, plain.seen) == (3, [6] * 3)
    for one, other in zip(net.state_dict().values(), plain.state_dict().values(), strict=True):
        assert torch.equal(one, other)
    assert watching.verify().verdict == "match"


STEPS = 0


def test_what_its_code_changes_outside_is_put_back():
    """Run once a step, as the program has it: a list, a global, a variable of a closure, an attribute."""
    global STEPS
    net, log, calls = mlp(), [], 0

    class Schedule:
        scale = 1.0

    schedule = Schedule()

    def own(x, seen):
        global STEPS
        nonlocal calls
        STEPS, calls = STEPS + 1, calls + 1
        schedule.scale *= 0.5
        h = net(x) * schedule.scale * calls
        seen["last"] = calls
        log.append(calls)
        return h

    STEPS, seen = 0, {}
    compiled = torch.compile(own, backend="aot_eager")
    watched(net, lambda: F.mse_loss(compiled(X, seen), Y), steps=3).verify()
    assert (STEPS, calls, log, seen, schedule.scale) == (3, 3, [1, 2, 3], {"last": 3}, 0.125)


@dataclass
class Made:
    value: torch.Tensor
    nothing: object = None


def test_the_fields_of_a_dataclass_are_outputs():
    net = mlp()
    compiled = torch.compile(lambda x: Made(net(x).tanh()), backend="aot_eager")
    assert region_rows(watched(net, lambda: F.mse_loss(compiled(X).value, Y)).verify())


def test_a_region_that_is_recomputed_in_backward_does_not_notice():
    net = mlp()
    compiled = torch.compile(net, backend="aot_eager")
    result = watched(net, lambda: F.mse_loss(checkpoint(compiled, X, use_reentrant=False), Y))
    assert ("vjp", "0.weight") in region_rows(result.verify())


# --- Broken -----------------------------------------------------------------------------------------------


def broken(at, factor=1 + 1e-5):
    """A graph of which one result is a little too large."""

    def compiler(graph, inputs):
        def run(*given):
            made = list(graph(*given))
            made[at] = made[at] * factor
            return made

        return make_boxed_func(run)

    return compiler


def right(graph, inputs):
    return make_boxed_func(graph)


@pytest.mark.parametrize(
    ("forward", "backward", "told"),
    [
        (broken(0), right, ("forward", "")),
        (right, broken(0), ("vjp", "0.weight")),
        (right, broken(1), ("vjp", "0.bias")),
    ],
)
def test_a_compiler_that_is_broken_is_told_at_its_region(forward, backward, told):
    net, loss = whole(aot_autograd(fw_compiler=forward, bw_compiler=backward))
    result = watched(net, loss, steps=1)
    assert result.verdict == "mismatch"
    first = result.first_divergence
    assert (first.operation, first.check, first.operand) == ("compiled Sequential", *told)
    assert first.source.startswith("test_compiled.py:")
    assert len(result.wrong) == 1


@NIGHTLY
@inductor
def test_a_lowering_that_is_broken_is_told_at_its_region(monkeypatch):
    from torch._inductor import lowering

    erf = torch.ops.aten.erf.default
    own = lowering.lowerings[erf]
    monkeypatch.setitem(lowering.lowerings, erf, lambda x: lowering.mul(own(x), 1 - 3e-5))
    net, loss = whole("inductor")
    result = watched(net, loss, steps=1)
    assert result.first_divergence.operation == "compiled Sequential"


def test_a_graph_that_is_captured_wrong_is_told():
    """The backend runs what it is given eagerly, and it is given a tanh where the code has a GELU."""

    def backend(graph, inputs):
        for node in graph.graph.nodes:
            if node.op == "call_function" and "gelu" in str(node.target):
                node.target, node.kwargs = torch.tanh, {}
        graph.recompile()
        return graph

    net, loss = with_its_loss(backend)
    first = watched(net, loss, steps=1).first_divergence
    assert (first.operation, first.check) == ("compiled <lambda>", "forward")


def test_weights_of_the_first_step_are_told_in_the_second():
    def backend(graph, inputs):
        first = [one.detach().clone() if isinstance(one, nn.Parameter) else None for one in inputs]

        def run(*given):
            pairs = zip(given, first, strict=True)
            return graph(*(now if old is None else now - now.detach() + old for now, old in pairs))

        return run

    net, loss = with_its_loss(backend)
    firsts = watched(net, loss, steps=3).first_divergence
    assert (firsts.step, firsts.check) == (1, "forward")


def test_a_momentum_that_is_another_is_told_where_it_is_kept():
    def backend(graph, inputs):
        for node in graph.graph.nodes:
            if "batch_norm" in str(node.target):
                node.args = (*node.args[:6], 0.2, *node.args[7:])
        graph.recompile()
        return graph

    result = watched(*on_a_mean(backend), steps=1)
    assert [(one.check, one.operand) for one in result.wrong] == [
        ("forward", "written 1"),
        ("forward", "written 2"),
    ]


def test_statistics_that_are_not_written_are_told():
    class Own(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.linear = nn.Linear(4, 3)
            self.register_buffer("count", torch.zeros((), dtype=torch.int64))
            self.register_buffer("mean", torch.zeros(3))

        def forward(self, x):
            h = self.linear(x)
            if not torch.compiler.is_compiling():
                self.count.add_(1)
            with torch.no_grad():
                self.mean.add_(h.mean(0), alpha=0.1 if torch.compiler.is_compiling() else 0.2)
            return h

    net = Own()
    compiled = torch.compile(net, backend="aot_eager")
    result = watched(net, lambda: F.mse_loss(compiled(X), Y), steps=1)
    assert [(one.check, one.operand) for one in result.wrong] == [
        ("forward", "written 0"),
        ("forward", "written 1"),
    ]


# --- What cannot be held ----------------------------------------------------------------------------------


def opaque(result):
    (left_over,) = left(result)
    assert left_over[1] == "opaque"
    assert result.verdict == "incomplete"
    return left_over[0]


def test_random_numbers_are_said():
    net = nn.Sequential(mlp(), nn.Dropout(0.5))
    compiled = torch.compile(net, backend="aot_eager")
    loss = lambda: F.mse_loss(compiled(X), Y)  # noqa: E731
    said = opaque(watched(net, loss))
    assert said.startswith("compiled Sequential: it draws random numbers")
    assert watched(net, loss, accept=["compiled Sequential"]).verdict == "match"


def test_a_write_to_what_carries_a_gradient_is_said():
    net = mlp()
    compiled = torch.compile(lambda h: h.relu_() * 2, backend="aot_eager")
    said = opaque(watched(net, lambda: F.mse_loss(compiled(net(X)), Y)))
    assert said == "compiled <lambda>: it writes to a tensor that carries a gradient"


def test_an_unknown_operation_is_said():
    net = mlp()
    compiled = torch.compile(lambda h: torch.linalg.svdvals(h), backend="aot_eager")
    said = opaque(watched(net, lambda: compiled(net(X)).sum()))
    assert "svd" in said
    assert "not in the table" in said


def test_a_whole_step_that_is_compiled_runs_once_and_is_said():
    def trained(made):
        net = mlp()
        optimizer = torch.optim.SGD(net.parameters(), lr=0.1)

        def step():
            optimizer.zero_grad()
            F.mse_loss(net(X), Y).backward()
            optimizer.step()

        run = made(step)
        run()
        run()
        return net

    with parity.watch() as watching:
        net = trained(lambda step: torch.compile(step, backend="aot_eager"))
    assert watching.result.verdict == "incomplete"
    assert ("CompiledFunctionBackward", "opaque") in left(watching.result)
    assert watching.result.steps == 2
    plain = trained(lambda step: step)
    assert all(map(torch.equal, net.parameters(), plain.parameters()))


def test_an_optimizer_whose_step_is_compiled_is_held_to_its_rules():
    net = mlp()
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1, momentum=0.9)
    step = torch.compile(optimizer.step, backend="aot_eager")
    with parity.watch(net) as watching:
        for _ in range(2):
            optimizer.zero_grad()
            F.mse_loss(net(X), Y).backward()
            step()
    result = watching.verify()
    assert {row.check for row in result.rows if row.operation == "optim.SGD"} == {"update"}


def test_nothing_stays_behind():
    from torch._dynamo import eval_frame

    names = ("_callback_from_stance", "_maybe_set_eval_frame")
    before = [getattr(eval_frame, name) for name in names]
    net, loss = whole("aot_eager")
    watched(net, loss, steps=1)
    assert [getattr(eval_frame, name) for name in names] == before


# --- With probes ------------------------------------------------------------------------------------------


def probed(net, loss):
    with parity.watch(net, probes=True) as watching:
        loss().backward()
    return watching.result


def probed_rows(result):
    return [row for row in result.rows if row.operation.startswith("probed ")]


@pytest.mark.parametrize("backend", ["aot_eager", BY_INDUCTOR])
@pytest.mark.parametrize("way", but([whole, broken_in_two, in_bfloat16, on_a_mean], WAYS))
def test_probes_show_every_operation_inside(way, backend):
    result = probed(*way(backend))
    rows = probed_rows(result.verify())
    assert result.probed == 1
    assert all(row.verdict == "match" or row.vacuous for row in rows)
    assert {row.check for row in rows} == {"forward", "vjp"}
    if way is whole:
        fine = {(row.module, row.operation, row.check, row.operand) for row in rows}
        assert fine >= {
            ("1", "probed gelu", "forward", ""),
            ("1", "probed gelu", "vjp", "x"),
            ("0", "probed addmm", "vjp", "b"),
            ("2", "probed addmm", "vjp", "x"),
        }
        assert max(row.resolution for row in rows) < 1e-6
        assert "certified operation by operation is that program" in " ".join(str(result).split())


def gelu_backwards(factor):
    """A compiler in whose backward graph GELU's derivative is a little too large."""

    def compiler(graph, inputs):
        for node in list(graph.graph.nodes):
            if "gelu_backward" in str(node.target):
                with graph.graph.inserting_after(node):
                    larger = graph.graph.call_function(torch.ops.aten.mul.Tensor, (node, factor))
                node.replace_all_uses_with(larger, lambda user, own=larger: user is not own)
        graph.recompile()
        return make_boxed_func(graph)

    return aot_autograd(fw_compiler=right, bw_compiler=compiler)


def test_probes_name_the_operation_that_is_wrong():
    result = probed(*whole(gelu_backwards(1 + 2e-6)))
    told = {(one.module, one.operation, one.check, one.operand) for one in result.wrong}
    assert ("1", "probed gelu", "vjp", "x") in told
    assert {operation for _, operation, _, _ in told if operation.startswith("probed")} == {"probed gelu"}


def test_what_cannot_be_probed_is_said():
    net = mlp()
    compiled = torch.compile(lambda h: (h * 2).relu_(), backend="aot_eager")
    result = probed(net, lambda: F.mse_loss(compiled(net(X)), Y))
    assert left(result) == {("compiled <lambda>, probed: aten.relu_.default writes in place", "opaque")}
