"""`parity list`: what can be named, with its options."""

from __future__ import annotations

import json as encoder
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Annotated, Protocol

import typer

from parity.cli import options
from parity.cli.speech import SpokenCommand

KINDS = ("activations", "losses", "optimizers", "clipping", "initialisers", "modules", "operations", "data")
MUST_BE_GIVEN = "(must be given)"
"""In JSON, in place of a default that there is not."""


def register(app: typer.Typer) -> None:
    """Add the command to the app."""
    app.command("list", cls=SpokenCommand)(names)


def names(
    kind: Annotated[str, typer.Argument(metavar=f"[{'|'.join(KINDS)}]")] = "",
    json: options.Json = None,
    lang: options.Lang = options.SPOKEN,
) -> None:
    from parity.render.console import console
    from parity.render.files import write_text
    from parity.render.texts import catalogue
    from parity.render.texts.message import unknown

    say = catalogue(lang)

    if kind and kind not in KINDS:
        raise unknown("list", kind, KINDS)
    listed = {name: _entries(name) for name in ([kind] if kind else KINDS)}
    if json:
        plain = {of: {name: asdict(facts) for name, facts in rows.items()} for of, rows in listed.items()}
        write_text(json, encoder.dumps({"schema": "parity-list/1", **plain}, ensure_ascii=False))
    if json == "-":
        return
    out = console()
    for heading, entries in listed.items():
        out.print(f"{say[f'list.{heading}']} ({len(entries)})", style="bold")
        for name, facts in entries.items():
            given = ", ".join(
                f"{option} = {say['list.required'] if value == MUST_BE_GIVEN else value}"
                for option, value in facts.options.items()
            )
            line = f"  {name}  {given}".rstrip()
            out.print(line, markup=False, highlight=False, soft_wrap=True)


@dataclass(frozen=True)
class Facts:
    """Where a name is defined, and its options with their defaults."""

    source: str
    options: Mapping[str, str]


class _Row(Protocol):
    """A row of one of the tables."""

    @property
    def source(self) -> str: ...
    @property
    def options(self) -> Mapping[str, object]: ...


def _entries(kind: str) -> Mapping[str, Facts]:
    """Each name of a kind, with its facts."""
    from parity.config.datasets import SHIPPED
    from parity.config.module_names import TYPES
    from reference.clipping import CLIPPINGS
    from reference.initialisers import INITIALISERS
    from reference.operations import OPERATIONS
    from reference.operations.activations import ACTIVATIONS
    from reference.operations.losses import LOSSES
    from reference.optimizers import OPTIMIZERS

    if kind == "data":
        return {name: Facts(load().source, {}) for name, load in SHIPPED.items()}
    if kind == "operations":
        return {
            name: Facts(", ".join(row.aten) or row.torch, _said(row.options))
            for name, row in OPERATIONS.items()
        }
    tables: dict[str, Mapping[str, _Row]] = {
        "activations": ACTIVATIONS,
        "losses": LOSSES,
        "optimizers": OPTIMIZERS,
        "clipping": CLIPPINGS,
        "initialisers": INITIALISERS,
        "modules": TYPES,
    }
    return {name: Facts(row.source, _said(row.options)) for name, row in tables[kind].items()}


def _said(given: Mapping[str, object]) -> dict[str, str]:
    """Options with their defaults."""
    from reference.operation import REQUIRED

    return {
        name: MUST_BE_GIVEN if value == REQUIRED or value != value else str(value)  # NaN: no default
        for name, value in given.items()
    }
