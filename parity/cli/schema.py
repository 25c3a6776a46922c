"""`parity schema`: the JSON schema of what parity writes as JSON."""

from __future__ import annotations

from typing import Annotated

import typer


def register(app: typer.Typer) -> None:
    """Add the command to the app."""
    app.command(
        "schema", help="Print the JSON schema of results: of a run, a replay, what was watched, a kernel."
    )(schema)


def schema(
    what: Annotated[
        str,
        typer.Argument(
            metavar="[result|replay|watch|kernel]",
            help="parity-result/1, parity-replay/1, parity-watch/1 or parity-kernel/1.",
        ),
    ] = "result",
) -> None:
    import json

    from pydantic import BaseModel

    from parity.golden.result import Replay
    from parity.kernel.result import KernelResult
    from parity.lockstep.result import Result
    from parity.render.texts.message import unknown
    from parity.watch.result import WatchResult

    models: dict[str, type[BaseModel]] = {
        "result": Result,
        "replay": Replay,
        "watch": WatchResult,
        "kernel": KernelResult,
    }
    if what not in models:
        raise unknown("schema", what, models)
    typer.echo(json.dumps(models[what].model_json_schema(by_alias=True), indent=2))
