"""`parity doctor`: what this machine computes with, and whether it is fit to."""

from __future__ import annotations

from typing import Annotated

import typer

from parity.cli import options


def register(app: typer.Typer) -> None:
    """Add the command to the app."""
    app.command("doctor", help="Show versions, BLAS, threads and number handling of this environment.")(
        doctor
    )


def doctor(
    json: options.Json = None,
    threads: Annotated[int, typer.Option(metavar="N", min=1, help="Threads to look at it with.")] = 1,
) -> int:
    import json as encoder

    from parity.cli.terminal import show_facts
    from parity.lockstep.environment import environment, unfit
    from parity.lockstep.threads import limited
    from parity.render.files import write_text

    environment()  # brings torch in, with its own pools, before they are limited
    with limited(threads):
        facts = environment()
        problems = unfit(facts)
    if json:
        write_text(
            json, encoder.dumps({"schema": "parity-doctor/1", "environment": facts, "problems": problems})
        )
    if json != "-":
        show_facts(facts, problems)
    return 3 if problems else 0
