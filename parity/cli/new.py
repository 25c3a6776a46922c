"""`parity new`: a commented template of a subject."""

from __future__ import annotations

import shlex
from importlib import resources
from pathlib import Path
from typing import Annotated

import typer

from parity.cli import options
from parity.cli.speech import SpokenCommand
from parity.render.texts.message import Message


def register(app: typer.Typer) -> None:
    """Add the command to the app."""
    app.command("new", cls=SpokenCommand)(new)


def new(
    file: Annotated[Path, typer.Argument(metavar="FILE.py")],
    lang: options.Lang = options.SPOKEN,
) -> int:
    from parity.errors import UsageError
    from parity.render.files import writable, write_text
    from parity.render.texts import catalogue

    catalogue(lang)
    if file.suffix != ".py":
        raise UsageError(Message("not_python", file=file))
    if file.exists():
        raise UsageError(Message("exists_already", file=file))
    writable(str(file))
    template = resources.files("parity.render.texts").joinpath(f"template.{lang}.txt")
    write_text(str(file), template.read_text(encoding="utf-8"))
    typer.echo(catalogue(lang)["new.next"].format(file=shlex.quote(str(file))))
    return 0
