"""Reads an untrusted CSV file; every error is one line that says what is wrong and where.

The size of the file is checked before it is opened, and it is read row by row, so its contents cannot
make memory use exceed the limits.
"""

from __future__ import annotations

import csv
import stat
from array import array
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from parity.config.datasets.dataset import Floats
from parity.errors import UsageError
from parity.render.texts.message import Message

MOST_ROWS = 1_000_000
MOST_COLUMNS = 10_000
MOST_BYTES = 512 * 2**20
DELIMITERS = ",;\t"


@dataclass(frozen=True)
class CsvTable:
    """The feature columns as numbers, and the target as text and, if all of it is numeric, as numbers.

    Shapes: x (samples, features), texts and numbers (samples,).
    """

    features: tuple[str, ...]
    x: Floats
    target: str
    texts: list[str]
    numbers: Floats | None


def read_table(path: Path, target: str | None = None) -> CsvTable:
    """Read a CSV file with a header row; `target` defaults to the last column.

    The delimiter is comma, semicolon or tab, whichever is most frequent in the header. The encoding is
    UTF-8, with or without a byte order mark. Blank lines are skipped. Raises UsageError for anything else.
    """
    try:
        _refuse_by_stat(path)
        return _read(path, target)
    except UsageError as error:
        raise UsageError(Message("file_failed", file=shown(path), reason=error)) from None
    except UnicodeDecodeError:
        raise UsageError(Message("csv_not_utf8", file=shown(path))) from None
    except OSError as error:
        raise UsageError(Message("file_failed", file=shown(path), reason=error)) from None


def shown(path: Path) -> str:
    """A path on one line, with control characters escaped."""
    return str(path) if str(path).isprintable() else repr(str(path))


def _refuse_by_stat(path: Path) -> None:
    try:
        status = path.stat()
    except ValueError as error:  # a NUL in the path
        raise UsageError(Message.about(error)) from None
    if stat.S_ISDIR(status.st_mode):
        raise UsageError(Message("csv_directory"))
    if not stat.S_ISREG(status.st_mode):
        raise UsageError(Message("csv_irregular"))
    if status.st_size > MOST_BYTES:
        raise UsageError(Message("csv_large", size=status.st_size, most=MOST_BYTES))


def _records(path: Path, delimiter: str) -> Iterator[tuple[int, list[str]]]:
    """All records except blank lines, with their line numbers. Raises UsageError for bad quoting."""
    with path.open(encoding="utf-8-sig", newline="") as file:
        reader = csv.reader(file, delimiter=delimiter, strict=True)
        line = 1
        try:
            for cells in reader:
                if len(cells) > 1 or (cells and cells[0].strip()):
                    yield line, cells
                line = reader.line_num + 1
        except csv.Error as error:
            reason = str(error).replace("\t", "\\t")  # the message contains the delimiter unescaped
            raise UsageError(Message("at_line", number=line, failure=reason)) from None


def _header(path: Path) -> tuple[str, tuple[str, ...]]:
    """The delimiter, and the names of the columns."""
    found: dict[str, list[str]] = {}
    complaint: UsageError | None = None
    for delimiter in DELIMITERS:
        try:
            found[delimiter] = next(_records(path, delimiter), (0, list[str]()))[1]
        except UsageError as error:  # the quoting may be valid with another delimiter
            complaint = complaint or error
    if not found:
        raise complaint or UsageError(Message("csv_headerless"))
    delimiter = max(found, key=lambda delimiter: len(found[delimiter]))  # the first, among equals
    names = tuple(" ".join(name.split()) for name in found[delimiter])
    if not names:
        raise UsageError(Message("csv_empty"))
    if not all(name.isprintable() for name in names):
        raise UsageError(Message("csv_no_text"))
    if len(names) == 1:
        raise UsageError(Message("csv_one_column", name=_quoted(names[0])))
    if len(names) > MOST_COLUMNS:
        raise UsageError(Message("csv_columns", count=len(names), most=MOST_COLUMNS))
    if "" in names:
        raise UsageError(Message("csv_unnamed", column=names.index("") + 1))
    if _is_data(names):
        raise UsageError(Message("csv_no_header", first=_quoted(names[0])))
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise UsageError(Message("csv_twice", name=_quoted(twice)))
    return delimiter, names


def _is_data(names: tuple[str, ...]) -> bool:
    """Whether the first row is data, not a header.

    It is if all cells are numbers (other than the column names 0, 1, 2, …), or if one is a decimal.
    """
    if names == tuple(str(k) for k in range(len(names))):
        return False
    numbers = [number for name in names if (number := _number(name)) is not None and np.isfinite(number)]
    return len(numbers) == len(names) or any(number % 1 != 0 for number in numbers)


def _read(path: Path, target: str | None) -> CsvTable:
    delimiter, names = _header(path)
    if target is not None and target not in names:
        columns = ", ".join(_quoted(name) for name in names[:20]) + (", …" if len(names) > 20 else "")
        raise UsageError(Message("csv_no_column", name=_quoted(target), known=columns))
    place = names.index(target) if target is not None else len(names) - 1
    features = names[:place] + names[place + 1 :]
    numbers, lines, texts = array("d"), array("q"), list[str]()
    known: dict[str, str] = {}  # shares equal strings, to save memory
    records = _records(path, delimiter)
    next(records)
    for line, cells in records:
        if len(cells) != len(names):
            raise UsageError(Message("csv_cells", line=line, count=len(cells), most=len(names)))
        row = len(texts) + 1
        if row > MOST_ROWS:
            raise UsageError(Message("csv_rows", most=MOST_ROWS))
        text = cells.pop(place).strip()
        if not text:
            raise UsageError(Message("csv_cell_empty", where=_where(row, line, names[place])))
        texts.append(known.setdefault(text, text))
        lines.append(line)
        try:
            numbers.extend(map(float, cells))
        except ValueError:
            raise _not_a_number(row, line, features, cells) from None
        if any("_" in cell for cell in cells):  # Python would read 1_000 as a number
            raise _not_a_number(row, line, features, cells)
    if len(texts) < 2:
        raise UsageError(Message("csv_one_row" if texts else "csv_no_row"))
    x = np.frombuffer(numbers, dtype=np.float64).reshape(len(texts), len(features))
    finite = np.isfinite(x)
    if not finite.all():
        row, column = (int(index) for index in np.argwhere(~finite)[0])
        raise UsageError(
            Message(
                "csv_not_finite", where=_where(row + 1, lines[row], features[column]), value=x[row, column]
            )
        )
    return CsvTable(features, x, names[place], texts, _target_numbers(texts, lines, names[place]))


def _target_numbers(texts: list[str], lines: array[int], target: str) -> Floats | None:
    """The target as numbers, or None if it contains text. Raises UsageError for NaN and infinities."""
    known = {text: _number(text) for text in set(texts)}
    for row, text in enumerate(texts):
        number = known[text]
        if number is not None and not np.isfinite(number):
            raise UsageError(
                Message("csv_not_finite", where=_where(row + 1, lines[row], target), value=_quoted(text))
            )
    numbers = [known[text] for text in texts]
    if None in numbers:
        return None
    return np.array(numbers, dtype=np.float64)


def _not_a_number(row: int, line: int, features: tuple[str, ...], cells: list[str]) -> UsageError:
    column, text = next((k, cell.strip()) for k, cell in enumerate(cells) if _number(cell) is None)
    where = _where(row, line, features[column])
    if not text:
        return UsageError(Message("csv_cell_empty", where=where))
    key = "cell_decimal_comma" if _number(text.replace(",", ".")) is not None else "cell_no_number"
    return UsageError(Message(key, where=where, text=_quoted(text)))


def _number(text: str) -> float | None:
    try:
        return None if "_" in text else float(text)
    except ValueError:
        return None


def _where(row: int, line: int, column: str) -> Message:
    return Message("csv_where", row=row, line=line, column=_quoted(column))


def _quoted(text: str) -> str:
    """Text from a file, quoted, on one line and shortened."""
    return repr(text if len(text) <= 40 else text[:39] + "…")
