"""`parity record`: freeze a run, to be held later against another torch, numpy or machine."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from parity.cli import options
from parity.config.options import CASE_OPTIONS
from parity.render.texts.message import Message

GOLDEN = "Golden"

HELP = """Freeze a run into a golden, to be replayed later and elsewhere.

parity record --data xor --steps 3 -o tests/goldens/xor.safetensors

A golden holds every tensor of every step. The run is certified first, as by
parity run; one that does not hold is not recorded (exit code 1). Beside the
golden a sidecar of the same name, .json, shows what a review needs: config,
environment, and of each tensor shape, digest, min, max, norm, first values.
Commit both.

With --model, a torch model's training is frozen: its graph with options and
weights, what it was given and drew at random, and PyTorch's calls, so that
both sides are replayed without the model's code. With --watch, steps of any
training script are frozen, as parity watch sees them: what each operation
took and made, forward and backward.

parity record --watch train.py --steps 2 -o step.safetensors -- --its options

What is there is never overwritten. With --update, each FILE is replayed, and
recorded anew, from its own config, only if it is outside its bounds; which
ones were changed, and why, is printed.
"""


def register(app: typer.Typer) -> None:
    """Add the command to the app."""
    app.command("record", help=HELP)(record)


@options.takes_case(
    *CASE_OPTIONS,
    steps="Training steps, all of them kept (default: 5; with --watch: 1).",
    accept="A finding in PyTorch's numbers (reports/findings.md) that does not count; with --watch what "
    "need not be certified: an operation, or opaque, unsupported, altered. May be repeated.",
)
def record(
    files: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="[FILE…]",
            help="With --update: goldens, or folders of goldens. With --watch: after --, its arguments.",
        ),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            metavar="FILE.safetensors",
            help="Where the golden goes.",
            rich_help_panel=GOLDEN,
        ),
    ] = None,
    update: Annotated[
        bool,
        typer.Option(
            "--update",
            help="Change goldens that are there: only those outside their bounds, or asked for otherwise.",
            rich_help_panel=GOLDEN,
        ),
    ] = False,
    no_torch: Annotated[
        bool,
        typer.Option(
            "--no-torch", help="Record the engine alone; needs no PyTorch.", rich_help_panel=GOLDEN
        ),
    ] = False,
    model: Annotated[
        str | None,
        typer.Option(
            metavar="MODULE:FACTORY",
            help="Freeze the training of an existing torch model: its graph and its weights.",
            rich_help_panel=options.NETWORK,
        ),
    ] = None,
    watch: Annotated[
        Path | None,
        typer.Option(
            metavar="SCRIPT.py",
            help="Freeze the first step of this training script, or --steps of them; there it ends.",
            rich_help_panel=GOLDEN,
        ),
    ] = None,
    *,
    case: options.AskedCase,
    lang: options.Lang = options.SPOKEN,
    threads: options.Threads = 1,
) -> int:
    from parity.cli.terminal import progress
    from parity.errors import UsageError
    from parity.golden.folder import goldens
    from parity.golden.format import place
    from parity.golden.reader import read
    from parity.golden.record import record as record_case
    from parity.golden.record import update as update_golden
    from parity.golden.record import with_steps
    from parity.lockstep.run import model_peer
    from parity.render.console import console
    from parity.render.texts import catalogue

    catalogue(lang)
    if watch is not None:
        return _script(watch, files or [], output, case, alone=not (update or no_torch or model), lang=lang)
    if output is None and not update:
        raise UsageError(Message("record_output"))
    if files and (output is not None or not update or not case.is_empty or model):
        raise UsageError(Message("record_files"))
    if output is None and not files:
        raise UsageError(Message("record_update"))
    if output is None:
        found = goldens(files or [])
        for path in found:
            read(path)  # all are read before any is changed
        outcomes = []
        for path in found:
            outcomes.append(update_golden(path, torch=not no_torch, threads=threads))
            outcomes[-1].show(console(), lang)
        return max(outcome.exit_code for outcome in outcomes)
    place(output)
    asked = with_steps(case.config())
    peer = model_peer(model, asked.training.seed) if model else None
    with progress(lang) as shown:
        if update:
            mine = None if case.is_empty and not peer and output.exists() else asked
            made = update_golden(
                output,
                mine,
                torch=not no_torch,
                threads=threads,
                observers=lambda of: [shown(of.steps)],
                peer=peer,
            )
        else:
            made = record_case(
                asked,
                output,
                torch=not no_torch,
                threads=threads,
                observers=lambda of: [shown(of.steps)],
                reproduce=case.reproduction("run", without="steps", model=model),
                peer=peer,
            )
    made.show(console(), lang)
    return made.exit_code


def _script(
    script: Path,
    arguments: list[Path],
    output: Path | None,
    case: options.AskedCase,
    *,
    alone: bool,
    lang: str,
) -> int:
    """Freeze the steps of a watched script."""
    from parity.errors import UsageError
    from parity.golden.script import STEPS, record_script
    from parity.render.console import console

    if output is None or not alone or case.file or case.given.keys() - {"steps", "accept"}:
        raise UsageError(Message("record_watch"))
    training = case.config().training
    made = record_script(
        script,
        [str(argument) for argument in arguments],
        output,
        steps=training.steps or STEPS,
        accept=training.accept,
    )
    made.show(console(), lang)
    return made.exit_code
