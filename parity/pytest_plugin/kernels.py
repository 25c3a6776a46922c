"""`parity.kernel` in a test: the first number that no rounding of the definition gives, as a failure."""

from __future__ import annotations

from collections.abc import Callable

from parity.kernel.result import KernelResult
from parity.kernel.text import finding_lines, tensor_name
from parity.lockstep.environment import require_torch
from parity.pytest_plugin.answer import Answer, failure_text
from parity.pytest_plugin.context import Context
from parity.render.texts import LANGUAGES, catalogue
from parity.report.ci.facts import Compared, RootCause

SIDE = "subject"


def kernel(
    context: Context,
    number: int,
    candidate: Callable[..., object],
    definition: Callable[..., object],
    inputs: tuple[object, ...],
    dtype: str | None,
) -> Answer[KernelResult]:
    """A candidate held to its definition, as facts, and as a failure where it is no match."""
    require_torch()
    from parity.kernel.hold import hold
    from parity.report.kernel import write

    result = hold(candidate, definition, *inputs, dtype=dtype)
    folder = context.report_folder("kernel", number)
    if folder:
        write(result, folder, context.lang)
    lines = finding_lines(result, context.lang)
    say = catalogue(LANGUAGES[0])
    roots = (RootCause(tensor_name(one.part, one.name, say), (), 0, SIDE) for one in result.wrong)
    compared = Compared(
        "kernel",
        result.candidate,
        result.verdict,
        result.numbers_compared,
        result.undecided,
        tuple(dict.fromkeys(roots)),
        reason="" if result.verdict in ("match", "mismatch") else " ".join(lines),
        reproduce=context.command,
        file=context.relative(context.file),
        report=context.relative(folder),
    )
    failure = None if result.verdict == "match" else failure_text(context, lines, None)
    return Answer(result, compared, failure)
