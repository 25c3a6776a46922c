"""The table of operations, collected from the `OPERATIONS` of every file in this folder."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module
from pkgutil import iter_modules

from reference.operation import Operation


def _found() -> Iterator[Operation]:
    for module in sorted(iter_modules(__path__), key=lambda module: module.name):
        yield from getattr(import_module(f"{__name__}.{module.name}"), "OPERATIONS", ())


OPERATIONS: dict[str, Operation] = {operation.name: operation for operation in _found()}
"""All operations by name."""
