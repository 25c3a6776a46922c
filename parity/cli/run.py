"""`parity run`: the deck's engine and PyTorch in lockstep, certified after every step."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from parity.cli import options
from parity.cli.speech import SpokenCommand
from parity.config.options import CASE_OPTIONS


def register(app: typer.Typer) -> None:
    """Add the command to the app."""
    app.command("run", cls=SpokenCommand)(run)


@options.takes_case(*CASE_OPTIONS)
def run(
    case: options.AskedCase,
    model: options.TorchModel = None,
    keep_going: Annotated[
        bool,
        typer.Option("--keep-going", rich_help_panel=options.TRAINING),
    ] = False,
    witness: Annotated[
        bool,
        typer.Option(
            "--witness",
            rich_help_panel=options.TRAINING,
        ),
    ] = False,
    certify: Annotated[
        str,
        typer.Option(
            metavar="every|K|last",
            rich_help_panel=options.TRAINING,
        ),
    ] = "every",
    json: options.Json = None,
    trace: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE.safetensors",
            rich_help_panel=options.OUTPUT,
        ),
    ] = None,
    trace_every: Annotated[
        int,
        typer.Option(metavar="K", min=1, rich_help_panel=options.OUTPUT),
    ] = 1,
    report: options.Report = None,
    lang: options.Lang = options.SPOKEN,
    threads: options.Threads = 1,
) -> int:
    from parity.cli.terminal import ending_at_ctrl_c, progress
    from parity.errors import INTERRUPTED
    from parity.lockstep.lockstep import Certify
    from parity.lockstep.run import model_peer
    from parity.render.console import console
    from parity.render.files import writable, writable_folder, write_text
    from parity.render.texts import catalogue
    from parity.report.ci.compared import compared, tell
    from parity.report.run import Keep
    from parity.report.run import run as run_case

    Certify.parse(certify)
    catalogue(lang)  # an unknown word is said before the work, not after
    asked = case.config()
    for path in (json, str(trace) if trace else None):
        if path:
            writable(path)
    if report:
        writable_folder(report)
    peer = model_peer(asked, model)
    with progress(lang) as watch, ending_at_ctrl_c() as interrupted:
        result = run_case(
            asked,
            Keep(pages=report is not None, trace=trace, every=trace_every),
            lambda of: [watch(of.steps), interrupted],
            keep_going=keep_going,
            certify=certify,
            threads=threads,
            witness=witness,
            reproduce=case.reproduction("run", without="steps", model=model),
            peer=peer,
        )
    if json:
        write_text(json, result.to_json())
    if report:
        result.report(report, lang)
    result.show(console(stderr=json == "-"), lang)
    subject = model or str(case.file or result.config["data"])
    tell("parity run", [compared("run", subject, result, lang=lang)], result.formulas, lang)
    return INTERRUPTED if interrupted.was and result.verdict != "mismatch" else result.exit_code
