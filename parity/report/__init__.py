"""The lesson: a run as one HTML page, as Markdown and as JSON, from its result and its kept steps alone."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from parity.lockstep.result import Result
    from parity.report.recording import Recording


def write(
    result: Result,
    recording: Recording,
    folder: Path,
    lang: str = "en",
    titles: Mapping[str, str] | None = None,
) -> list[Path]:
    """Write `index.html`, `report.md` and `result.json` into `folder`, which is made where it is not.

    The entry point of every `--report`: a `parity.report.recorder.PageRecorder` observes the steps of any
    sides that are traces, and its recording, with the result, is all that a page needs. `titles` has the
    page's title by language, where it has one of its own.
    Raises UsageError for an unknown language or a folder that cannot be written to; nothing is
    written then.
    """
    from parity.render.files import write_folder
    from parity.report.diagnosis import told_of
    from parity.report.markdown import markdown
    from parity.report.page import html
    from parity.report.steps import JudgedSteps

    judged = JudgedSteps(result, recording)
    if not recording.extras.told:
        recording = recording.with_extras(told=told_of(result, judged))
    texts = {
        "index.html": html(result, recording, lang, titles, judged),
        "report.md": markdown(result, recording, lang, titles, judged),
        "result.json": result.model_dump_json(by_alias=True),
    }
    return write_folder(folder, texts)
