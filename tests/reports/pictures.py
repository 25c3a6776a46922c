"""`python -m tests.reports.pictures`: the two pictures that the README opens with.

The verdict is what `parity check` prints of the learner's backprop in `reports/check`, as SVG; the page
is a screenshot of the lesson, taken with Chromium through playwright.
"""

from __future__ import annotations

import io
import re
import shutil
from pathlib import Path

from rich.console import Console

from parity.check.calls import asked_calls
from parity.check.implementations import python_subject
from parity.check.run import check

REPORTS = Path("reports")
SUBJECT = REPORTS / "check" / "my_backprop.py"
WIDTH, HEIGHT = 1120, 800
CARD = "#card-delta1"


def verdict() -> str:
    """What the terminal shows, as SVG; with the reader's own fonts, so that nothing is asked for."""
    console = Console(record=True, width=124, file=io.StringIO(), force_terminal=True)
    console.print(f"$ parity check {SUBJECT.as_posix()}", highlight=False)
    found = check(python_subject(str(SUBJECT)), asked_calls(None, None, None))
    found.show(console)
    text = console.export_svg(title="parity check", unique_id="verdict")
    return re.sub(r"@font-face \{.*?\}\s*", "", text, flags=re.DOTALL)


def page(target: Path) -> None:
    """The lesson, where a formula's card is open."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox", "--disable-gpu"]
        )
        view = chromium.new_page(
            viewport={"width": WIDTH, "height": HEIGHT}, reduced_motion="reduce", locale="en"
        )
        view.goto((REPORTS / "lesson" / "index.html").resolve().as_uri() + CARD)
        view.eval_on_selector(f"{CARD} .of-step.now details", "details => { details.open = true }")
        view.eval_on_selector(CARD, "card => scrollTo(0, card.offsetTop - 130)")
        view.screenshot(path=str(target))
        chromium.close()


def main() -> None:
    folder = REPORTS / "pictures"
    folder.mkdir(exist_ok=True)
    (folder / "verdict.svg").write_text(verdict(), encoding="utf-8")
    page(folder / "page.png")


if __name__ == "__main__":
    main()
