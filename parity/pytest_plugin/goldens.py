"""`parity.golden` in a test: a golden file beside the tests, replayed; recorded with --parity-update."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from parity.check.cases import SubjectCall
from parity.config.config import Config, read
from parity.errors import UsageError
from parity.golden import Golden, RecordedGolden, Replay
from parity.golden import read as read_golden
from parity.golden.record import changed_keys, update
from parity.golden.replay import chosen, replay_golden
from parity.golden.script import ScriptGolden
from parity.golden.text import divergence
from parity.lockstep.environment import has_torch
from parity.lockstep.result import Result
from parity.pytest_plugin.answer import Answer, failure_text, keep
from parity.pytest_plugin.checks import on_calls
from parity.pytest_plugin.context import GOLDEN_SUFFIX, Context
from parity.pytest_plugin.runs import walk_lines
from parity.render.texts import catalogue
from parity.render.texts.message import Message
from parity.report.ci.compared import compared
from reference.architecture import Architecture
from reference.trace import Trace, tensor_name


def golden(
    context: Context, number: int, name: str, config: Mapping[str, object] | str | Path | None
) -> Answer[Replay]:
    """Replay a golden; with --parity-update first record it, where it is missing or outside its bounds.

    Raises UsageError for a name that is none, a golden that is missing or was made from another config.
    """
    path = _path(context, name)
    source = Path(config) if isinstance(config, str) else config
    asked = read(source, {}) if source is not None else None
    made = _update(context, path, asked) if context.update else None
    if made and isinstance(made.result, Result) and made.outcome == "refused":
        facts = compared("golden", name, made.result, context.relative(context.file), lang=context.lang)
        lines = [catalogue(context.lang)["plugin.refused"].format(golden=context.relative(path))]
        text = failure_text(context, lines + walk_lines(made.result, context.lang), None)
        return Answer(None, replace(facts, golden=context.relative(path)), text)  # type: ignore[arg-type]
    held = _existing(context, path, asked)
    sides = chosen(reference=True, torch="torch" in held.sides and has_torch())
    command = shlex.join(["parity", "replay", *([] if "torch" in sides else ["--no-torch"])])
    again = shlex.join([*shlex.split(command), context.relative(path)])
    found = replay_golden(held, context.relative(path), sides, reproduce=again)
    report = keep(context, "golden", number, found)
    facts = replace(
        compared("golden", name, found, context.relative(context.file), lang=context.lang),
        golden=context.relative(path),
        updated=_said(made, name, context.lang),
        report=context.relative(report),
    )
    failure = None
    if found.verdict != "match":
        say = catalogue(context.lang)
        quiet = found.model_copy(update={"reproduce": None})
        lines = [f"{context.relative(path)}: {say[f'run.{found.verdict}']}", *divergence(quiet, say)]
        failure = failure_text(context, lines, again)
    return Answer(found, facts, failure)


def on_golden(context: Context, number: int, name: str, step: object) -> Answer[Result]:
    """Judge somebody's step on a golden's inputs, step by step from where the golden stood."""
    path = _path(context, name)
    held = read_golden(path)
    if not isinstance(held, Golden) or not isinstance(held.case.architecture, Architecture):
        raise UsageError(Message("golden_no_layers", file=context.relative(path)))
    case, side = held.case, held.sides[0]
    given = [*case.architecture.parameter_shapes(), "x", "y"]
    calls = [
        SubjectCall(
            name, number, case.architecture, case.lr, Trace({key: traces[side][key] for key in given})
        )
        for number, traces in enumerate(held.steps)
    ]
    answer = on_calls(context, number, step, calls)
    return replace(answer, compared=replace(answer.compared, golden=context.relative(path)))


def _path(context: Context, name: str) -> Path:
    """The golden's file. Raises UsageError for a name that leads elsewhere."""
    if not name or Path(name).name != name or name.startswith("."):
        raise UsageError(Message("golden_plain_name", name=repr(name)))
    return context.goldens / (name.removesuffix(GOLDEN_SUFFIX) + GOLDEN_SUFFIX)


def _update(context: Context, path: Path, asked: Config | None) -> RecordedGolden:
    if asked is None and not path.exists():
        raise UsageError(Message("golden_no_config", file=context.relative(path)))
    try:
        path.parent.mkdir(exist_ok=True)
    except OSError as error:
        raise UsageError(Message("cannot_be_made", file=path.parent, reason=error)) from None
    return update(path, asked, torch=has_torch())


def _existing(context: Context, path: Path, asked: Config | None) -> Golden | ScriptGolden:
    """The golden, if it stands and is what was asked for. Raises UsageError."""
    again = f"{context.command} --parity-update"
    if not path.exists():
        raise UsageError(Message("golden_record_it", file=context.relative(path), again=again))
    held = read_golden(path)
    if asked and not isinstance(held, Golden):
        raise UsageError(Message("golden_from_script", file=context.relative(path)))
    keys = changed_keys(asked, held.config) if asked and isinstance(held, Golden) else ()
    if keys:
        said = ", ".join(keys)
        raise UsageError(
            Message("golden_other_config", file=context.relative(path), keys=said, again=again)
        )
    return held


def _said(made: RecordedGolden | None, name: str, lang: str = "en") -> tuple[str, ...]:
    """What an update did, in words: nothing for a golden that it left alone."""
    if made is None or made.outcome == "unchanged":
        return ()
    why: str = ", ".join(made.changed)
    first = made.replay.first_divergence if made.replay else None
    if first:
        tensor = tensor_name(first.quantity, first.layer)
        why = Message("golden_outside", tensor=tensor, side=first.side)
    done = Message("golden_made_new" if made.outcome == "recorded" else "golden_made_anew")
    return (Message("op_because", operation=done, reason=why).said(lang) if why else done.said(lang),)
