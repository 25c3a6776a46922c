"""`python -m tests.reports.kernels`: thirty mistakes in kernels, and what three ways of comparing see.

Writes `reports/kernels.md`. The same is asked of the kernels without a mistake, and of one function as
`torch.compile` compiles it.
"""

from __future__ import annotations

import shutil
import sys
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
import torch.nn.functional as F

from parity.kernel.hold import hold
from parity.kernel.result import KernelResult
from tests.kernel import elsewhere
from tests.kernel.kernels import KERNELS, normal
from tests.kernel.mistakes import MISTAKES

DIGITS = 6
"""Significant digits of a sum of absolute values that is compared by eye, or as text."""


@dataclass(frozen=True)
class Compared:
    """One candidate: what it is, and what each way of comparing says."""

    kernel: str
    what: str
    dtype: str
    hash_differs: bool
    not_close: bool
    outputs_not_close: bool
    found: KernelResult

    @property
    def line(self) -> str:
        first = self.found.first_divergence
        where = "match"
        if first is not None:
            kind = "" if first.inputs == "given" else f", {first.inputs} inputs alone"
            where = f"{first.part} {first.name}{kind}"
            where += f": {first.complaint}" if first.ratio is None else f", {first.ratio:.2g} × its bound"
        cells = (self.kernel, self.what, self.dtype, _told(self.hash_differs),
                 _told(self.outputs_not_close), _told(self.not_close), where)  # fmt: skip
        return f"| {' | '.join(cells)} |"


def _told(seen: bool) -> str:
    return "told" if seen else "–"


def compare(kernel: str, what: str, candidate: Callable, definition: Callable, inputs, dtype) -> Compared:
    """The three ways; the first two on the given inputs, against the definition as PyTorch runs it."""
    upstream = torch.Generator().manual_seed(1)
    ours, theirs = (_asked(function, inputs, dtype, upstream) for function in (definition, candidate))
    pairs = list(zip(ours, theirs, strict=True))
    hashes = [_hash(one) != _hash(other) for one, other in pairs]
    close = [other is not None and torch.allclose(one, other) for one, other in pairs]
    found = hold(candidate, definition, *inputs, dtype=dtype)
    return Compared(kernel, what, dtype, any(hashes), not all(close), not close[0], found)


def _asked(function, inputs, dtype, upstream) -> list[torch.Tensor | None]:
    kind = getattr(torch, dtype)
    own = [one.to(kind).requires_grad_() if one.is_floating_point() else one for one in inputs]
    learned = [one for one in own if one.requires_grad]
    made = function(*own)
    upstream.manual_seed(1)
    given = torch.randn(made.shape, generator=upstream, dtype=torch.float64).to(kind)
    return [made.detach(), *torch.autograd.grad(made, learned, given, allow_unused=True)]


def _hash(tensor: torch.Tensor | None) -> str:
    return "None" if tensor is None else f"{float(tensor.abs().sum()):.{DIGITS}g}"


def faults() -> Iterator[Compared]:
    """Thirty: the first of each kernel, its lower precision, and those that are wrong elsewhere alone."""
    for name, (_, definition, inputs) in KERNELS.items():
        own = [mistake for mistake in MISTAKES if mistake.kernel == name]
        low = next(mistake for mistake in own if mistake.what == "lower precision inside")
        for mistake, dtype in ((own[0], "float32"), (low, "float64")):
            yield compare(name, mistake.what, mistake.planted, definition, inputs(), dtype)
    x, w = normal(4, 5), normal(5, 3, seed=1)
    for what, candidate in {
        "tensors read as if they were contiguous": elsewhere.reads_as_contiguous,
        "a batch of one squeezed": elsewhere.squeezes,
        "tanh by quotients of exponentials": elsewhere.overflows,
        "subnormals flushed": elsewhere.flushes,
        "a gradient × (1 + 4e-6)": elsewhere.nudged,
    }.items():
        yield compare("tanh(x W)", what, candidate, elsewhere.definition, (x, w), "float32")
    yield compare(
        "x W", "divided by 3 and multiplied again", elsewhere.rounds, elsewhere.linear, (x, w), "float32"
    )


def right() -> Iterator[Compared]:
    """The kernels as they should be."""
    for dtype in ("float32", "float64"):
        for name, (kernel, definition, inputs) in KERNELS.items():
            yield compare(name, "none", kernel.apply, definition, inputs(), dtype)


def compiled() -> Iterator[str]:
    """A function that inductor compiles, on contiguous inputs and on others."""

    def function(x, w, b):
        return F.gelu(F.layer_norm(x, w.shape, w, b)) * torch.tanh(x)

    found = hold(torch.compile(function), function, normal(6, 16), normal(16), normal(16), dtype="float32")
    yield "```text"
    yield from (line.rstrip() for line in str(found).splitlines())
    yield "```"


HEAD = "| kernel | mistake | format | L1 hash | allclose, outputs | allclose, gradients too | certificate |"


def page() -> Iterator[str]:
    planted, clean = list(faults()), list(right())
    yield "# Thirty mistakes in kernels"
    yield ""
    yield "Each kernel, with one mistake planted in it, is held to its plain definition in three ways:"
    yield f"the sum of absolute values of each output and gradient to {DIGITS} digits (an L1 hash),"
    yield "`torch.allclose` with its defaults (rtol 1e-5, atol 1e-8), and `parity.kernel`. The first two"
    yield "get the same inputs and upstream gradients. Made by `python -m tests.reports.kernels`."
    yield ""
    yield "| | L1 hash | allclose, outputs | allclose, gradients too | certificate |"
    yield "|---|--:|--:|--:|--:|"
    for title, rows in (("mistakes told", planted), ("right kernels accused", clean)):
        counts = (
            sum(row.hash_differs for row in rows),
            sum(row.outputs_not_close for row in rows),
            sum(row.not_close for row in rows),
            sum(row.found.verdict == "mismatch" for row in rows),
        )
        yield f"| {title}, of {len(rows)} | {' | '.join(map(str, counts))} |"
    yield ""
    yield HEAD
    yield "|---|---|---|---|---|---|---|"
    yield from (row.line for row in planted)
    yield ""
    yield "## Without a mistake"
    yield ""
    yield "The largest share of its bound that a number used; the coarsest resolution on the given inputs."
    yield ""
    yield "| kernel | format | L1 hash | allclose | verdict | share | resolution |"
    yield "|---|---|---|---|---|--:|--:|"
    for row in clean:
        share = max(one.worst_ratio for one in row.found.rows)
        resolution = max(one.resolution for one in row.found.rows if one.inputs == "given")
        told = _told(row.hash_differs), _told(row.not_close), row.found.verdict
        yield f"| {row.kernel} | {row.dtype} | {' | '.join(told)} | {share:.2g} | {resolution:.1e} |"
    if shutil.which("g++"):
        yield ""
        yield "## A compiler's own"
        yield ""
        yield "`torch.compile(lambda x, w, b: gelu(layer_norm(x, w.shape, w, b)) * tanh(x))`, by inductor"
        yield f"of PyTorch {torch.__version__.partition('+')[0]}:"
        yield ""
        yield from compiled()


def main() -> int:
    """Write the page."""
    warnings.simplefilter("ignore")
    (Path("reports") / "kernels.md").write_text("\n".join(page()) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
