"""Devices other than the CPU: whether there is one, and what it computes outside of the contract."""

from __future__ import annotations

from collections.abc import Collection
from contextlib import AbstractContextManager, nullcontext

import torch

from parity.errors import EnvironmentUnfit, UsageError
from parity.render.texts.message import Message

DEVICES = ("cpu", "cuda", "mps")
"""The kinds whose numbers can be read."""

PRODUCTS = ("addmm", "mm", "bmm", "baddbmm", "addbmm", "addmv", "mv", "dot")
"""Products of matrices, which a GPU may compute on tensor cores."""


def require_device(name: str) -> None:
    """Raises UsageError for a kind that is not known, EnvironmentUnfit where this machine has none."""
    kind = name.partition(":")[0]
    if kind not in DEVICES:
        raise UsageError(Message("device_unknown", name=name, known=", ".join(DEVICES)))
    there = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if not there[kind]:
        raise EnvironmentUnfit(Message("device_absent", name=name, kind=kind))
    if kind == "cuda" and int(name.partition(":")[2] or 0) >= torch.cuda.device_count():
        raise EnvironmentUnfit(Message("device_count", name=name, count=torch.cuda.device_count()))


def placed(name: str | None) -> AbstractContextManager[object]:
    """New tensors are made on this device, unless a program says otherwise. Raises as `require_device`."""
    if name is None:
        return nullcontext()
    require_device(name)
    return torch.device(name)


def lowered(operation: str, kind: str, dtype: str) -> str:
    """How a device computes an operation outside of the contract; "" where it does not.

    TF32 rounds the factors of float32 products to 11 bits; a reduced-precision reduction rounds parts of
    a sum to the 16 bits of its result.
    """
    if kind != "cuda":
        return ""
    name = operation.split(".")[1]
    matmul = torch.backends.cuda.matmul
    if dtype == "float32" and "convolution" in name and torch.backends.cudnn.allow_tf32:
        return "in TF32 (torch.backends.cudnn.allow_tf32 is on)"
    if name not in PRODUCTS:
        return ""
    if dtype == "float32" and matmul.allow_tf32:
        return "in TF32 (torch.backends.cuda.matmul.allow_tf32 is on)"
    for format_, flag in (("bfloat16", "bf16"), ("float16", "fp16")):
        setting = f"allow_{flag}_reduced_precision_reduction"
        if dtype == format_ and getattr(matmul, setting):
            return f"in a lower precision (torch.backends.cuda.matmul.{setting} is on)"
    return ""


def arithmetic_of(kinds: Collection[str]) -> dict[str, str | bool]:
    """What is said of the arithmetic of the devices that were seen, as a part of the contract."""
    facts: dict[str, str | bool] = {"devices": ", ".join(sorted(kinds)) or "cpu"}
    if "cuda" in kinds:
        facts |= {
            "cuda_device": torch.cuda.get_device_name(),
            "cuda_tf32_products": torch.backends.cuda.matmul.allow_tf32,
            "cuda_tf32_convolutions": torch.backends.cudnn.allow_tf32,
            "cuda_atomics": "fixed order"
            if torch.are_deterministic_algorithms_enabled()
            else "any order of summation, another in each run",
        }
    if set(kinds) - {"cpu"}:
        facts["elementary_functions_calibrated_on"] = "cpu"
    return facts
