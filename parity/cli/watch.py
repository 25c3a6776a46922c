"""`parity watch`: somebody's own training script, every operation of its first steps certified."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from parity.cli import options
from parity.cli.speech import SpokenCommand


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(cls=SpokenCommand)(watch)


def watch(
    script: Annotated[
        Path,
        typer.Argument(metavar="SCRIPT.py [-- ARGS]"),
    ],
    arguments: Annotated[list[str] | None, typer.Argument(hidden=True)] = None,
    steps: Annotated[int, typer.Option(metavar="K", min=1)] = 3,
    first: Annotated[int, typer.Option("--from", metavar="N", min=0)] = 0,
    every: Annotated[int, typer.Option(metavar="M", min=1)] = 1,
    sample: Annotated[
        float | None,
        typer.Option(metavar="SHARE"),
    ] = None,
    stop: Annotated[bool, typer.Option("--stop")] = False,
    accept: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME",
        ),
    ] = None,
    probes: Annotated[bool, typer.Option("--probes")] = False,
    device: options.Device = None,
    every_row: Annotated[bool, typer.Option("--all")] = False,
    json: options.Json = None,
    report: options.Report = None,
    lang: options.Lang = options.SPOKEN,
) -> int:
    from contextlib import nullcontext

    from parity.errors import INTERRUPTED
    from parity.lockstep.environment import require_torch
    from parity.lockstep.result import EXIT_QUESTION
    from parity.render.console import PLAIN, console
    from parity.render.files import stdout_to_stderr, writable, writable_folder, write_text
    from parity.render.texts import catalogue
    from parity.report.watch import with_page
    from parity.watch.script import readable, run
    from parity.watch.text import finding_lines, show_watched

    say, rank = catalogue(lang), _rank()
    readable(script)
    if rank:  # each rank writes what it found; rank 0 shows what all did
        json = None if json is None or json == "-" else str(_of_rank(Path(json), rank))
        report = None if report is None else _of_rank(report, rank)
    if json:
        writable(json)
    if report:
        writable_folder(report)
    require_torch()
    from parity.pytorch.devices import placed

    on_device = placed(device)
    errors = console(stderr=True)

    def seen(step: int) -> None:
        if errors.is_terminal and not PLAIN:
            errors.print(say["watch.progress"].format(step=step, steps=steps), style="dim")

    with stdout_to_stderr() if json == "-" else nullcontext(), on_device:
        found = run(
            script,
            arguments or [],
            stop=stop,
            steps=steps,
            first=first,
            every=every,
            sample=sample,
            accept=accept or (),
            probes=probes,
            seen=seen,
            finish=with_page,
        )
    result = found.result
    if json:
        write_text(json, result.to_json())
    if report:
        result.report(report, lang)
    if not rank:
        show_watched(result, console(stderr=json == "-"), lang, every_row=every_row)
    elif result.exit_code:
        for line in finding_lines(result, lang):
            errors.print(say["watch.of_rank"].format(rank=rank, line=line), markup=False)
    found.part()
    if found.failed:
        return EXIT_QUESTION
    return INTERRUPTED if found.interrupted and result.verdict != "mismatch" else result.exit_code


def _rank() -> int:
    """The rank of this process, as torchrun tells it; 0 where it is not one of several."""
    told = os.environ.get("RANK", "0")
    return int(told) if told.isdigit() and "WORLD_SIZE" in os.environ else 0


def _of_rank(path: Path, rank: int) -> Path:
    """`result.rank1.json` beside `result.json`."""
    return path.with_name(f"{path.stem}.rank{rank}{path.suffix}")
