"""Makes a copy of `reference/` of which mutmut can mutate everything that computes.

mutmut leaves decorated functions alone, and lambdas that stand in a table of a module. Most of the
reference is one or the other. In the copy, and only there, `@into def softmax(z)` is written
`def softmax(z)` and then `softmax = into(softmax)`, and a table's lambda is a function above it.
"""

from __future__ import annotations

import ast
import shutil
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path

COPIED = ("pyproject.toml", "parity", "tests/__init__.py", "tests/conftest.py", "tests/reference")


def prepare(root: Path, work: Path) -> None:
    """A folder to run mutmut in: the rewritten reference, and what its tests need.

    What mutmut found before stays in `mutants/`: it tries again only functions that have changed.
    """
    for name in ("reference", "parity", "tests", "mutants/parity", "mutants/tests"):
        shutil.rmtree(work / name, ignore_errors=True)
    for name in COPIED:
        source, target = root / name, work / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, target)
    for source in sorted((root / "reference").rglob("*.py")):
        target = work / source.relative_to(root)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(rewritten(source.read_text("utf-8")), "utf-8")


def rewritten(text: str) -> str:
    """The module, its functions undecorated and its tables without lambdas. It means the same."""
    return _without_lambdas(_without_decorators(text))


def functions(tree: ast.Module) -> Iterator[tuple[str, ast.FunctionDef]]:
    """Top-level functions and methods, by name: ("softmax", …), ("Graph.add", …)."""
    for node in tree.body:
        if isinstance(node, ast.FunctionDef):
            yield node.name, node
        elif isinstance(node, ast.ClassDef):
            for child in node.body:
                if isinstance(child, ast.FunctionDef):
                    yield f"{node.name}.{child.name}", child


def _without_decorators(text: str) -> str:
    lines: list[str] = text.splitlines()
    for _, node in sorted(functions(ast.parse(text)), key=lambda pair: -pair[1].lineno):
        if not node.decorator_list:
            continue
        assert node.end_lineno is not None
        applied = [
            f"{' ' * node.col_offset}{node.name} = {ast.unparse(decorator)}({node.name})"
            for decorator in reversed(node.decorator_list)
        ]
        lines[node.end_lineno : node.end_lineno] = applied
        del lines[node.decorator_list[0].lineno - 1 : node.lineno - 1]
    return "\n".join(lines) + "\n"


def lambdas(tree: ast.Module) -> Iterator[tuple[ast.stmt, ast.Lambda]]:
    """The lambdas of a module's own statements, outermost ones, with their statement."""

    def outermost(node: ast.AST) -> Iterator[ast.Lambda]:
        if isinstance(node, ast.Lambda):
            yield node
            return
        for child in ast.iter_child_nodes(node):
            yield from outermost(child)

    for statement in tree.body:
        if not isinstance(statement, ast.FunctionDef | ast.ClassDef):
            for found in outermost(statement):
                yield statement, found


def lambda_name(position: int) -> str:
    return f"_lambda_{position}"


def _without_lambdas(text: str) -> str:
    lines = [line.encode() for line in text.splitlines()]  # ast counts bytes
    found = list(enumerate(lambdas(ast.parse(text)), start=1))
    for begins, of_statement in groupby(reversed(found), key=lambda entry: entry[1][0].lineno):
        above: list[str] = []
        for position, (_, node) in of_statement:
            assert node.end_lineno is not None
            assert node.end_col_offset is not None
            first, last = node.lineno - 1, node.end_lineno - 1
            name = lambda_name(position).encode()
            lines[first : last + 1] = [
                lines[first][: node.col_offset] + name + lines[last][node.end_col_offset :]
            ]
            arguments, body = ast.unparse(node.args), ast.unparse(node.body)
            above = [f"def {name.decode()}({arguments}):", f"    return {body}", "", *above]
        lines[begins - 1 : begins - 1] = [line.encode() for line in above]
    return "\n".join(line.decode() for line in lines) + "\n"
