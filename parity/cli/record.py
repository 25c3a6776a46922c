"""`parity record`: freeze a run, to be held later against another torch, numpy or machine."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from parity.cli import options
from parity.cli.speech import SpokenCommand
from parity.config.options import CASE_OPTIONS
from parity.render.texts.message import Message

GOLDEN = "golden"


def register(app: typer.Typer) -> None:
    """Add the command to the app."""
    app.command("record", cls=SpokenCommand)(record)


@options.takes_case(*CASE_OPTIONS)
def record(
    files: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="[FILE…]",
        ),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            metavar="FILE.safetensors",
            rich_help_panel=GOLDEN,
        ),
    ] = None,
    update: Annotated[
        bool,
        typer.Option(
            "--update",
            rich_help_panel=GOLDEN,
        ),
    ] = False,
    no_torch: Annotated[
        bool,
        typer.Option("--no-torch", rich_help_panel=GOLDEN),
    ] = False,
    model: Annotated[
        str | None,
        typer.Option(
            metavar="MODULE:FACTORY",
            rich_help_panel=options.NETWORK,
        ),
    ] = None,
    watch: Annotated[
        Path | None,
        typer.Option(
            metavar="SCRIPT.py",
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
    peer = model_peer(asked, model)
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
