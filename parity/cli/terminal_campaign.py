"""The terminal of `parity campaign`: its progress, one case alone, and two folders side by side."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from parity.render.console import PLAIN, console
from parity.render.texts import catalogue

if TYPE_CHECKING:
    from parity.campaign.campaign import CampaignProgress

UPDATES_EVERY = 0.2
"""Seconds between two looks at the progress line."""


@contextmanager
def progress(lang: str) -> Iterator[Callable[[CampaignProgress], None]]:
    """A line of progress on stderr, with counts and rates, where that is a terminal."""
    say = catalogue(lang)
    columns = (SpinnerColumn(), TextColumn("{task.description}", markup=False), TimeElapsedColumn())
    plain = PLAIN or not sys.stderr.isatty()
    with Progress(*columns, console=console(stderr=True), transient=True, disable=plain) as bar:
        task, began, drawn = bar.add_task(say["campaign.starts"]), bar.get_time(), 0.0

        def seen(done: CampaignProgress) -> None:
            nonlocal drawn
            now = bar.get_time()
            if plain or now - drawn < UPDATES_EVERY:
                return
            drawn = now
            spent = max(now - began, UPDATES_EVERY)
            said = say["campaign.progress"].format(
                cases=f"{done.cases:,}",
                kept=f"{done.kept:,}",
                numbers=f"{done.numbers:,}",
                rate=f"{done.cases / spent:.1f}",
                speed=f"{done.numbers / spent:,.0f}",
                alarms=f"{done.alarms:,}",
            )
            bar.update(task, description=said)

        yield seen


def asked_alone(file: Path, json: str | None, lang: str) -> int:
    """One case, in this process: what the command that an alarm prints does."""
    from parity.campaign.result import answer_code
    from parity.campaign.text import answer_lines
    from parity.lockstep.environment import require_torch
    from parity.render.files import write_text

    require_torch()
    from parity.campaign.case import CampaignCase
    from parity.campaign.judging import judged
    from parity.campaign.lines import torch_lines

    case = CampaignCase.read(file)
    answer = judged(case)
    if json:
        write_text(json, answer.to_json())
    out = console(stderr=json == "-")
    for line, style in answer_lines(answer, lang):
        out.print(line, style=style, markup=False, soft_wrap=True)
    for lines in dict.fromkeys(torch_lines(case, alarm) for alarm in answer.alarms):
        if lines:
            out.print(f"\n{lines}", markup=False, soft_wrap=True)
    return answer_code(answer)


def compared(
    one: Path, other: Path, markdown: Path | None, report: Path | None, json: str | None, lang: str
) -> int:
    """Two folders of answers, side by side."""
    from parity.campaign.compare import compare
    from parity.campaign.compare_text import comparison_markdown
    from parity.render.files import write_text
    from parity.report.campaign_compare import write

    found = compare(one, other)
    if report:
        write(found, report, lang)
    if json:
        write_text(json, found.to_json())
    if markdown:
        write_text(str(markdown), comparison_markdown(found, lang))
    found.show(console(stderr=json == "-"), lang)
    return found.exit_code
