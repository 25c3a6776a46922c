"""The public functions of `import parity`: what the commands do, with results in place of texts."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from parity.check.in_process import asked_subject
from parity.check.process import Limits
from parity.check.run import Checked
from parity.check.run import check as check_subject
from parity.config.case import build
from parity.config.options import read_config
from parity.errors import UsageError
from parity.explain.number import Explanation, parse, recorded, walked, walked_model
from parity.explain.number import explain as explain_number
from parity.golden.diff import diff as diff_runs
from parity.golden.diff_result import Diff
from parity.golden.folder import goldens
from parity.golden.reader import read as read_golden
from parity.golden.record import record as record_golden
from parity.golden.record import update as update_golden
from parity.golden.record import with_steps
from parity.golden.replay import chosen, replay_golden
from parity.golden.result import RecordedGolden, Replay, Replays
from parity.kernel.defined import defines as defines
from parity.lockstep.environment import has_torch, require_torch
from parity.lockstep.result import Result
from parity.lockstep.run import model_peer
from parity.render.outcome import Pages
from parity.render.texts.message import Message
from parity.report.golden import watched
from parity.report.run import Keep
from parity.report.run import run as run_case
from parity.report.submission import write_page
from parity.report.watch import with_page as with_watched_page
from parity.watch.watching import Watching

if TYPE_CHECKING:
    import torch
    from pydantic import JsonValue

    from parity.kernel.result import KernelResult
    from parity.pytorch.imported.case import Batch, LossLike

ConfigLike: TypeAlias = "Path | str | Mapping[str, object] | None"


def run(
    config: ConfigLike = None,
    *,
    model: str | None = None,
    keep_going: bool = False,
    witness: bool = False,
    certify: str = "every",
    trace: Path | str | None = None,
    trace_every: int = 1,
    threads: int = 1,
    **options: object,
) -> Result:
    """The deck's engine and PyTorch in lockstep, every formula of both certified: `parity run`.

    `config` is a TOML file, or a dict of its three tables. `options` go over it: `data`, `target`,
    `layers`, `activation`, `dtype`, `loss`, `optimizer`, `lr`, `steps`, `batch`, `seed`, `accept`.
    Raises UsageError for a question that is wrong, EnvironmentUnfit where torch is missing.
    """
    asked = read_config(_source(config), options)
    return run_case(
        asked,
        Keep(trace=Path(trace) if trace else None, every=trace_every),
        keep_going=keep_going,
        certify=certify,
        threads=threads,
        witness=witness,
        peer=model_peer(asked, model),
    )


def check(
    subject: object,
    *,
    config: ConfigLike = None,
    activation: str | None = None,
    dtype: str | None = None,
    timeout: float = 20.0,
    memory: float = 8.0,
    lang: str = "en",
) -> Checked:
    """Somebody's own backpropagation: the first wrong formula, and the mistake by name: `parity check`.

    `subject` is a `step` function, a module or an object that has one, or a side of a lockstep (whose
    `step(x, y)` keeps its own weights; it needs a `config`): these run here. A path, "file.py:function",
    runs in a process of its own, within `timeout` seconds and `memory` GiB.
    Raises UsageError for what is no subject, and for one that gives nothing to judge.
    """
    one, calls = asked_subject(subject, _source(config), activation, dtype)
    checked = check_subject(one, calls, Limits(timeout, int(memory * 2**30)), lang=lang)
    return replace(checked, _pages=Pages(lambda folder, said: write_page(checked, one, folder, said)))


def model(
    module: torch.nn.Module,
    x: Batch,
    y: Batch,
    *,
    loss: LossLike = "mse",
    optimizer: dict[str, JsonValue] | str = "sgd",
    lr: float = 0.1,
    steps: int = 1,
    accept: Sequence[str] = (),
    threads: int = 1,
) -> Result:
    """A torch model, mirrored by the deck's engine and trained in lockstep with it: `parity run --model`.

    x and y have a sample a row, as PyTorch has them. The module stays as it is.
    Raises UsageError for a model without a mirror, EnvironmentUnfit where torch is missing.
    """
    require_torch()
    from parity.pytorch.imported.case import BatchPeer, training_of

    config = training_of(loss, optimizer=optimizer, lr=lr, steps=steps, accept=[*accept])
    peer = BatchPeer(type(module).__name__, module, x, y)
    return run_case(config, Keep(), threads=threads, peer=peer)


def watch(
    *modules: torch.nn.Module,
    optimizer: torch.optim.Optimizer | None = None,
    steps: int | None = None,
    every: int = 1,
    sample: float | None = None,
    accept: Sequence[str] = (),
    probes: bool = False,
) -> Watching:
    """A training loop, watched: every operation that PyTorch runs in it, certified: `parity watch`.

    Used as a context, ``with parity.watch(model) as watched:``, around the loop; then `watched.result`,
    or `watched.verify()`, which raises Mismatch for a wrong operation and for what is not certified.
    A step is a backward pass that reaches a parameter of `modules` (of anything, where none are given),
    what led to it, and the updates that follow, by `optimizer` or by any. The first `steps` of them are
    certified, all by default, or every `every`-th; of each the share `sample` of its tensors. `accept`
    names what need not be certified: an operation, or opaque, unsupported, altered. With `probes` what is
    compiled is run again with every result inside given out, and each of its operations certified.
    Raises UsageError for numbers that make no sense, EnvironmentUnfit where torch is missing.
    """
    require_torch()
    from torch.nn import Module

    for module in modules:
        if not isinstance(module, Module):
            raise UsageError(Message("watch_no_module", kind=type(module).__name__))
    return Watching(
        *modules,
        optimizer=optimizer,
        steps=steps,
        every=every,
        sample=sample,
        accept=accept,
        probes=probes,
        finish=with_watched_page,
    )


def kernel(
    candidate: Callable[..., object],
    definition: Callable[..., object],
    *inputs: object,
    dtype: str | None = None,
) -> KernelResult:
    """Opaque code held to its plain definition, outputs and gradients: `parity kernel`.

    Both are functions or modules that take `inputs` and return a tensor or a tuple of them; the
    candidate may be anything, an autograd.Function or what `torch.compile` returned. The definition is
    plain PyTorch: what any rounding of it can give, from the same inputs and random upstream gradients,
    bounds the candidate's outputs and the gradients of all inputs and of a module's parameters. Tried on
    the inputs, and on others made of them: one sample, not contiguous, large, subnormal, whole numbers.
    Floats among the inputs are rounded to `dtype` first, where it is given.
    Raises UsageError for a definition that is no graph of known operations, EnvironmentUnfit where torch
    is missing.
    """
    require_torch()
    from parity.kernel.hold import hold
    from parity.report.kernel import with_page

    return with_page(hold(candidate, definition, *inputs, dtype=dtype))


def explain(
    number: str,
    *,
    step: int = 0,
    trace: Path | str | None = None,
    side: str | None = None,
    model: str | None = None,
    config: ConfigLike = None,
    **options: object,
) -> Explanation:
    """One number worked out by hand, ``explain("delta2[1,0]", data="xor")``: `parity explain`.

    From the case that `config` and `options` describe, or the torch model, as for `run`; or from a trace
    file.
    Raises UsageError for what is no number of that step.
    """
    question = parse(number)
    if trace:
        return explain_number(recorded(Path(trace), step, side), question)
    asked = read_config(_source(config), options)
    if peer := model_peer(asked, model):
        return explain_number(walked_model(peer, asked, step), question)
    case = build(asked)
    return explain_number(walked(case, step, with_torch=has_torch()), question)


def record(
    output: Path | str,
    *,
    update: bool = False,
    no_torch: bool = False,
    config: ConfigLike = None,
    model: str | None = None,
    threads: int = 1,
    **options: object,
) -> RecordedGolden:
    """Freeze a run into a golden, if all of it holds: `parity record`.

    With `update`, a golden that stands there is recorded anew if it is outside its bounds, or if
    `config`, `model` and `options` (as for `run`) ask for another run. Raises UsageError where one stands
    already.
    """
    asked = with_steps(read_config(_source(config), options))
    peer = model_peer(asked, model)
    if not update:
        return record_golden(asked, output, torch=not no_torch, threads=threads, peer=peer)
    nothing_said = config is None and not model and not options and Path(output).exists()
    mine = None if nothing_said else asked
    return update_golden(output, mine, torch=not no_torch, threads=threads, peer=peer)


def replay(
    *files: Path | str,
    no_torch: bool = False,
    no_reference: bool = False,
    bitwise: bool = False,
    threads: int = 1,
) -> Replays:
    """Goldens, or folders of goldens, held against here and now: `parity replay`.

    Raises UsageError for a file that is no golden.
    """
    sides = chosen(reference=not no_reference, torch=not no_torch)

    def replayed(path: Path) -> Replay:
        return replay_golden(read_golden(path), str(path), sides, bitwise=bitwise, threads=threads)

    def write(folder: Path, lang: str) -> None:
        for path in found:
            golden = read_golden(path)
            pages = watched(golden, sides)
            wanted = pages.sides if pages else sides
            again = replay_golden(golden, str(path), wanted, bitwise=bitwise, threads=threads)
            if pages:
                pages.write(again, folder / path.stem, lang)
            else:
                again.report(folder / path.stem, lang)

    found = goldens([Path(file) for file in files])
    return Replays(tuple(replayed(path) for path in found), _pages=Pages(write))


def diff(a: Path | str, b: Path | str, *, side: str | None = None) -> Diff:
    """Where two saved runs first differ, in bits and beyond what rounding explains: `parity diff`.

    Each is a golden, or a trace file of `parity run --trace`: of two machines, of two versions. `side`
    (reference, torch or subject) compares that side alone.
    Raises UsageError for a file that is no saved run, and for runs of different networks.
    """
    return diff_runs(a, b, side=side)


def _source(config: ConfigLike) -> Path | Mapping[str, object] | None:
    return Path(config) if isinstance(config, str) else config
