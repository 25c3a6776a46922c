"""`python -m tests.reports.notebooks`: run the two worked notebooks and write them with what they showed.

A notebook is written as JSON of nbformat 4.5. Its cells are executed one after the other in one
namespace, as Jupyter does: what is printed, and what the last line is worth, by `_repr_html_` and `str`.
"""

from __future__ import annotations

import ast
import asyncio
import hashlib
import inspect
import json
import linecache
import os
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import chdir, redirect_stdout
from io import StringIO
from pathlib import Path

from tests.reports.notebook_cells import NOTEBOOKS, Cell

FOLDER = Path("reports/notebooks")
KERNEL = {"kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"}}
METADATA = {**KERNEL, "language_info": {"name": "python"}}


def notebook(name: str, cells: Sequence[Cell], *, run: bool = True) -> str:
    """The notebook as text, its cells executed in a folder of their own."""
    with tempfile.TemporaryDirectory() as place, chdir(place):
        shown = (
            [*_executed(name, cells)] if run else [_cell(name, n, cell, []) for n, cell in enumerate(cells)]
        )
    content = {"cells": shown, "metadata": METADATA, "nbformat": 4, "nbformat_minor": 5}
    return json.dumps(content, indent=1, ensure_ascii=False) + "\n"


def _executed(name: str, cells: Sequence[Cell]) -> Iterator[dict[str, object]]:
    namespace: dict[str, object] = {"__name__": "__main__"}
    count = 0
    for number, cell in enumerate(cells):
        if not cell.is_code:
            yield _cell(name, number, cell, [])
            continue
        count += 1
        yield _cell(
            name, number, cell, outputs(cell.text, f"<{name}, cell {count}>", namespace, count), count
        )


def outputs(
    source: str, place: str, namespace: dict[str, object], count: int = 1
) -> list[dict[str, object]]:
    """What a cell shows: its stdout, and the value of its last line."""
    tree = ast.parse(source)
    last = tree.body.pop() if tree.body and isinstance(tree.body[-1], ast.Expr) else None
    linecache.cache[place] = (len(source), None, source.splitlines(keepends=True), place)
    printed, value = StringIO(), None
    with redirect_stdout(printed):
        ran = eval(compile(tree, place, "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT), namespace)
        if inspect.iscoroutine(ran):
            asyncio.run(ran)
        if last is not None:
            value = eval(compile(ast.Expression(last.value), place, "eval"), namespace)
    found: list[dict[str, object]] = []
    if printed.getvalue():
        found.append({"output_type": "stream", "name": "stdout", "text": _lines(printed.getvalue())})
    if value is not None:
        data = {"text/plain": _lines(str(value))}
        if hasattr(value, "_repr_html_"):
            data["text/html"] = _lines(value._repr_html_())
        found.append(
            {"output_type": "execute_result", "execution_count": count, "data": data, "metadata": {}}
        )
    return found


def _cell(
    name: str, number: int, cell: Cell, shown: list[dict[str, object]], count: int | None = None
) -> dict[str, object]:
    digest = hashlib.sha256(f"{name} {number}".encode()).hexdigest()[:8]
    common = {"id": digest, "metadata": {}, "source": _lines(cell.text)}
    if not cell.is_code:
        return {"cell_type": "markdown", **common}
    return {"cell_type": "code", "execution_count": count, "outputs": shown, **common}


def _lines(text: str) -> list[str]:
    return text.splitlines(keepends=True)


def main() -> int:
    """Write every notebook."""
    os.environ.setdefault("NO_COLOR", "1")
    folder = FOLDER.absolute()
    folder.mkdir(parents=True, exist_ok=True)
    for name, cells in NOTEBOOKS.items():
        (folder / f"{name}.ipynb").write_text(notebook(name, cells), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
