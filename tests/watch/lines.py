"""Lines of a file by what stands in them."""

from pathlib import Path


def line_of(file: str, text: str) -> int:
    """The number of the first line with this text."""
    lines = Path(file).read_text(encoding="utf-8").splitlines()
    return next(number for number, line in enumerate(lines, 1) if text in line)
