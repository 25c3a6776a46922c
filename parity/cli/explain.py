"""`parity explain`: one number worked out by hand."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from parity.cli import options
from parity.config.options import CASE_OPTIONS

HELP = """Work out one number by hand: parity explain "delta2[1,0]" --step 3

NUMBER is a tensor of the trace (x, y, W1, b1, z1, a2, loss, s1, delta1, dW2, db1, W1_next, …) and an
index from 0: row, column. It is taken from the case that the options describe, in the deck's engine and,
where it is installed, in PyTorch; or from a trace file.
"""


def register(app: typer.Typer) -> None:
    """Add the command to the app."""
    app.command("explain", help=HELP)(explain)


@options.takes_case(*(name for name in CASE_OPTIONS if name != "steps"))
def explain(
    number: Annotated[str, typer.Argument(metavar="NUMBER", help="Like delta2[1,0].")],
    step: Annotated[int, typer.Option(metavar="N", min=0, max=10**7, help="Which step, from 0.")] = 0,
    trace: Annotated[
        Path | None, typer.Option(metavar="FILE.safetensors", help="Take it from a trace file.")
    ] = None,
    side: Annotated[
        str | None, typer.Option(metavar="NAME", help="Whose, in a trace file (default: everybody's).")
    ] = None,
    *,
    case: options.AskedCase,
    lang: options.Lang = options.SPOKEN,
) -> int:
    from importlib.util import find_spec

    from parity.config.case import build
    from parity.explain.number import explain as explain_number
    from parity.explain.number import parse, recorded, walked
    from parity.render.console import console
    from parity.render.texts import catalogue

    catalogue(lang)
    question = parse(number)
    if trace:
        found = recorded(trace, step, side)
    else:
        torch = find_spec("torch") is not None
        found = walked(build(case.config()), step, with_torch=torch)
    explanation = explain_number(found, question)
    explanation.show(console(), lang)
    return 0 if explanation.verdict == "match" else 1
