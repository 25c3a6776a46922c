"""`parity schema`: the JSON schema of what parity writes as JSON."""

from __future__ import annotations

from typing import Annotated

import typer

from parity.cli import options
from parity.cli.speech import SpokenCommand


def register(app: typer.Typer) -> None:
    """Add the command to the app."""
    app.command("schema", cls=SpokenCommand)(schema)


def schema(
    what: Annotated[
        str,
        typer.Argument(
            metavar="[result|replay|watch|kernel|diff|campaign|compare]",
        ),
    ] = "result",
    lang: options.Lang = options.SPOKEN,
) -> None:
    import json

    from pydantic import BaseModel

    from parity.campaign.compare import CampaignComparison
    from parity.campaign.result import CampaignResult
    from parity.golden.diff_result import Diff
    from parity.golden.result import Replay
    from parity.kernel.result import KernelResult
    from parity.lockstep.result import Result
    from parity.render.texts import catalogue
    from parity.render.texts.message import unknown
    from parity.watch.result import WatchResult

    catalogue(lang)  # an unknown one is refused
    models: dict[str, type[BaseModel]] = {
        "result": Result,
        "replay": Replay,
        "watch": WatchResult,
        "kernel": KernelResult,
        "diff": Diff,
        "campaign": CampaignResult,
        "compare": CampaignComparison,
    }
    if what not in models:
        raise unknown("schema", what, models)
    typer.echo(json.dumps(models[what].model_json_schema(by_alias=True), indent=2))
