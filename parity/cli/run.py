"""`parity run`: the deck's engine and PyTorch in lockstep, certified after every step."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from parity.cli import options
from parity.config.options import CASE_OPTIONS

HELP = """Train the deck's engine and the identical PyTorch model in lockstep, certified after every step.

Every formula of both sides is held against a bound that is derived from its own arithmetic, and every
tensor of one side against the other's. With no options: handwritten digits, a 64-32-10 network.
"""


def register(app: typer.Typer) -> None:
    """Add the command to the app."""
    app.command("run", help=HELP)(run)


@options.takes_case(*CASE_OPTIONS)
def run(
    case: options.AskedCase,
    model: Annotated[
        str | None,
        typer.Option(
            metavar="MODULE:FACTORY",
            help="Mirror an existing torch model: its layers and weights instead of ours.",
            rich_help_panel=options.NETWORK,
        ),
    ] = None,
    keep_going: Annotated[
        bool,
        typer.Option("--keep-going", help="Walk on after a mismatch.", rich_help_panel=options.TRAINING),
    ] = False,
    witness: Annotated[
        bool,
        typer.Option(
            "--witness",
            help="Also differentiate the loss without the chain rule, in 200-bit arithmetic.",
            rich_help_panel=options.TRAINING,
        ),
    ] = False,
    certify: Annotated[
        str,
        typer.Option(
            metavar="every|K|last",
            help="Ask both gates after every step, every K-th, or the last; steps are always linked.",
            rich_help_panel=options.TRAINING,
        ),
    ] = "every",
    json: options.Json = None,
    trace: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE.safetensors",
            help="Keep every tensor of both sides.",
            rich_help_panel=options.OUTPUT,
        ),
    ] = None,
    trace_every: Annotated[
        int,
        typer.Option(metavar="K", min=1, help="Keep every K-th step only.", rich_help_panel=options.OUTPUT),
    ] = 1,
    report: options.Report = None,
    lang: options.Lang = "en",
    threads: options.Threads = 1,
) -> int:
    from parity.cli.terminal import progress
    from parity.config.case import Case
    from parity.lockstep.lockstep import Certify, Observer
    from parity.lockstep.run import run as run_case
    from parity.lockstep.tracefile import TraceRecorder
    from parity.render.console import console
    from parity.render.files import writable, writable_folder, write_text
    from parity.render.texts import catalogue
    from parity.report import write as write_report
    from parity.report.ci.compared import compared, tell
    from parity.report.recorder import Recorder

    chosen = Certify.parse(certify)
    catalogue(lang)  # an unknown language is said before the work, not after
    asked = case.config()
    for path in (json, str(trace) if trace else None):
        if path:
            writable(path)
    if report:
        writable_folder(report)
    peer = options.read_model(model, asked) if model else None
    recorders: list[TraceRecorder] = []
    kept: list[Recorder] = []

    with progress(lang) as watch:

        def observers(of: Case) -> list[Observer]:
            if trace:
                recorders.append(TraceRecorder(trace, of, sides=2, every=trace_every))
            if report:
                kept.append(Recorder.of(of))
            return [watch(of.steps), *recorders, *kept]

        result = run_case(
            asked,
            observers,
            keep_going=keep_going,
            certify=chosen,
            threads=threads,
            witness=witness,
            reproduce=case.reproduction("run", without="steps", model=model),
            peer=peer,
        )
    for recorder in recorders:
        recorder.write(
            {
                "config": dict(result.config),
                "environment": dict(result.environment),
                "seed": asked.training.seed,
            }
        )
    if json:
        write_text(json, result.to_json())
    if report:
        write_report(result, kept[0].recording(), report, lang)
    result.show(console(stderr=json == "-"), lang)
    subject = model or str(case.file or result.config["data"])
    tell("parity run", [compared("run", subject, result)], result.formulas, lang)
    return result.exit_code
