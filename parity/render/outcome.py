"""What every result can do, whatever it is of: be shown, verified, written into a folder."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from markupsafe import escape

from parity.errors import Mismatch
from parity.render.console import on_paper
from parity.render.files import make_folder, write_text

if TYPE_CHECKING:
    from typing import Self

    from rich.console import Console


@dataclass(frozen=True)
class Pages:
    """What writes a result's page into a folder; no part of the result's value."""

    write: Callable[[Path, str], object] = field(compare=False)


class Outcome:
    """A result. `verdict` is "match" where all holds; a subclass says how it is shown, and its JSON.

    `_pages` writes the page of a result of which steps were kept.
    """

    if TYPE_CHECKING:
        _pages: Pages | None

        @property
        def verdict(self) -> str: ...

    def show(self, out: Console, lang: str = "en") -> None:
        """Print it as the command does."""
        raise NotImplementedError

    def to_json(self) -> str:
        """The result as JSON."""
        raise NotImplementedError

    def text(self, lang: str = "en") -> str:
        """What a terminal without colours shows."""
        out, written = on_paper()
        self.show(out, lang)
        return written.getvalue().rstrip("\n")

    def __str__(self) -> str:
        return self.text()

    def verify(self) -> Self:
        """The result itself. Raises Mismatch, whose text is the terminal's, where not all holds."""
        if self.verdict != "match":
            raise Mismatch(str(self))
        return self

    def report(self, folder: Path | str, lang: str = "en") -> None:
        """Write the page (`index.html`), Markdown and JSON; without kept steps, Markdown and JSON alone.

        Raises UsageError for a folder that cannot be written to.
        """
        folder = Path(folder)
        if self._pages:
            self._pages.write(folder, lang)
            return
        make_folder(folder)
        write_text(str(folder / "report.md"), f"```text\n{self.text(lang)}\n```\n")
        write_text(str(folder / "result.json"), self.to_json())

    def _repr_html_(self) -> str:
        """How a notebook shows it."""
        return f"<pre>{escape(str(self))}</pre>"
