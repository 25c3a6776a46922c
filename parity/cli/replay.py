"""`parity replay`: hold golden traces against today's engine and today's PyTorch."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from parity.cli import options
from parity.cli.speech import SpokenCommand

if TYPE_CHECKING:
    from collections.abc import Mapping

    from parity.golden.format import Golden
    from parity.golden.rerun import MakeSide
    from parity.golden.script import ScriptGolden
    from parity.report.golden import WatchedReplay


def register(app: typer.Typer) -> None:
    """Add the command to the app."""
    app.command("replay", cls=SpokenCommand)(replay)


def replay(
    files: Annotated[list[Path], typer.Argument(metavar="FILE…")],
    no_torch: Annotated[bool, typer.Option("--no-torch")] = False,
    no_reference: Annotated[bool, typer.Option("--no-reference")] = False,
    bitwise: Annotated[
        bool,
        typer.Option("--bitwise"),
    ] = False,
    json: options.Json = None,
    report: options.Report = None,
    lang: options.Lang = options.SPOKEN,
    threads: options.Threads = 1,
) -> int:
    import shlex

    from parity.cli.terminal import ending_at_ctrl_c
    from parity.errors import INTERRUPTED, UsageError
    from parity.golden.folder import goldens, worst_code
    from parity.golden.reader import read
    from parity.golden.replay import chosen, replay_golden
    from parity.golden.result import Replay, Replays
    from parity.golden.text import show_total
    from parity.render.console import console
    from parity.render.files import writable, writable_folder, write_text
    from parity.render.texts import catalogue
    from parity.render.texts.message import Message
    from parity.report.ci.compared import compared, tell

    catalogue(lang)
    sides = chosen(reference=not no_reference, torch=not no_torch)
    if json:
        writable(json)
    if report:
        writable_folder(report)
    found, unreadable = goldens(files), list[UsageError]()
    for path in list(found):
        try:
            read(path)
        except UsageError as error:
            unreadable.append(error)
            found.remove(path)
    if not found:
        raise unreadable[0]
    flags = {"--no-torch": no_torch, "--no-reference": no_reference, "--bitwise": bitwise}
    words = ["parity", "replay", *(flag for flag, is_set in flags.items() if is_set)]
    words += ["--threads", str(threads)] if threads > 1 else []
    replays, out = list[Replay](), console(stderr=json == "-")
    with ending_at_ctrl_c() as interrupted:
        for path in found:
            golden = read(path)
            watched = _watched(golden, sides) if report else None
            one = replay_golden(
                golden,
                str(path),
                watched.sides if watched else sides,
                bitwise=bitwise,
                threads=threads,
                reproduce=shlex.join([*words, str(path)]),
            )
            replays.append(one)
            if watched and report:
                watched.write(one, report / path.stem, lang)
            elif report:
                one.report(report / path.stem, lang)
            one.show(out, lang)
            if interrupted.was:
                break
    if json:
        write_text(json, Replays(tuple(replays), tuple(map(str, unreadable))).to_json())
    show_total(replays, out, lang, unreadable)
    for reason in unreadable:
        told = Message.about(reason).said(lang)
        console(stderr=True).print(f"parity: {told}", markup=False, highlight=False, soft_wrap=True)
    tell(
        "parity replay",
        [compared("golden", one.golden, one, one.golden, lang=lang) for one in replays],
        lang=lang,
    )
    if len(replays) < len(found):
        told = Message("interrupted_files", done=len(replays), of=len(found))
        console(stderr=True).print(told.said(lang), markup=False)
        return INTERRUPTED
    return worst_code(replays, unreadable=bool(unreadable))


def _watched(golden: Golden | ScriptGolden, sides: Mapping[str, MakeSide]) -> WatchedReplay | None:
    """Sides that a page is made of, if there is one; what makes pages is imported only for one."""
    from parity.report.golden import watched

    return watched(golden, sides)
