"""The page of a kernel that was held to its definition."""

from __future__ import annotations

from pathlib import Path

from markupsafe import Markup

from parity.kernel.result import KernelResult
from parity.kernel.text import counted_line, finding_lines
from parity.render.files import write_folder
from parity.render.texts import LANGUAGES
from parity.report.bilingual import bilingual, one
from parity.report.page import framed


def with_page(result: KernelResult) -> KernelResult:
    """The result, whose `report` writes its page."""
    return result.with_pages(lambda folder, lang: write(result, folder, lang))


def write(result: KernelResult, folder: Path, lang: str = "en") -> list[Path]:
    """Write `index.html`, `report.md` and `result.json` into `folder`, which is made where it is not.

    Raises UsageError for an unknown language or a folder that cannot be written to; nothing is
    written then.
    """
    texts = {
        "index.html": html(result, lang),
        "report.md": f"```text\n{result.text(lang)}\n```\n",
        "result.json": result.to_json(),
    }
    return write_folder(folder, texts)


def html(result: KernelResult, lang: str) -> str:
    """The page: the verdict, every output and gradient on every kind of inputs, and how it was decided."""
    found = {code: finding_lines(result, code) for code in LANGUAGES}
    return framed(
        "kernel.html",
        lang,
        {code: one("held.title", code) for code in LANGUAGES},
        ("lesson.css", "watch.css"),
        result=result,
        counted=bilingual({code: Markup.escape(counted_line(result, code)) for code in LANGUAGES}),
        finding=[
            bilingual({code: Markup.escape(line) for code, line in zip(LANGUAGES, lines, strict=True)})
            for lines in zip(*found.values(), strict=True)
        ],
        facts=[*result.environment.items(), *result.contract.items()],
    )
