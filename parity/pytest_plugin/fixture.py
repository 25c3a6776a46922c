"""What the fixture `parity` offers. Tracebacks leave this file's frames out: the test's line remains."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, TypeAlias, TypeVar

from parity.errors import EnvironmentUnfit, UsageError
from parity.pytest_plugin.answer import Answer, ParityError
from parity.pytest_plugin.context import Context
from parity.render.texts.message import Message
from parity.report.ci.facts import Compared

if TYPE_CHECKING:
    import numpy as np
    import torch
    from numpy.typing import NDArray
    from pydantic import JsonValue

    from parity.golden import Replay
    from parity.kernel.result import KernelResult
    from parity.lockstep.result import Result
    from parity.watch.watching import Watching

    Batch: TypeAlias = NDArray[np.generic] | torch.Tensor

R = TypeVar("R")
ConfigLike: TypeAlias = "Mapping[str, object] | str | Path | None"

__tracebackhide__ = True


class _Watched:
    """The block of a training. Where it ends well, what was found in it is judged."""

    def __init__(self, watching: Watching, judge: Callable[[], None]) -> None:
        self._watching, self._judge = watching, judge

    def __enter__(self) -> Watching:
        return self._watching.__enter__()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._watching.__exit__(kind, error, trace)
        if error is None:
            self._judge()


class Parity:
    """Comparisons for one test. Each raises ParityError where it does not hold or cannot be made."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._asked = 0

    def check(
        self,
        subject: object,
        *,
        config: ConfigLike = None,
        activation: str | Sequence[str] | None = None,
        dtype: str | None = None,
        timeout: float = 20.0,
    ) -> Result:
        """Judge a step as `parity check` judges it: the first wrong formula, and the mistake by name.

        `subject` is a `step` function, a module or an object that has one, a side of a lockstep (an object
        whose `step(x, y)` keeps its own weights; it needs a config), or, as `parity check` takes it, the
        address "file.py:function"; that one runs in a process of its own, within `timeout` seconds.
        """
        from parity.pytest_plugin.checks import CheckCase, check

        case = CheckCase(config, activation, dtype, timeout)
        return self._judged("check", lambda number: check(self._context, number, subject, case))

    def run(self, config: ConfigLike = None) -> Result:
        """The lockstep of the deck's engine and PyTorch, as `parity run --config` walks it."""
        from parity.pytest_plugin.runs import run

        return self._judged("run", lambda number: run(self._context, number, config))

    def model(
        self,
        model: torch.nn.Module,
        x: Batch,
        y: Batch,
        *,
        loss: torch.nn.Module | Mapping[str, JsonValue] | str = "mse",
        optimizer: dict[str, JsonValue] | str = "sgd",
        lr: float = 0.1,
        steps: int = 1,
        accept: Sequence[str] = (),
    ) -> Result:
        """A layered torch model, mirrored by the deck's engine and walked in lockstep with it.

        x and y have a sample a row, as PyTorch has them. The model itself stays as it is. Loss and
        optimizer as in a config, or the loss as a module of `torch.nn`.
        """
        from parity.pytest_plugin.runs import model as mirrored

        def ask(number: int) -> Answer[Result]:
            asked: dict[str, JsonValue] = {"optimizer": optimizer, "lr": lr, "steps": steps}
            return mirrored(self._context, number, model, (x, y), loss, **asked, accept=[*accept])

        return self._judged("model", ask)

    def watch(
        self,
        *modules: torch.nn.Module,
        optimizer: torch.optim.Optimizer | None = None,
        steps: int | None = None,
        every: int = 1,
        sample: float | None = None,
        accept: Sequence[str] = (),
    ) -> AbstractContextManager[Watching]:
        """A training in a `with` block: each operation that PyTorch runs in it must be its formula.

        The test fails with the first wrong operation, or with what is not certified; `accept` names what
        need not be. What the block itself raises goes through. Options as those of `parity.watch`.
        """
        from parity.pytest_plugin.watching import watched, watching

        asked = self._asking("watch", lambda: watching(modules, optimizer, steps, every, sample, accept))

        def judge() -> None:
            self._judged("watch", lambda number: watched(self._context, number, modules, asked.result))

        return _Watched(asked, judge)

    def kernel(
        self,
        candidate: Callable[..., object],
        definition: Callable[..., object],
        *inputs: object,
        dtype: str | None = None,
    ) -> KernelResult:
        """Opaque code held to its plain definition, outputs and gradients, as by `parity.kernel`.

        The test fails with the first number that no rounding of the definition can give.
        """
        from parity.pytest_plugin.kernels import kernel

        return self._judged(
            "kernel", lambda number: kernel(self._context, number, candidate, definition, inputs, dtype)
        )

    def golden(self, name: str, step: object = None, *, config: ConfigLike = None) -> Replay:
        """The golden file `goldens/NAME.safetensors` beside the test, replayed here and now.

        Its formulas must hold, and those of today's engine and of PyTorch (where that is installed) from
        its inputs. With a `step`, that one is judged on the golden's inputs too. `pytest --parity-update`
        records a golden that is missing, from `config`, and one that is outside its bounds.
        """
        from parity.pytest_plugin import goldens

        found = self._judged("golden", lambda number: goldens.golden(self._context, number, name, config))
        if step is not None:
            self._judged("golden", lambda number: goldens.on_golden(self._context, number, name, step))
        return found

    def _judged(self, kind: str, ask: Callable[[int], Answer[R]]) -> R:
        """Note what came of a comparison, and raise it where it does not hold."""
        self._asked += 1
        answer = self._asking(kind, lambda: ask(self._asked))
        self._context.note(answer.compared)
        if answer.failure is not None:
            raise ParityError(answer.failure) from answer.cause
        return answer.result

    def _asking(self, kind: str, ask: Callable[[], R]) -> R:
        """Note and raise what makes a question one that cannot be answered."""
        try:
            return ask()
        except (UsageError, EnvironmentUnfit) as error:
            said = Message.about(error).said(self._context.lang)
            self._context.note(Compared(kind, said.partition(":")[0], "error", reason=said))
            raise ParityError(said) from None
