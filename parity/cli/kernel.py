"""`parity kernel`: opaque code held to its plain definition, outputs and gradients."""

from __future__ import annotations

from typing import Annotated

import typer

from parity.cli import options


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(kernel)


def kernel(
    candidate: Annotated[
        str, typer.Argument(metavar="FILE.py:CANDIDATE", help="A function or module, of any kind.")
    ],
    definition: Annotated[
        str,
        typer.Argument(metavar="FILE.py:DEFINITION", help="The same in plain PyTorch."),
    ],
    inputs: Annotated[
        str,
        typer.Option(
            metavar="FILE.py:INPUTS",
            help="What both take: a tensor, a tuple, or a function that returns one.",
        ),
    ],
    dtype: Annotated[
        str | None,
        typer.Option(
            metavar="float32|float64|bfloat16|float16", help="Round floats among the inputs to this first."
        ),
    ] = None,
    device: options.Device = None,
    json: options.Json = None,
    lang: options.Lang = "en",
) -> int:
    """Hold a kernel, an autograd.Function or a compiled function to its plain definition.

    The definition is run once and recorded as a graph of certified operations. What any rounding of it
    can give, from the same inputs and random upstream gradients, bounds the candidate's outputs and the
    gradients of all inputs and parameters; the first number outside is told, with the resolution.
    """
    from parity.lockstep.environment import require_torch
    from parity.render.console import console
    from parity.render.files import writable, write_text
    from parity.render.texts import catalogue

    catalogue(lang)
    if json:
        writable(json)
    require_torch()
    from parity.kernel.asked import as_function, as_inputs, moved
    from parity.kernel.hold import hold
    from parity.pytorch.devices import placed
    from parity.pytorch.imported.load import named

    on_device = placed(device)
    specs = {"CANDIDATE": candidate, "DEFINITION": definition, "--inputs": inputs}
    one, other, given = named(specs)
    functions = as_function(one, candidate), as_function(other, definition)
    with on_device:
        tensors = as_inputs(given, inputs)
        if device:
            tensors = moved(tensors, functions, device)
        result = hold(*functions, *tensors, dtype=dtype)
    if json:
        write_text(json, result.to_json())
    result.show(console(stderr=json == "-"), lang)
    return result.exit_code
