"""The command line in the reader's language: its help, and what it says of a wrong command line."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from difflib import get_close_matches
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from rich.panel import Panel
from rich.table import Table
from rich.text import Text
from typer.core import TyperCommand, TyperGroup

from parity.render.console import console
from parity.render.texts import LANGUAGES, catalogue
from parity.render.texts.message import Message

if TYPE_CHECKING:
    from pydantic import ValidationError

    Context = Any  # typer's own, which has moved from one package to another
    Parameter = Any

PANELS = ("arguments", "options")


def spoken(arguments: Sequence[str], environment: Mapping[str, str]) -> str:
    """The language of `--lang`, or else of the first of LC_ALL, LC_MESSAGES and LANG that is set.

    An unknown one is refused later, in the language of the environment.
    """
    own = list(arguments[: arguments.index("--")] if "--" in arguments else arguments)
    asked = [value for option, value in pairwise(own) if option == "--lang"]
    asked += [option.partition("=")[2] for option in own if option.startswith("--lang=")]
    if asked and asked[-1] in LANGUAGES:
        return asked[-1]
    said = next(filter(None, map(environment.get, ("LC_ALL", "LC_MESSAGES", "LANG"))), "")
    return "es" if said.lower().startswith("es") else "en"


def words(text: str, say: Mapping[str, str]) -> str:
    """A metavar in a language: ``FILE.toml`` becomes ``ARCHIVO.toml``."""
    return re.sub(r"[A-Z]{2,}", lambda found: say.get(f"metavar.{found[0]}", found[0]), text)


def text_of(command: str, parameter: str, say: Mapping[str, str]) -> str:
    """What a parameter is for: the command's own text of it, or the one that all commands share."""
    own = say.get(f"parameter.{command}-{parameter}")
    return own or say[f"parameter.{parameter}"]


class SpokenCommand(TyperCommand):
    """A command whose help is in the catalogue."""

    def format_help(self, ctx: Context, formatter: object) -> None:
        """Usage, what the command does, and a panel for each group of parameters."""
        show_help(self, ctx, [])


class SpokenGroup(TyperGroup):
    """The program itself, with a list of its commands."""

    def format_help(self, ctx: Context, formatter: object) -> None:
        """Usage, what the program does, options, commands, exit codes."""
        show_help(self, ctx, list(self.commands))


def show_help(command: TyperCommand | TyperGroup, ctx: Context, commands: Sequence[str]) -> None:
    """Print a command's help in the language that the program was started in."""
    say, out, name = catalogue(ctx.obj), console(), str(command.name)
    shown = [one for one in command.get_params(ctx) if not getattr(one, "hidden", False)]
    taken = [one.metavar or "" for one in shown if one.param_type_name == "argument"]
    used = [words(piece, say) for piece in ("[OPTIONS]", *taken, *["COMMAND [ARGS]"][: len(commands)])]
    out.print(Text(" ".join([say["cli.usage"], ctx.command_path, *used]), style="bold"))
    for paragraph in say[f"command.{name}"].split("\n\n"):
        out.print()
        out.print(Text(" ".join(paragraph.split())))
    out.print()
    panels = dict.fromkeys([*PANELS, *map(_panel, shown)])
    for panel in panels:
        rows = [_row(name, one, say) for one in shown if _panel(one) == panel]
        if rows:
            out.print(_boxed(say[f"panel.{panel}"], rows, out.width))
    if commands:
        first = [(one, say[f"command.{one}"].split("\n\n")[0].replace("\n", " ")) for one in commands]
        out.print(_boxed(say["panel.commands"], first, out.width))
        out.print()
        out.print(Text(say["cli.exit_codes"]))


def _panel(parameter: Parameter) -> str:
    own = getattr(parameter, "rich_help_panel", None)
    return own or PANELS[parameter.param_type_name != "argument"]


def _row(command: str, parameter: Parameter, say: Mapping[str, str]) -> tuple[str, ...]:
    """How a parameter is written, and what it is for."""
    metavar = words(parameter.metavar or "", say)
    written = metavar if parameter.param_type_name == "argument" else ", ".join(parameter.opts)
    told = text_of(command, parameter.name, say)
    default = parameter.default
    if isinstance(default, str | int | float) and not isinstance(default, bool) and default != "":
        told += " " + say["cli.default"].format(value=default)
    if parameter.required:
        told += " " + say["cli.required"]
    return (written, told) if written == metavar else (f"{written} {metavar}".rstrip(), told)


def _boxed(title: str, rows: Iterable[Sequence[str]], width: int) -> Panel:
    table = Table.grid(padding=(0, 2))
    table.add_column(max_width=3 * width // 8, overflow="fold")
    for row in rows:
        table.add_row(*map(Text, row))
    return Panel(table, title=title, title_align="left")


def refusal(error: Any, lang: str) -> str:
    """What typer says of a wrong command line, in a language."""
    context = getattr(error, "ctx", None)
    command = context.command_path if context else "parity"
    return Message("cli_see", reason=_reason(error, catalogue(lang)), command=command).said(lang)


def _reason(error: Any, say: Mapping[str, str]) -> Message:
    kind, parameter = type(error).__name__, getattr(error, "param", None)
    name = "/".join(parameter.opts) if parameter and parameter.param_type_name == "option" else ""
    if parameter and not name:
        name = words(parameter.metavar or parameter.name, say)
    if kind == "NoSuchOption":
        near = sorted(error.possibilities or ())
        return _with_nearest("cli_no_option", error.option_name, near)
    if kind == "MissingParameter":
        return Message("cli_missing", name=name)
    if kind == "BadOptionUsage":
        key = "cli_needs_value" if "requires" in error.message else "cli_no_value"
        return Message(key, name=error.option_name)
    if kind == "BadParameter":
        return Message("cli_value", name=name, reason=_of_value(error))
    found = re.search(r"No such command ['\"](.*?)['\"]", error.message)
    if found:
        known = getattr(getattr(error.ctx, "command", None), "commands", {})
        return _with_nearest("cli_no_command", found[1], get_close_matches(found[1], known, 1))
    found = re.search(r"extra arguments?(?:\(s\))? \((.*)\)", error.message)
    return Message("cli_extra", names=found[1]) if found else Message("own_words", failure=error.message)


def _of_value(error: Any) -> Message:
    """What is wrong with a value: what pydantic says of it, where typer asked it."""
    cause: ValidationError | None = error.__cause__
    if cause is not None and hasattr(cause, "errors"):
        from parity.config.config import complaint

        return complaint(cause.errors()[0])
    return Message("own_words", failure=error.message)


def _with_nearest(key: str, name: str, near: Sequence[str]) -> Message:
    return Message(f"{key}_near", name=name, near=near[0]) if near else Message(key, name=name)
