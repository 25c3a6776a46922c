"""`parity schema`: the JSON schema of what parity writes as JSON."""

from __future__ import annotations

from typing import Annotated

import typer


def register(app: typer.Typer) -> None:
    """Add the command to the app."""
    app.command(
        "schema", help="Print the JSON schema of results: of a run, a replay, or what was watched."
    )(schema)


def schema(
    what: Annotated[
        str,
        typer.Argument(
            metavar="[result|replay|watch]",
            help="parity-result/1, parity-replay/1 or parity-watch/1.",
        ),
    ] = "result",
) -> None:
    import json

    from pydantic import BaseModel

    from parity.errors import unknown
    from parity.golden.result import Replay
    from parity.lockstep.result import Result
    from parity.watch.result import WatchResult

    models: dict[str, type[BaseModel]] = {"result": Result, "replay": Replay, "watch": WatchResult}
    if what not in models:
        raise unknown("schema", what, models)
    typer.echo(json.dumps(models[what].model_json_schema(by_alias=True), indent=2))
