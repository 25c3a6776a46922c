"""`parity explain`: one number worked out by hand."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from parity.commands import options

if TYPE_CHECKING:
    from pydantic import JsonValue

HELP = """Work out one number by hand: parity explain "delta2[1,0]" --step 3

NUMBER is a tensor of the trace (z1, a2, loss, delta1, dW2, db1, W1_next, …) and an index from 0. It is
taken from the deck's engine on the case that the options describe, or from a trace file.
"""


def register(app: typer.Typer) -> None:
    """Add the command to the app."""
    app.command("explain", help=HELP)(explain)


def explain(
    number: Annotated[str, typer.Argument(metavar="NUMBER", help="Like delta2[1,0].")],
    step: Annotated[int, typer.Option(metavar="N", min=0, max=10**7, help="Which step, from 0.")] = 0,
    trace: Annotated[
        Path | None, typer.Option(metavar="FILE.safetensors", help="Take it from a trace file.")
    ] = None,
    side: Annotated[str, typer.Option(metavar="NAME", help="Whose, in a trace file.")] = "reference",
    config: options.ConfigFile = None,
    data: options.Data = None,
    target: options.Target = None,
    layers: options.Layers = None,
    activation: options.Activation = None,
    dtype: options.Dtype = None,
    lr: options.Lr = None,
    batch: options.Batch = None,
    seed: options.Seed = None,
    lang: options.Lang = "en",
) -> int:
    from parity.case import build
    from parity.consolecheck import show_explanation
    from parity.explain import explain as explain_number
    from parity.explain import parse, recorded, walked
    from parity.texts import catalogue

    catalogue(lang)
    question = parse(number)
    if trace:
        found = recorded(trace, step, side)
    else:
        given: dict[str, JsonValue] = {"data": data, "target": target, "layers": layers}
        given |= {"activation": activation, "dtype": dtype, "lr": lr, "batch": batch, "seed": seed}
        found = walked(build(options.read_config(config, given)), step)
    explanation = explain_number(found, question)
    show_explanation(explanation, lang)
    return 0 if abs(explanation.observed - explanation.expected) <= explanation.bound else 1
