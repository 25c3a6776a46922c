"""The command line: one file per command in `parity.cli`; what is heavy is imported when run."""

from __future__ import annotations

from typing import Annotated

import typer

from parity import __version__
from parity.cli import (
    bench,
    check,
    doctor,
    explain,
    graph,
    names,
    new,
    record,
    replay,
    run,
    schema,
    watch,
)

app = typer.Typer(
    name="parity",
    epilog="Exit codes: 0 all holds, 1 a mismatch, 2 the question is wrong, 3 the environment cannot "
    "answer, 4 our own fault, 5 nothing was checked.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

for command in (run, watch, check, explain, graph, new, record, replay, names, bench, doctor, schema):
    command.register(app)


def _version(asked: bool) -> None:
    if asked:
        typer.echo(f"parity {__version__}")
        raise typer.Exit


@app.callback()
def parity(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Is this gradient right? The deck's backpropagation and PyTorch's, certified step by step."""
