"""The command line: one file per command in `parity.cli`; what is heavy is imported when run."""

from __future__ import annotations

from typing import Annotated

import typer

from parity import __version__
from parity.cli import (
    bench,
    campaign,
    check,
    diff,
    doctor,
    explain,
    graph,
    kernel,
    names,
    new,
    options,
    record,
    replay,
    run,
    schema,
    watch,
)
from parity.cli.speech import SpokenGroup
from parity.render.texts import catalogue

app = typer.Typer(
    name="parity",
    cls=SpokenGroup,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

for command in (
    run,
    watch,
    kernel,
    campaign,
    check,
    explain,
    graph,
    new,
    record,
    replay,
    diff,
    names,
    bench,
    doctor,
    schema,
):
    command.register(app)


def _version(asked: bool) -> None:
    if asked:
        typer.echo(f"parity {__version__}")
        raise typer.Exit


@app.callback()
def parity(
    version: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True)] = False,
    lang: options.Lang = options.SPOKEN,
) -> None:
    catalogue(lang)  # an unknown one is refused
