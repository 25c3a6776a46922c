"""How fast: engine against torch eager, and the lockstep against both, as ratios measured in one run.

Absolute times mean little on shared machines. Each round times everybody in turn, by the processor's time
of this process, and a ratio is taken within its round; the median over rounds is the figure, its spread
stands beside it.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from statistics import median
from typing import TypeAlias

import numpy as np
import torch
from threadpoolctl import threadpool_info

from parity.bench.others import peers
from parity.bench.rows import BenchRow
from parity.bounds.formats import format_of
from parity.config.case import Case
from parity.lockstep.lockstep import Gates, Reference, Side
from parity.pytorch.modules import activation_module, loss_module, optimizer
from parity.pytorch.twin import Twin
from reference.architecture import architecture
from reference.arrays import Array
from reference.operations.activations import Activation

AVX512_KERNELS = ("SkylakeX", "Cooperlake", "SapphireRapids", "Zen4", "Zen5")

PRODUCTS = "products/torch"
"""Not a ratio of steps: how much of PyTorch's step the engine's matrix products take alone."""

ROUNDS = 15
WARM_UP = 3
"""Steps that nobody times. A certified lockstep records a plan on the first."""
ROUND_SECONDS = 0.02
"""Approximate duration of one contestant in one round, at least one step."""


@dataclass(frozen=True)
class Size:
    """A network, a batch size, and the target ratios; `avx512` applies to OpenBLAS's AVX-512 kernels.

    `certified` is for sigmoid, MSE and plain SGD in float32, `vocabulary` for any name, by format.
    """

    layers: tuple[int, ...]
    batch: int
    engine: float
    avx512: float
    lockstep: float
    certified: float
    vocabulary: Mapping[str, float]
    rounds: int = 5  # of each name of the vocabulary


SIZES = {
    "tiny": Size((2, 3, 1), 4, 0.20, 0.20, 1.25, 2.2, {"float32": 4, "float64": 8}),
    "digits": Size((64, 32, 10), 32, 0.22, 0.20, 1.25, 2.5, {"float32": 4, "float64": 8}),
    "mnist": Size((784, 128, 64, 10), 64, 0.75, 0.45, 1.2, 3.5, {"float32": 6, "float64": 15}),
    "wide": Size((1024, 1024, 1024, 10), 256, 0.95, 0.52, 1.1, 3.5, {"float32": 5, "float64": 20}, 3),
}


def measure(name: str, dtype: str, activation: str, *, with_peers: bool = True) -> Iterator[BenchRow]:
    """The ratios of one size, yielded when it is done, so that Ctrl-C loses only the current size."""
    size, case = SIZES[name], bench_case(SIZES[name], dtype, activation)
    engine, eager = Reference(case), _eager(case)
    ours: dict[str, Callable[[], object]] = {
        "torch": eager,
        "engine": lambda: engine.step(case.x, case.y),
        "products": _products(case),
        "plain": plain(case),
        "certified": Walking(case, certified=True),
        "lockstep": Walking(case, certified=False),
    }
    others = peers(case) if with_peers else {}
    wanted: list[Wanted] = [
        ("engine", "torch", size.avx512 if _avx512() else size.engine),
        ("products", "torch", None),
        ("lockstep", "plain", size.lockstep),
        ("certified", "plain", size.certified),
        *(("engine", peer, None) for peer in others),
    ]
    yield from measured(name, {**ours, **others}, wanted, dtype)


Contestants: TypeAlias = Mapping[str, Callable[[], object]]
Wanted: TypeAlias = tuple[str, str, float | None]
"""Numerator and denominator of a ratio, and the figure to reach."""


def plain(case: Case) -> Callable[[], None]:
    """PyTorch's step and the engine's in turn."""
    engine, eager = Reference(case), _eager(case)

    def alternated() -> None:
        eager()
        engine.step(case.x, case.y)

    return alternated


def measured(
    size: str, contestants: Contestants, wanted: Iterable[Wanted], dtype: str, rounds: int = ROUNDS
) -> Iterator[BenchRow]:
    """The wanted ratios, one row each, all from the same rounds."""
    with np.errstate(all="ignore"):
        times = _rounds(contestants, rounds)
    for over, under, reach in wanted:
        ratios = [one[over] / one[under] for one in times]
        step = median(one[over] for one in times) * 1e6
        what = f"{over}/{under}"
        yield BenchRow(size, dtype, what, median(ratios), min(ratios), max(ratios), reach, step)


def _avx512() -> bool:
    """Whether numpy's matrix products run on AVX-512 kernels."""
    pools = [pool for pool in threadpool_info() if "numpy" in str(pool.get("filepath"))]
    return any(pool.get("architecture") in AVX512_KERNELS for pool in pools)


def bench_case(size: Size, dtype: str, activation: str | Activation) -> Case:
    """A case of random data for a size, with a small η so that numbers stay finite while measuring."""
    shape = architecture(size.layers, activation, np.dtype(dtype))
    random = np.random.default_rng(0)
    x = np.ascontiguousarray(random.random((size.batch, size.layers[0])).astype(dtype)).T
    y = np.ascontiguousarray(random.random((size.batch, size.layers[-1])).astype(dtype)).T
    return Case(shape, shape.initial_parameters(0), x, y, lr=0.01, steps=1)


def contestant(name: str, case: Case) -> Callable[[], object]:
    """One of our own contestants by name, for measuring its memory alone."""
    if name == "engine":
        engine = Reference(case)
        return lambda: engine.step(case.x, case.y)
    if name == "torch":
        return _eager(case)
    return Walking(case, certified=name == "certified")


def _eager(case: Case) -> Callable[[], None]:
    """Ordinary eager PyTorch: Sequential, loss, zero_grad, backward, step."""
    shape = case.architecture
    dtype: torch.dtype = getattr(torch, format_of(shape.dtype).torch)
    modules: list[torch.nn.Module] = []
    for fan_in, fan_out, f in zip(shape.layers, shape.layers[1:], shape.activations, strict=False):
        modules += [torch.nn.Linear(fan_in, fan_out, dtype=dtype), activation_module(f, dtype)]
    model, loss = torch.nn.Sequential(*modules), loss_module(shape, dtype)
    update = optimizer(shape, model.parameters(), case.lr)
    x, y = torch.from_numpy(case.x.T), torch.from_numpy(case.y.T)

    def step() -> None:
        model.zero_grad()
        loss(model(x), y).backward()  # type: ignore[no-untyped-call]
        update.step()

    return step


def _products(case: Case) -> Callable[[], None]:
    """Only the matrix products of an engine's step, a lower bound of any engine's time in numpy."""
    trace = Reference(case).step(case.x, case.y)
    products: list[tuple[Array, Array, Array]] = []
    for l in range(1, case.architecture.depth + 1):
        W, delta, before = trace[f"W{l}"], trace[f"delta{l}"], trace["x" if l == 1 else f"a{l - 1}"]
        products += [(W, before, np.empty_like(trace[f"z{l}"])), (delta, before.T, np.empty_like(W))]
        if l > 1:
            products.append((W.T, delta, np.empty_like(before)))

    def step() -> None:
        for left, right, out in products:
            np.matmul(left, right, out=out)

    return step


class Walking:
    """Steps of the lockstep, with both gates on every number or with continuity only."""

    def __init__(self, case: Case, *, certified: bool) -> None:
        self._case, self._certified = case, certified
        self._sides: list[Side] = [Reference(case), Twin(case.architecture, case.parameters, case.lr)]
        self.gates = Gates(case, [side.name for side in self._sides], patience=0)
        self._steps = itertools.count()

    def __call__(self) -> float:
        x, y = self._case.x, self._case.y
        traces = {side.name: side.step(x, y) for side in self._sides}
        return self.gates.ask(next(self._steps), traces, x.shape[1], certified=self._certified)


def _rounds(contestants: Contestants, number: int) -> list[dict[str, float]]:
    """The seconds per step of each contestant in each round."""
    repeats: dict[str, int] = {}
    for name, step in contestants.items():
        for _ in range(WARM_UP):
            step()
        start = time.process_time()
        step()
        repeats[name] = max(1, int(ROUND_SECONDS / (time.process_time() - start)))
    rounds = []
    for _ in range(number):
        times: dict[str, float] = {}
        for name, step in contestants.items():
            start = time.process_time()
            for _ in range(repeats[name]):
                step()
            times[name] = (time.process_time() - start) / repeats[name]
        rounds.append(times)
    return rounds
