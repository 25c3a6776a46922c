"""`parity graph`: the network's computational graph, data forward and errors backward."""

from __future__ import annotations

from typing import Annotated

import typer

from parity.cli import options

FORMATS = ("text", "svg", "mermaid")


def register(app: typer.Typer) -> None:
    """Add the command to the app."""
    app.command(
        "graph", help="Draw the network's computational graph (slide 7), with both families of arrows."
    )(graph)


@options.takes_case("data", "target", "layers", "activation", "loss")
def graph(
    case: options.AskedCase,
    form: Annotated[
        str, typer.Option("--format", metavar="|".join(FORMATS), help="What to draw it as.")
    ] = "text",
    output: Annotated[
        str, typer.Option("--output", "-o", metavar="FILE|-", help="Where to write it (default: stdout).")
    ] = "-",
    lang: options.Lang = options.SPOKEN,
) -> None:
    from parity.config.case import build
    from parity.errors import UsageError
    from parity.render.files import writable, write_text
    from parity.render.graph import svg, text
    from parity.render.texts import catalogue
    from reference.graph import Graph

    say = catalogue(lang)
    if form not in FORMATS:
        raise UsageError(f"--format {form}: known: {', '.join(FORMATS)}")
    writable(output)
    network = build(case.config()).architecture.unfolded(Graph())
    if form == "svg":
        drawn = svg.standalone(network)
    elif form == "mermaid":
        drawn = text.mermaid(network)
    else:
        drawn = text.text(network, say["graph.forward"], say["graph.backward"])
    write_text(output, drawn)
