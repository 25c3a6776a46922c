"""`parity diff`: where two saved runs first differ, in bits and beyond what rounding explains."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from parity.cli import options
from parity.cli.speech import SpokenCommand


def register(app: typer.Typer) -> None:
    """Add the command to the app."""
    app.command("diff", cls=SpokenCommand)(diff)


def diff(
    a: Annotated[Path, typer.Argument(metavar="A.safetensors")],
    b: Annotated[Path, typer.Argument(metavar="B.safetensors")],
    side: Annotated[str | None, typer.Option(metavar="NAME")] = None,
    json: options.Json = None,
    lang: options.Lang = options.SPOKEN,
) -> int:
    from parity.golden.diff import diff as compare
    from parity.render.console import console
    from parity.render.files import writable, write_text
    from parity.render.texts import catalogue

    catalogue(lang)
    if json:
        writable(json)
    found = compare(a, b, side=side)
    if json:
        write_text(json, found.to_json())
    found.show(console(stderr=json == "-"), lang)
    return found.exit_code
