"""`parity schema`: the JSON schema of a result."""

from __future__ import annotations

import typer


def register(app: typer.Typer) -> None:
    """Add the command to the app."""
    app.command("schema", help="Print the JSON schema of results (parity-result/1).")(schema)


def schema() -> None:
    import json

    from parity.result import Result

    typer.echo(json.dumps(Result.model_json_schema(by_alias=True), indent=2))
