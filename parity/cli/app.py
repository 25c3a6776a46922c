"""The command line: one file per command in `parity.cli`; what is heavy is imported when run."""

from __future__ import annotations

import typer

from parity.cli import bench, check, doctor, explain, graph, new, record, replay, run, schema, watch

app = typer.Typer(
    name="parity",
    help="Is this gradient right? The deck's backpropagation and PyTorch's, certified step by step.",
    epilog="Exit codes: 0 all holds, 1 a mismatch, 2 the question is wrong, 3 the environment cannot "
    "answer, 4 our own fault, 5 nothing was checked.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

for command in (run, watch, check, explain, graph, new, record, replay, bench, doctor, schema):
    command.register(app)
