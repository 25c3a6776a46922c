"""`parity watch`: somebody's own training script, every operation of its first steps certified."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from parity.cli import options


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(context_settings={"allow_interspersed_args": False})(watch)


def watch(
    script: Annotated[
        Path,
        typer.Argument(metavar="SCRIPT.py [-- ARGS]", help="A training script and its arguments."),
    ],
    arguments: Annotated[list[str] | None, typer.Argument(hidden=True)] = None,
    steps: Annotated[int, typer.Option(metavar="K", min=1, help="How many steps to certify.")] = 3,
    first: Annotated[
        int, typer.Option("--from", metavar="N", min=0, help="The first step to certify, counted from 0.")
    ] = 0,
    every: Annotated[int, typer.Option(metavar="M", min=1, help="Certify every M-th step.")] = 1,
    sample: Annotated[
        float | None,
        typer.Option(metavar="SHARE", help="Certify this share of the tensors, drawn anew in each step."),
    ] = None,
    stop: Annotated[bool, typer.Option("--stop", help="End after the last certified step.")] = False,
    accept: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME",
            help="What need not be certified: an operation, or opaque, unsupported, altered. Repeatable.",
        ),
    ] = None,
    every_row: Annotated[
        bool, typer.Option("--all", help="Show every tensor of every operation, not modules.")
    ] = False,
    json: options.Json = None,
    report: options.Report = None,
    lang: options.Lang = "en",
) -> int:
    """Run a training script and certify every operation that PyTorch runs in it.

    Forward, backward, accumulation and update: each tensor is held to its formula on PyTorch's own
    numbers, within a rounding bound that is derived. The script computes what it computes without this.
    """
    from parity.lockstep.environment import require_torch
    from parity.render.console import console
    from parity.render.files import writable, writable_folder, write_text
    from parity.render.texts import catalogue
    from parity.watch.script import run
    from parity.watch.text import show_watched

    say = catalogue(lang)
    if json:
        writable(json)
    if report:
        writable_folder(report)
    require_torch()
    errors = console(stderr=True)

    def seen(step: int) -> None:
        errors.print(say["watch.progress"].format(step=step, steps=steps), style="dim")

    found = run(
        script,
        [*(arguments or [])][(arguments or [""])[0] == "--" :],
        stop=stop,
        steps=steps,
        first=first,
        every=every,
        sample=sample,
        accept=accept or (),
        seen=seen,
    )
    if json:
        write_text(json, found.result.to_json())
    if report:
        found.result.report(report, lang)
    show_watched(found.result, console(stderr=json == "-"), lang, every_row=every_row)
    return 2 if found.failed else found.result.exit_code
