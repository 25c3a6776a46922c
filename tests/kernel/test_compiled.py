"""What `torch.compile` makes of functions and modules, held to what they were before."""

from __future__ import annotations

import shutil

import pytest
import torch
from functorch.compile import make_boxed_func
from torch import nn
from torch._dynamo.backends.common import aot_autograd

import parity
from tests.kernel.kernels import KERNELS, inside, normal
from tests.nightly import NIGHTLY

pytestmark = [
    pytest.mark.filterwarnings("ignore"),  # the compiler's own
    pytest.mark.usefixtures("compiler_afresh"),
]

inductor = pytest.mark.skipif(shutil.which("g++") is None, reason="inductor needs a C++ compiler, g++")

FUNCTIONS = ("rms_norm", "layer_norm", "softmax", "cross_entropy", "swiglu", "gelu")


class Attending(nn.Module):
    def __init__(self):
        super().__init__()
        self.qkv, self.out = nn.Linear(6, 18), nn.Linear(6, 5)

    def forward(self, x):
        q, k, v = self.qkv(x).chunk(3, -1)
        return self.out(torch.softmax(q @ k.mT, -1) @ v)


MODULES = {
    "mlp": (lambda: nn.Sequential(nn.Linear(5, 7), nn.LayerNorm(7), nn.SiLU(), nn.Linear(7, 3)), (6, 5)),
    "cnn": (
        lambda: nn.Sequential(nn.Conv2d(2, 3, 3), nn.ReLU(), nn.Flatten(), nn.Linear(27, 4)),
        (2, 2, 5, 5),
    ),
    "attention": (Attending, (2, 4, 6)),
}


def one_dtype_each():
    formats = ("float32", "float64", "bfloat16")
    return [(name, formats[place % 3]) for place, name in enumerate(KERNELS)]


def made(name):
    torch.manual_seed(0)
    factory, shape = MODULES[name]
    return factory(), normal(*shape).float()


def test_a_compiled_module_shares_its_parameters_with_its_definition():
    module, x = made("mlp")
    found = parity.kernel(torch.compile(module, backend="aot_eager"), module, x).verify()
    assert {row.name for row in found.rows} == {"0", "input", *dict(module.named_parameters())}
    assert found.candidate == "Sequential"


def broken(graph, inputs):
    """The backward graph, with its last gradient a little too large."""

    def run(*given):
        *others, last = graph(*given)
        return [*others, last * (1 + 1e-5)]

    return make_boxed_func(run)


def test_a_compiler_that_is_broken_in_backward_is_told():
    backend = aot_autograd(fw_compiler=lambda graph, inputs: make_boxed_func(graph), bw_compiler=broken)
    _, definition, inputs = KERNELS["swiglu"]
    compiled = torch.compile(definition, backend=backend)
    found = parity.kernel(compiled, definition, *inputs(), dtype="float32")
    assert {(one.part, one.name) for one in found.wrong} == {("gradient", "V")}


@NIGHTLY
@inductor
@pytest.mark.parametrize("name", FUNCTIONS)
def test_inductor_compiles_a_function_right(name):
    _, definition, inputs = KERNELS[name]
    parity.kernel(torch.compile(definition), definition, *inputs(), dtype="float32").verify()


@NIGHTLY
@inductor
@pytest.mark.parametrize("name", MODULES)
def test_inductor_compiles_a_module_right(name):
    module, x = made(name)
    parity.kernel(torch.compile(module), module, x).verify()


@NIGHTLY
@inductor
@pytest.mark.parametrize(("name", "dtype"), one_dtype_each())
def test_inductor_compiles_a_kernel_written_by_hand_right(name, dtype):
    kernel, definition, inputs = KERNELS[name]
    written = inside(kernel.apply) if dtype == "bfloat16" else kernel.apply
    parity.kernel(torch.compile(written), definition, *inputs(), dtype=dtype).verify()


@NIGHTLY
@inductor
def test_a_lowering_that_is_broken_is_told(monkeypatch):
    from torch._inductor import lowering

    tanh = torch.ops.aten.tanh.default
    right = lowering.lowerings[tanh]
    monkeypatch.setitem(lowering.lowerings, tanh, lambda x: lowering.mul(right(x), 1 + 1e-5))

    def definition(x, w):
        return torch.tanh(x) @ w

    found = parity.kernel(torch.compile(definition), definition, normal(4, 5).float(), normal(5, 3).float())
    assert found.verdict == "mismatch"
    assert found.first_divergence.part == "output"
