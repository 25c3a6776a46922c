"""Options that several commands share, as typer wants them."""

from __future__ import annotations

import inspect
import os
import shlex
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from parity.cli.speech import spoken
from parity.config.options import CASE_OPTIONS, NETWORK, TRAINING, CaseOption, read_config

if TYPE_CHECKING:
    from parity.config.config import Config

OUTPUT = "output"

ConfigFile = Annotated[
    Path | None,
    typer.Option("--config", metavar="FILE.toml", rich_help_panel=NETWORK),
]
Json = Annotated[
    str | None,
    typer.Option("--json", metavar="FILE|-", rich_help_panel=OUTPUT),
]
Report = Annotated[
    Path | None,
    typer.Option(
        "--report",
        metavar="DIR",
        rich_help_panel=OUTPUT,
    ),
]
Lang = Annotated[
    str,
    typer.Option(
        metavar="en|es",
        rich_help_panel=OUTPUT,
    ),
]
Device = Annotated[
    str | None,
    typer.Option("--device", metavar="cuda|mps|cpu"),
]
TorchModel = Annotated[
    str | None,
    typer.Option(
        "--model",
        metavar="MODULE:FACTORY",
        rich_help_panel=NETWORK,
    ),
]


SPOKEN = spoken(sys.argv[1:], os.environ)
"""What is spoken where a command is given no --lang."""
Threads = Annotated[
    int,
    typer.Option(metavar="N", min=1, rich_help_panel=OUTPUT),
]


@dataclass(frozen=True)
class AskedCase:
    """The case that a command line describes: a file, and the options over it that were given."""

    file: Path | None
    given: Mapping[str, object]

    @property
    def is_empty(self) -> bool:
        """Whether nothing was said of the case."""
        return self.file is None and not self.given

    def config(self) -> Config:
        """File and options as one. Raises UsageError."""
        return read_config(self.file, self.given)

    def text(self, name: str) -> str | None:
        """An option as it was written."""
        value = self.given.get(name)
        return None if value is None else str(value)

    def reproduction(self, command: str, *, without: str = "", **more: object) -> str:
        """The command line that asks the same question again."""
        words = ["parity", command, *(["--config", str(self.file)] if self.file else [])]
        for name, value in (dict(self.given) | more).items():
            for one in value if isinstance(value, list) else [value]:
                if one is not None and name != without:
                    words += [f"--{name.replace('_', '-')}", str(one)]
        return shlex.join(words)


def takes_case(
    *names: str,
) -> Callable[[Callable[..., int | None]], Callable[..., int | None]]:
    """Let a command have `--config` and the options of a case of these names, where it has `case`.

    What was given arrives there as one `AskedCase`.
    """
    wanted = [_parameter(CASE_OPTIONS[name]) for name in names]
    wanted.insert(0, _keyword("config", ConfigFile))

    def with_case(command: Callable[..., int | None]) -> Callable[..., int | None]:
        shown = inspect.signature(command, eval_str=True)
        parameters = [
            parameter
            for own in shown.parameters.values()
            for parameter in (wanted if own.name == "case" else [own.replace(kind=own.KEYWORD_ONLY)])
        ]

        def called(**arguments: object) -> int | None:
            file = arguments.pop("config")
            given = {name: arguments.pop(name) for name in names}
            given = {name: value for name, value in given.items() if value is not None and value != []}
            return command(case=AskedCase(file, given), **arguments)  # type: ignore[arg-type] # typer's Path

        called.__signature__ = shown.replace(parameters=parameters)  # type: ignore[attr-defined]
        called.__annotations__ = {}
        return called

    return with_case


def _parameter(option: CaseOption) -> inspect.Parameter:
    """An option as typer reads it off a function."""
    shown = typer.Option(metavar=option.metavar, rich_help_panel=option.panel)
    return _keyword(option.name, Annotated[option.kind | None, shown])  # type: ignore[operator] # a type


def _keyword(name: str, annotation: object) -> inspect.Parameter:
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=annotation)


__all__ = [
    "NETWORK", "OUTPUT", "TRAINING", "AskedCase", "ConfigFile", "Json", "Lang", "Report", "Threads",
    "TorchModel", "takes_case",
]  # fmt: skip
