"""`parity kernel`: opaque code held to its plain definition, outputs and gradients."""

from __future__ import annotations

from typing import Annotated

import typer

from parity.cli import options
from parity.cli.speech import SpokenCommand


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(cls=SpokenCommand)(kernel)


def kernel(
    candidate: Annotated[str, typer.Argument(metavar="FILE.py:CANDIDATE")],
    definition: Annotated[
        str,
        typer.Argument(metavar="FILE.py:DEFINITION"),
    ],
    inputs: Annotated[
        str,
        typer.Option(
            metavar="FILE.py:INPUTS",
        ),
    ],
    dtype: Annotated[
        str | None,
        typer.Option(metavar="float32|float64|bfloat16|float16"),
    ] = None,
    device: options.Device = None,
    json: options.Json = None,
    report: options.Report = None,
    lang: options.Lang = options.SPOKEN,
) -> int:
    from parity.lockstep.environment import require_torch
    from parity.render.console import console
    from parity.render.files import writable, writable_folder, write_text
    from parity.render.texts import catalogue

    catalogue(lang)
    if json:
        writable(json)
    if report:
        writable_folder(report)
    require_torch()
    from parity.kernel.asked import as_function, as_inputs, moved
    from parity.kernel.hold import hold
    from parity.pytorch.devices import placed
    from parity.pytorch.imported.load import named
    from parity.report.kernel import write as write_page

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
    if report:
        write_page(result, report, lang)
    result.show(console(stderr=json == "-"), lang)
    return result.exit_code
