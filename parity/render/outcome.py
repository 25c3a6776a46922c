"""`Outcome`, the base class of results: they can be shown, verified, and written into a folder."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from markupsafe import escape

from parity.errors import Mismatch
from parity.render.console import on_paper
from parity.render.files import write_folder

if TYPE_CHECKING:
    from typing import Self

    from rich.console import Console


@dataclass(frozen=True)
class Pages:
    """The function that writes a result's page; not part of the result's value."""

    write: Callable[[Path, str], object] = field(compare=False)


class Outcome:
    """A result. `verdict` is "match" if everything holds; subclasses define its display and JSON.

    `_pages` writes the page, if steps were kept.
    """

    if TYPE_CHECKING:
        _pages: Pages | None

        @property
        def verdict(self) -> str: ...

    def show(self, out: Console, lang: str = "en") -> None:
        """Print the result as the command does."""
        raise NotImplementedError

    def to_json(self) -> str:
        """The result as JSON."""
        raise NotImplementedError

    def text(self, lang: str = "en") -> str:
        """The text that a terminal without colours shows."""
        out, written = on_paper()
        self.show(out, lang)
        return written.getvalue().rstrip("\n")

    def __str__(self) -> str:
        return self.text()

    def verify(self) -> Self:
        """Return the result itself. Raises Mismatch, with the terminal's text, if not everything holds."""
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
        write_folder(
            folder, {"report.md": f"```text\n{self.text(lang)}\n```\n", "result.json": self.to_json()}
        )

    def _repr_html_(self) -> str:
        """HTML for notebooks."""
        return f"<pre>{escape(str(self))}</pre>"
