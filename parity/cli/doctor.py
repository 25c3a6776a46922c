"""`parity doctor`: what this machine computes with, and whether it is fit to."""

from __future__ import annotations

from typing import Annotated

import typer

from parity.cli import options
from parity.cli.speech import SpokenCommand


def register(app: typer.Typer) -> None:
    """Add the command to the app."""
    app.command("doctor", cls=SpokenCommand)(doctor)


def doctor(
    json: options.Json = None,
    threads: Annotated[int, typer.Option(metavar="N", min=1)] = 1,
    lang: options.Lang = options.SPOKEN,
) -> int:
    import json as encoder

    from parity.cli.terminal import show_facts
    from parity.lockstep.environment import environment, refused_longdouble, unfit
    from parity.lockstep.threads import limited
    from parity.render.files import write_text
    from parity.render.texts import catalogue

    catalogue(lang)

    environment()  # brings torch in, with its own pools, before they are limited
    with limited(threads):
        facts = environment()
        refused = refused_longdouble()
        problems = [*unfit(facts), *([refused] if refused else [])]
    if json:
        write_text(
            json, encoder.dumps({"schema": "parity-doctor/1", "environment": facts, "problems": problems})
        )
    if json != "-":
        show_facts(facts, problems, lang)
    return 3 if problems else 0
