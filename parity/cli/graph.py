"""`parity graph`: the network's computational graph, data forward and errors backward."""

from __future__ import annotations

from typing import Annotated

import typer

from parity.cli import options
from parity.cli.speech import SpokenCommand
from parity.render.texts.message import Message

FORMATS = ("text", "svg", "mermaid")


def register(app: typer.Typer) -> None:
    """Add the command to the app."""
    app.command("graph", cls=SpokenCommand)(graph)


@options.takes_case("data", "target", "layers", "activation", "loss", "batch")
def graph(
    case: options.AskedCase,
    model: options.TorchModel = None,
    form: Annotated[str, typer.Option("--format", metavar="|".join(FORMATS))] = "text",
    output: Annotated[str, typer.Option("--output", "-o", metavar="FILE|-")] = "-",
    lang: options.Lang = options.SPOKEN,
) -> None:
    from parity.config.case import build
    from parity.errors import UsageError
    from parity.lockstep.run import model_peer
    from parity.render.files import writable, write_text
    from parity.render.graph import svg, text
    from parity.render.graph.drawing import drawing
    from parity.render.texts import catalogue

    say = catalogue(lang)
    if form not in FORMATS:
        raise UsageError(Message("option_known", option="--format", name=form, known=", ".join(FORMATS)))
    writable(output)
    config = case.config()
    peer = model_peer(config, model)
    of = peer.resolve(config)[1] if peer else build(config)
    drawn = drawing(of.architecture, of.batch)
    if form == "svg":
        shown = svg.standalone(drawn)
    elif form == "mermaid":
        shown = text.mermaid(drawn)
    else:
        shown = text.text(drawn, say)
    write_text(output, shown)
