"""`[[network.modules]]`: a network of any graph, a row for each module or function, checked by its words.

Every row makes one tensor and reads those of rows above it, so that there is no cycle:

    [[network.modules]]
    type = "Conv2d"         # a module of torch.nn, or a function such as add, with its own arguments
    name = "first"          # optional
    from = "input"          # optional: the row before, or several: ["first", "second"]
    weights = "other"       # optional: parameters that it shares with the module of another row
    in_channels = 1
    …
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from pydantic import JsonValue

from parity.config.module_names import FUNCTIONS, TYPES, ModuleType
from parity.errors import UsageError
from parity.render.texts.message import Message, unknown

INPUT = "input"
"""What a row reads to be given the data: x (samples, features)."""

OWN = ("type", "name", "from", "weights")
"""Keys of a row that are no arguments."""


@dataclass(frozen=True)
class ModuleRow:
    """A row that was read: its place from 1 on, the rows that it reads, and the arguments given."""

    number: int
    name: str
    type: str
    reads: tuple[str, ...]
    options: Mapping[str, JsonValue]
    weights: str | None = None

    @property
    def known(self) -> ModuleType:
        """What its type is."""
        return TYPES[self.type]

    @property
    def where(self) -> Message:
        """The row as messages name it."""
        return Message("modules_row", row=self.number, name=self.name, type=self.type)


def module_rows(tables: Iterable[Mapping[str, JsonValue]]) -> list[ModuleRow]:
    """The rows of a network, in order. The last one makes its output.

    Raises UsageError for the first row that is wrong by its words alone: an unknown type or argument, a
    missing one, a name given twice, reading what does not stand above, or never being read.
    """
    given = list(tables)
    found: dict[str, ModuleRow] = {}
    names = [_name(number, table) for number, table in enumerate(given, 1)]
    before = INPUT
    for number, (name, table) in enumerate(zip(names, given, strict=True), 1):
        kind = str(table["type"])
        options = {key: value for key, value in table.items() if key not in OWN}
        weights = table.get("weights")
        reads = tuple(_reads(table.get("from", before)))
        row = ModuleRow(number, name, kind, reads, options, None if weights is None else str(weights))
        if name == INPUT or not re.fullmatch(r"[A-Za-z][A-Za-z0-9_]*", name):
            raise UsageError(Message("modules_name", row=row.where, reserved=INPUT))
        if name in found:
            raise UsageError(Message("modules_twice", row=row.where, other=found[name].number))
        _arguments(row)
        _operands(row, found, names)
        found[name], before = row, name
    _all_read(list(found.values()))
    return list(found.values())


def _name(number: int, table: Mapping[str, JsonValue]) -> str:
    """The name of a row, by default its type and its number. Raises UsageError for an unknown type."""
    kind = table.get("type")
    if kind is None:
        raise UsageError(Message("modules_no_type", row=number))
    if not isinstance(kind, str) or kind not in TYPES:
        raise unknown(Message("modules_type", row=number), kind, TYPES)
    return str(table.get("name", f"{kind.lower()}{number}"))


def _reads(given: JsonValue) -> Iterator[str]:
    yield from map(str, given if isinstance(given, list) else [given])


def _arguments(row: ModuleRow) -> None:
    """Raises UsageError for an argument that its type does not take, and for a missing one."""
    for name in row.options:
        if name not in row.known.options:
            raise unknown(row.where, name, (*row.known.options, *OWN))
    missing = [name for name in row.known.required if name not in row.options]
    if missing:
        known = ", ".join(row.known.options)
        raise UsageError(Message("modules_missing", row=row.where, argument=missing[0], known=known))
    for name, value in row.options.items():
        if isinstance(row.known.options[name], bool) and not isinstance(value, bool):
            raise UsageError(Message("modules_bool", row=row.where, argument=name, found=repr(value)))
    if row.options.get("batch_first", True) is not True:
        raise UsageError(Message("modules_batch_first", row=row.where))


def _operands(row: ModuleRow, above: Mapping[str, ModuleRow], names: list[str]) -> None:
    """Raises UsageError where it reads, or shares with, what does not stand above it."""
    for read in (*row.reads, *((row.weights,) if row.weights is not None else ())):
        if read in above or (read == INPUT and read != row.weights):
            continue
        if read in names:
            raise UsageError(Message("modules_later", row=row.where, read=read))
        raise unknown(row.where, read, (INPUT, *above))
    count, wanted = len(row.reads), row.known.reads
    if count not in wanted and not (wanted == (0,) and count > 1):
        said = Message("modules_several") if wanted == (0,) else "/".join(map(str, wanted))
        raise UsageError(Message("modules_operands", row=row.where, given=count, wanted=said))
    if row.weights is not None and any(one in FUNCTIONS for one in (row.type, above[row.weights].type)):
        raise UsageError(Message("modules_weights", row=row.where, other=row.weights))


def _all_read(rows: list[ModuleRow]) -> None:
    """Raises UsageError for a row but the last that nobody reads: it would not be trained."""
    read = {name for row in rows for name in row.reads}
    for row in rows[:-1]:
        if row.name not in read:
            raise UsageError(Message("modules_unread", row=row.where))
