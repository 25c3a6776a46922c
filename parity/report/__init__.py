"""The lesson: a run as one HTML page, as Markdown and as JSON, from its result and its kept steps alone."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from parity.report.recording import Recording
    from parity.result import Result


def write(
    result: Result, recording: Recording, folder: Path, lang: str = "en", title: str | None = None
) -> list[Path]:
    """Write `index.html`, `report.md` and `result.json` into `folder`, which is made where it is not.

    Raises QuestionError for an unknown language, a folder that cannot be written to, or a result that does
    not say what network it is about; nothing is written then.
    """
    from parity.errors import QuestionError
    from parity.files import write_text
    from parity.report.markdown import markdown
    from parity.report.page import html

    texts = {
        "index.html": html(result, recording, lang, title),
        "report.md": markdown(result, recording, lang, title),
        "result.json": result.to_json(),
    }
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise QuestionError(f"{folder}: cannot be made: {error.strerror}") from None
    for name, text in texts.items():
        write_text(str(folder / name), text)
    return [folder / name for name in texts]
