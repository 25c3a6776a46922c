"""Devices other than the CPU. None was there to try them on: what can be asked without one is."""

from __future__ import annotations

import pytest
import torch
from torch import nn

import parity
from parity.errors import EnvironmentUnfit, UsageError
from parity.pytorch.devices import arithmetic_of, lowered, placed, require_device
from parity.pytorch.recorder import snapshots
from tests.watch.helpers import net, train

REDUCED = "reduced_precision_reduction"
CUDA = torch.cuda.is_available()


@pytest.mark.skipif(CUDA or torch.backends.mps.is_available(), reason="there is a device")
@pytest.mark.parametrize("name", ["cuda", "cuda:1", "mps"])
def test_a_device_that_is_not_there_is_said(name):
    with pytest.raises(EnvironmentUnfit, match=f"^device {name}: "):
        require_device(name)


def test_a_kind_that_nobody_knows_is_the_users_mistake():
    with pytest.raises(UsageError, match="known: cpu, cuda, mps, not 'tpu'"):
        placed("tpu")
    require_device("cpu")


def test_values_that_numpy_cannot_read_in_place_are_copied_at_once(monkeypatch):
    """The path of a device's tensors, taken by tensors on the CPU."""
    monkeypatch.setattr(snapshots, "elsewhere", lambda tensor: True)
    module = nn.Sequential(net(), nn.BatchNorm1d(3), nn.Dropout(0.25))
    with parity.watch(module) as watching:
        train(module, steps=3)
    result = watching.verify()
    assert result.steps == 3
    assert result.contract["devices"] == "cpu"


def test_a_compiled_region_goes_the_same_path(monkeypatch):
    monkeypatch.setattr(snapshots, "elsewhere", lambda tensor: True)
    torch._dynamo.reset()
    module = nn.Sequential(torch.compile(nn.Sequential(net(), nn.BatchNorm1d(3)), backend="aot_eager"))
    with parity.watch(module) as watching:
        train(module, steps=2)
    assert watching.verify().verdict == "match"


def test_what_a_device_computes_in_lower_precision_is_not_certified(monkeypatch):
    def in_tf32(operation, kind, dtype):
        return (
            "in TF32" if operation.startswith("aten.addmm") and (kind, dtype) == ("cpu", "float32") else ""
        )

    monkeypatch.setattr("parity.pytorch.recorder.calls.lowered", in_tf32)
    watching = parity.watch()
    watching._recorder._snapshots.devices.add("cuda")
    monkeypatch.setattr("parity.pytorch.devices.arithmetic_of", lambda kinds: {})
    with watching:
        train(net(), steps=1)
    result = watching.result
    assert result.verdict == "incomplete"
    left = {(one.operation, one.kind) for one in result.coverage.not_certified}
    assert left == {("aten.addmm.default, in TF32", "unsupported")}


@pytest.mark.parametrize(
    ("operation", "kind", "dtype", "setting", "said"),
    [
        ("aten.addmm.default", "cuda", "float32", ("cuda.matmul", "allow_tf32"), "TF32"),
        ("aten.convolution.default", "cuda", "float32", ("cudnn", "allow_tf32"), "TF32"),
        (
            "aten.mm.default",
            "cuda",
            "bfloat16",
            ("cuda.matmul", "allow_bf16_reduced_precision_reduction"),
            "bf16",
        ),
        (
            "aten.mm.default",
            "cuda",
            "float16",
            ("cuda.matmul", "allow_fp16_reduced_precision_reduction"),
            "fp16",
        ),
    ],
)
def test_settings_that_lower_the_precision_of_products_are_known(operation, kind, dtype, setting, said):
    place, name = setting
    where = torch.backends
    for part in place.split("."):
        where = getattr(where, part)
    before = getattr(where, name)
    # PyTorch's own samples, which other tests import, freeze these settings.
    with torch.backends.__allow_nonbracketed_mutation():
        try:
            setattr(where, name, True)
            assert said in lowered(operation, kind, dtype)
            assert lowered(operation, "cpu", dtype) == lowered("aten.exp.default", kind, dtype) == ""
            setattr(where, name, False)
            assert lowered(operation, kind, dtype) == ""
        finally:
            setattr(where, name, before)


def test_the_contract_names_the_devices():
    assert arithmetic_of({"cpu"}) == {"devices": "cpu"}
    said = arithmetic_of({"cpu", "mps"})
    assert said["devices"] == "cpu, mps"
    assert said["elementary_functions_calibrated_on"] == "cpu"
