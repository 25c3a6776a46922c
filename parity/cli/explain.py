"""`parity explain`: one number worked out by hand."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from parity.cli import options
from parity.cli.speech import SpokenCommand
from parity.config.options import CASE_OPTIONS


def register(app: typer.Typer) -> None:
    """Add the command to the app."""
    app.command("explain", cls=SpokenCommand)(explain)


@options.takes_case(*(name for name in CASE_OPTIONS if name != "steps"))
def explain(
    number: Annotated[str, typer.Argument(metavar="NUMBER")],
    step: Annotated[int, typer.Option(metavar="N", min=0, max=10**7)] = 0,
    trace: Annotated[Path | None, typer.Option(metavar="FILE.safetensors")] = None,
    model: options.TorchModel = None,
    side: Annotated[str | None, typer.Option(metavar="NAME")] = None,
    *,
    case: options.AskedCase,
    lang: options.Lang = options.SPOKEN,
) -> int:
    from importlib.util import find_spec

    from parity.config.case import build
    from parity.explain.number import explain as explain_number
    from parity.explain.number import parse, recorded, walked, walked_model
    from parity.lockstep.run import model_peer
    from parity.render.console import console
    from parity.render.texts import catalogue

    catalogue(lang)
    question = parse(number)
    if trace:
        found = recorded(trace, step, side)
    else:
        config = case.config()
        peer = model_peer(config, model)
        torch = find_spec("torch") is not None
        found = walked_model(peer, config, step) if peer else walked(build(config), step, with_torch=torch)
    explanation = explain_number(found, question)
    explanation.show(console(), lang)
    return 0 if explanation.verdict == "match" else 1
