"""The page of two campaigns side by side."""

from __future__ import annotations

from pathlib import Path

from parity.campaign.compare import CampaignComparison
from parity.campaign.compare_text import comparison_markdown, differing, facts_of
from parity.render.files import write_folder
from parity.render.texts import LANGUAGES
from parity.report.bilingual import one
from parity.report.page import framed

MOST = 1000
"""Rows of a page: those that differ most."""


def write(found: CampaignComparison, folder: Path, lang: str = "en") -> list[Path]:
    """Write `index.html`, `report.md` and `result.json` into `folder`. Raises UsageError."""
    texts = {
        "index.html": html(found, lang),
        "report.md": comparison_markdown(found, lang),
        "result.json": found.to_json(),
    }
    return write_folder(folder, texts)


def html(found: CampaignComparison, lang: str) -> str:
    """The page: the verdict, the facts that differ, the cases told otherwise, the shares that differ."""
    return framed(
        "campaign_compare.html",
        lang,
        {code: one("campaign.compare_title", code) for code in LANGUAGES},
        ("lesson.css", "watch.css", "campaign.css"),
        found=found,
        rows=differing(found)[:MOST],
        facts_of=facts_of,
    )
