"""How fast watching is: a training step recorded, certified, and certified in part, against the plain step.

A ratio is of processor times within one round of one process, since machines are shared; the median over
rounds is the figure. Memory is measured in a process for each mode.
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from statistics import median

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, scaled_dot_product_attention

from parity.bench.memory import peak_mib, resident_mib
from parity.bench.rows import BenchRow
from parity.pytorch.recorder.internals import DispatchMode
from parity.pytorch.recorder.recorder import Recorder
from parity.watch.watching import Watching

STEPS = 2
"""Steps of a mode in one round, after one that warms it up."""
ROUNDS = 7
SHARE = 0.05
REACH = {"recorded": 1.6, "certified": 10.0, f"sample {SHARE}": 3.0}
MEMORY = 3.0
EMPTY = "dispatched"


class _Empty(DispatchMode):  # type: ignore[no-untyped-call]
    """Hears of every operation and does nothing: what anything that records must take."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]

    def __torch_dispatch__(
        self,
        func: torch._ops.OpOverload,
        types: Sequence[type],
        args: Sequence[object] = (),
        kwargs: Mapping[str, object] | None = None,
    ) -> object:
        return func(*args, **(kwargs or {}))


class Attention(nn.Module):
    """Causal self-attention, 64 numbers a head."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.heads = width // 64
        self.qkv, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)

    def forward(self, x: Tensor) -> Tensor:
        batch, length, width = x.shape
        parts = self.qkv(x).view(batch, length, 3, self.heads, -1)
        q, k, v = parts.permute(2, 0, 3, 1, 4)
        found = scaled_dot_product_attention(q, k, v, is_causal=True)
        made: Tensor = self.out(found.transpose(1, 2).reshape(batch, length, width))
        return made


class GPT2Layer(nn.Module):
    """A layer of GPT-2."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm1, self.attention = nn.LayerNorm(width), Attention(width)
        self.norm2 = nn.LayerNorm(width)
        self.mlp = nn.Sequential(nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width))

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.attention(self.norm1(x))
        made: Tensor = x + self.mlp(self.norm2(x))
        return made


class GPT2(nn.Module):
    """GPT-2 with a small vocabulary."""

    def __init__(self, vocabulary: int, width: int, layers: int, length: int) -> None:
        super().__init__()
        self.tokens, self.places = nn.Embedding(vocabulary, width), nn.Embedding(length, width)
        self.blocks = nn.Sequential(*(GPT2Layer(width) for _ in range(layers)))
        self.norm, self.head = nn.LayerNorm(width), nn.Linear(width, vocabulary, bias=False)

    def forward(self, ids: Tensor) -> Tensor:
        x = self.tokens(ids) + self.places(torch.arange(ids.shape[1]))
        made: Tensor = self.head(self.norm(self.blocks(x)))
        return made


def _cnn() -> tuple[nn.Module, Tensor, Tensor]:
    module = nn.Sequential(
        nn.Conv2d(1, 16, 3, padding=1), nn.BatchNorm2d(16), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(16, 32, 3, padding=1), nn.BatchNorm2d(32), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(), nn.Linear(32 * 49, 128), nn.ReLU(), nn.Linear(128, 10),
    )  # fmt: skip
    return module, torch.randn(32, 1, 28, 28), torch.randint(10, (32,))


def _gpt() -> tuple[nn.Module, Tensor, Tensor]:
    ids = torch.randint(256, (4, 129))
    return GPT2(256, 256, 4, 128), ids[:, :-1], ids[:, 1:]


def _tiny() -> tuple[nn.Module, Tensor, Tensor]:
    return nn.Linear(3, 2), torch.randn(4, 3), torch.randint(2, (4,))


MODELS = {"cnn": _cnn, "gpt": _gpt}
"""A CNN of MNIST's size, batch 32; GPT-2, 256 wide, 4 layers, 128 tokens, batch 4. Both with AdamW."""


def _training(name: str) -> tuple[nn.Module, Callable[[], None]]:
    torch.manual_seed(0)
    module, x, y = {**MODELS, "tiny": _tiny}[name]()
    optimizer = torch.optim.AdamW(module.parameters(), lr=1e-3)

    def step() -> None:
        optimizer.zero_grad()
        logits = module(x)
        cross_entropy(logits.reshape(-1, logits.shape[-1]), y.reshape(-1)).backward()  # type: ignore[no-untyped-call]
        optimizer.step()

    return module, step


def _mode(what: str, module: nn.Module) -> AbstractContextManager[object]:
    if what == "eager":
        return nullcontext()
    if what == EMPTY:
        return _Empty()
    if what == "recorded":
        return Recorder(
            module,
            on_step=lambda step: None,
            on_call=lambda call: None,
            on_node=lambda backward, node: None,
            on_update=lambda update: None,
            keep=False,
        )
    return Watching(module, sample=None if what == "certified" else SHARE)


def measure(name: str) -> Iterator[BenchRow]:
    """The ratios of one model."""
    module, step = _training(name)
    rounds = [
        {what: _seconds(_mode(what, module), step) for what in ("eager", EMPTY, *REACH)}
        for _ in range(ROUNDS)
    ]
    reaches: dict[str, float | None] = {EMPTY: None, **REACH}
    for what, reach in reaches.items():
        ratios = [one[what] / one["eager"] for one in rounds]
        micros = median(one[what] for one in rounds) * 1e6
        yield BenchRow(
            name, "float32", f"{what}/eager", median(ratios), min(ratios), max(ratios), reach, micros
        )


@contextmanager
def watching(name: str) -> Iterator[Callable[[], None]]:
    """A model's training step, certified while this is entered."""
    module, step = _training(name)
    with _mode("certified", module):
        yield step


def _seconds(mode: AbstractContextManager[object], step: Callable[[], None]) -> float:
    """Of the processor, for one step. What a step leaves to be checked is checked in the next one."""
    with mode:
        step()
        start = time.process_time()
        for _ in range(STEPS):
            step()
        return (time.process_time() - start) / STEPS


def peaks(name: str) -> dict[str, float]:
    """What training adds to the process's peak memory in MiB, for each mode in a process of its own."""
    found = {}
    for what in ("eager", "certified"):
        words = [sys.executable, "-m", "parity.bench.watched", name, what]
        done = subprocess.run(words, capture_output=True, text=True, check=True)
        found[what] = float(done.stdout)
    return found


def memory(name: str, peak: dict[str, float]) -> BenchRow:
    """Peak memory as a ratio."""
    ratio = peak["certified"] / peak["eager"]
    return BenchRow(name, "float32", "memory certified/eager", ratio, ratio, ratio, MEMORY)


def _peak(name: str, what: str) -> float:
    """Run a few steps of a model, the modules that watching needs already loaded."""
    module, step = _training("tiny")
    with _mode(what, module):
        step()
    before = resident_mib()
    module, step = _training(name)
    with _mode(what, module):
        for _ in range(STEPS + 1):
            step()
    return peak_mib() - before


if __name__ == "__main__":
    torch.set_num_threads(1)
    sys.stdout.write(f"{_peak(*sys.argv[1:3]):.1f}\n")
