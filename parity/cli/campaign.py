"""`parity campaign`: thousands of cases, on this machine's cores or a cluster."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from parity.cli import options
from parity.cli.speech import SpokenCommand

GIB = 2**30


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(cls=SpokenCommand)(campaign)


def campaign(
    output: Annotated[Path | None, typer.Option("-o", "--output", metavar="DIR")] = None,
    only: Annotated[str | None, typer.Option(metavar="KIND,…")] = None,
    samples: Annotated[int | None, typer.Option(metavar="N", min=1)] = None,
    seed: Annotated[int, typer.Option(metavar="S", min=0)] = 0,
    minutes: Annotated[float | None, typer.Option(metavar="M", min=0)] = None,
    workers: Annotated[int | None, typer.Option(metavar="N", min=1)] = None,
    scheduler: Annotated[str | None, typer.Option(metavar="ADDRESS")] = None,
    seconds: Annotated[float, typer.Option(metavar="SECONDS", min=1)] = 120,
    memory: Annotated[float, typer.Option(metavar="GIB", min=0.5)] = 4,
    case: Annotated[Path | None, typer.Option(metavar="FILE.toml")] = None,
    compare: Annotated[tuple[Path, Path] | None, typer.Option(metavar="DIR DIR")] = None,
    markdown: Annotated[Path | None, typer.Option(metavar="FILE")] = None,
    report: options.Report = None,
    json: options.Json = None,
    lang: options.Lang = options.SPOKEN,
) -> int:
    import os
    import shlex
    import sys

    from parity.campaign.case import KINDS
    from parity.cli.terminal_campaign import asked_alone, compared, progress
    from parity.errors import INTERRUPTED, UsageError
    from parity.lockstep.environment import require_torch
    from parity.render.console import console
    from parity.render.files import writable, writable_folder, write_text
    from parity.render.texts import catalogue
    from parity.render.texts.message import Message, unknown

    catalogue(lang)  # an unknown one is refused
    if [output, case, compare].count(None) != 2:
        raise UsageError(Message("campaign_one"))
    for file in filter(None, (json, str(markdown or ""))):
        writable(file)
    if report is not None:
        if compare is None:
            raise UsageError(Message("campaign_report"))
        writable_folder(report)
    if case is not None:
        return asked_alone(case, json, lang)
    if compare is not None:
        return compared(*compare, markdown, report, json, lang)
    assert output is not None
    kinds = KINDS if only is None else tuple(filter(None, only.split(",")))
    for kind in kinds:
        if kind not in KINDS:
            raise unknown("--only", kind, KINDS)
    if workers is not None and scheduler is not None:
        raise UsageError(Message("campaign_workers"))
    require_torch()
    from parity.campaign.campaign import campaign as campaigned
    from parity.campaign.generators import cases
    from parity.campaign.judge import CaseLimits
    from parity.report.campaign import markdown as on_paper
    from parity.report.campaign import write as write_page

    with progress(lang) as seen:
        found = campaigned(
            cases(kinds, samples or (1 if minutes is None else sys.maxsize), seed),
            output,
            workers=workers or os.cpu_count() or 1,
            scheduler=scheduler,
            minutes=minutes,
            limits=CaseLimits(seconds, int(memory * GIB)),
            seen=seen,
        )
    result = found.result
    write_page(result, output, lang)
    if markdown:
        write_text(str(markdown), on_paper(result, lang, shlex.join(["parity", *sys.argv[1:]])))
    if json:
        write_text(json, result.to_json())
    result.show(console(stderr=json == "-"), lang)
    if found.failure is not None:
        raise found.failure
    return INTERRUPTED if found.interrupted and result.verdict != "mismatch" else result.exit_code
