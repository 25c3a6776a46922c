"""What a row of `[[network.modules]]` may be: modules of `torch.nn` and functions, with their arguments.

Names, arguments and defaults are PyTorch's; activations come from the reference's own table.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from reference.operation import REQUIRED, Option
from reference.operations.activations import ACTIVATIONS

NN = "torch.nn."


@dataclass(frozen=True)
class ModuleType:
    """A type of row: where PyTorch defines it, its arguments with defaults, how many rows it reads."""

    source: str
    options: Mapping[str, Option] = field(default_factory=lambda: MappingProxyType({}))
    reads: tuple[int, ...] = (1,)  # the numbers of rows that it can read; 0 stands for any from 2 on

    @property
    def required(self) -> tuple[str, ...]:
        """The arguments that must be given."""
        return tuple(name for name, default in self.options.items() if default == REQUIRED)


def _module(name: str, required: str, *, reads: tuple[int, ...] = (1,), **options: Option) -> ModuleType:
    chosen: dict[str, Option] = {**dict.fromkeys(required.split(), REQUIRED), **options}
    return ModuleType(NN + name, chosen, reads)


def _convolution(name: str) -> ModuleType:
    return _module(
        name,
        "in_channels out_channels kernel_size",
        stride=1,
        padding=0,
        dilation=1,
        groups=1,
        bias=True,
        padding_mode="zeros",
    )


def _batch_norm(name: str) -> ModuleType:
    return _module(name, "num_features", eps=1e-5, momentum=0.1, affine=True, track_running_stats=True)


def _max_pool(name: str) -> ModuleType:
    return _module(name, "kernel_size", stride=None, padding=0, dilation=1, ceil_mode=False)


def _average_pool(name: str) -> ModuleType:
    return _module(name, "kernel_size", stride=None, padding=0, ceil_mode=False, count_include_pad=True)


def _function(
    source: str, reads: tuple[int, ...], required: str = "", **options: Option
) -> tuple[str, ModuleType]:
    chosen: dict[str, Option] = {**dict.fromkeys(required.split(), REQUIRED), **options}
    return source.rpartition(".")[2], ModuleType(source, chosen, reads)


MODULES: Mapping[str, ModuleType] = {
    "Linear": _module("Linear", "in_features out_features", bias=True),
    "Conv1d": _convolution("Conv1d"),
    "Conv2d": _convolution("Conv2d"),
    "BatchNorm1d": _batch_norm("BatchNorm1d"),
    "BatchNorm2d": _batch_norm("BatchNorm2d"),
    "LayerNorm": _module("LayerNorm", "normalized_shape", eps=1e-5, elementwise_affine=True, bias=True),
    "GroupNorm": _module("GroupNorm", "num_groups num_channels", eps=1e-5, affine=True),
    "MaxPool1d": _max_pool("MaxPool1d"),
    "MaxPool2d": _max_pool("MaxPool2d"),
    "AvgPool1d": _average_pool("AvgPool1d"),
    "AvgPool2d": _average_pool("AvgPool2d"),
    "AdaptiveAvgPool1d": _module("AdaptiveAvgPool1d", "output_size"),
    "AdaptiveAvgPool2d": _module("AdaptiveAvgPool2d", "output_size"),
    "Embedding": _module("Embedding", "num_embeddings embedding_dim", padding_idx=None),
    "MultiheadAttention": _module(
        "MultiheadAttention", "embed_dim num_heads batch_first", reads=(1, 3), dropout=0.0, bias=True
    ),
    "Dropout": _module("Dropout", "", p=0.5),
    "Flatten": _module("Flatten", "", start_dim=1, end_dim=-1),
    "Unflatten": _module("Unflatten", "dim unflattened_size"),
    "Identity": _module("Identity", ""),
}
"""Modules that are no activations. Attention must say that a sample is a row: `batch_first = true`."""

FUNCTIONS: Mapping[str, ModuleType] = dict(
    (
        _function("torch.add", (0,)),
        _function("torch.mul", (0,)),
        _function("torch.matmul", (2,)),
        _function("torch.cat", (0,), "dim"),
        _function("torch.mean", (1,), "dim", keepdim=False),
        _function("torch.sum", (1,), "dim", keepdim=False),
        _function("torch.amax", (1,), "dim", keepdim=False),
        _function("torch.select", (1,), "dim index"),
        _function("torch.transpose", (1,), "dim0 dim1"),
        _function("torch.permute", (1,), "dims"),
        _function("torch.reshape", (1,), "shape"),
        _function("torch.nn.functional.scaled_dot_product_attention", (1, 3), is_causal=False),
    )
)
"""Functions of tensors. Dimension 0 is the samples': what takes a dimension must be given it."""


def _activations() -> dict[str, ModuleType]:
    """The activations, by the names of their modules: GELU's two formulas are one module."""
    found: dict[str, ModuleType] = {}
    for f in ACTIVATIONS.values():
        name = f.source.removeprefix(NN)
        known: dict[str, Option] = {**f.options, **f.torch_options}
        known |= {key: REQUIRED for key, value in known.items() if value != value or key == "dim"}
        if name not in MODULES:
            found.setdefault(name, ModuleType(f.source, known))
    return found


TYPES: Mapping[str, ModuleType] = {**MODULES, **_activations(), **FUNCTIONS}
"""Whatever the `type` of a row may be."""
