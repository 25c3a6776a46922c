"""A formula's code as the slide has it: its body without buffers, products and sums as operators.

Nothing is retyped: the function's syntax tree is read, arguments that are only buffers are left out,
numpy's functions of two arrays become operators, and a name that is used once gives way to what it
stands for. A test runs both forms on the same numbers.
"""

from __future__ import annotations

import ast
import inspect
import textwrap
from collections.abc import Callable, Sequence
from copy import deepcopy
from functools import cache

BINARY: dict[str, type[ast.operator]] = {
    "matmul": ast.MatMult,
    "add": ast.Add,
    "subtract": ast.Sub,
    "multiply": ast.Mult,
    "divide": ast.Div,
    "power": ast.Pow,
}
WIDEST = 72
"""Characters up to which a line is made longer by what it names."""


@cache
def slide_code(function: Callable[..., object], makes: str = "") -> tuple[str, ...]:
    """The lines of a function's body; what it returns under the name that it `makes`.

    Without a name, an equation, ``tanh(z) = np.tanh(z)``. Empty where there is no source to read.
    """
    definition = _definition(function)
    if definition is None:
        return ()
    named = definition.args
    buffers = {a.arg for a, d in zip(named.kwonlyargs, named.kw_defaults, strict=True) if _is_none(d)}
    optional = named.args[len(named.args) - len(named.defaults) :]
    buffers |= {a.arg for a, default in zip(optional, named.defaults, strict=True) if _is_none(default)}
    statements = definition.body[ast.get_docstring(definition) is not None :]
    buffers -= {_assigned(statement) for statement in statements}
    body = _inlined([_WithoutBuffers(buffers).visit(statement) for statement in statements])
    takes = ", ".join(a.arg for a in named.args if a.arg not in buffers)
    made = makes or f"{definition.name}({takes})"
    last = body[-1] if body else None
    if isinstance(last, ast.Return) and last.value is not None and (makes or len(body) == 1):
        lines = [*map(ast.unparse, body[:-1]), f"{made} = {ast.unparse(last.value)}"]
        return tuple("\n".join(lines).splitlines())
    inside = "\n".join(map(ast.unparse, body)).splitlines()
    return tuple(inside) if makes else (f"{made}:", *(f"    {line}" for line in inside))


def _definition(function: Callable[..., object]) -> ast.FunctionDef | None:
    try:
        tree = ast.parse(textwrap.dedent(inspect.getsource(function)))
    except (OSError, TypeError, SyntaxError):
        return None
    return next((node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)), None)


def _is_none(node: ast.expr | None) -> bool:
    return isinstance(node, ast.Constant) and node.value is None


class _WithoutBuffers(ast.NodeTransformer):
    """Leaves out arguments that are buffers, and writes numpy's arithmetic as operators."""

    def __init__(self, buffers: set[str]) -> None:
        self.buffers = buffers

    def visit_Call(self, node: ast.Call) -> ast.expr:
        self.generic_visit(node)
        name = ast.unparse(node.func).removeprefix("np.")
        if name == "into" and len(node.args) == 2:  # into(buffer, value)
            return node.args[1]
        node.args = [a for a in node.args if not self._is_buffer(a)]
        node.keywords = [k for k in node.keywords if k.arg != "out" and not self._is_buffer(k.value)]
        if name in BINARY and len(node.args) == 2 and not node.keywords:
            return ast.BinOp(node.args[0], BINARY[name](), node.args[1])
        if name == "negative" and len(node.args) == 1:
            return ast.UnaryOp(ast.USub(), node.args[0])
        if name == "positive" and len(node.args) == 1:
            return node.args[0]
        if name == "reciprocal" and len(node.args) == 1:
            return ast.BinOp(ast.Constant(1), ast.Div(), node.args[0])
        if name == "square" and len(node.args) == 1:
            return ast.BinOp(node.args[0], ast.Pow(), ast.Constant(2))
        if name == "add.reduce":
            node.func = ast.Attribute(ast.Name("np"), "sum")
        return node

    def _is_buffer(self, node: ast.expr) -> bool:
        inner = node.value if isinstance(node, ast.Starred) else node
        return isinstance(inner, ast.Name) and (inner.id in self.buffers or inner.id == "learned")


class _Put(ast.NodeTransformer):
    """Puts an expression in place of a name."""

    def __init__(self, name: str, value: ast.expr) -> None:
        self.name, self.value = name, value

    def visit_Name(self, node: ast.Name) -> ast.expr:
        return deepcopy(self.value) if node.id == self.name else node


def _inlined(statements: Sequence[ast.stmt]) -> list[ast.stmt]:
    """The statements, each name that is used once, in the next one, replaced by what it stands for."""
    left = list(statements)
    at = 0
    while at + 1 < len(left):
        now, after = left[at], left[at + 1]
        name = _assigned(now)
        if name and isinstance(after, ast.AugAssign) and ast.unparse(after.target) == name:
            assert isinstance(now, ast.Assign)
            now.value = ast.BinOp(now.value, after.op, after.value)
            del left[at + 1]
        elif name and [_uses(s, name) for s in left[at + 1 :]] == [1] + [0] * (len(left) - at - 2):
            assert isinstance(now, ast.Assign)
            longer = _Put(name, now.value).visit(deepcopy(after))
            if len(ast.unparse(longer)) > WIDEST:
                at += 1
            else:
                left[at : at + 2] = [longer]
                at = max(0, at - 1)
        else:
            at += 1
    return left


def _assigned(statement: ast.stmt) -> str:
    """The one plain name that a statement assigns, or nothing."""
    if isinstance(statement, ast.Assign) and len(statement.targets) == 1:
        target = statement.targets[0]
        return target.id if isinstance(target, ast.Name) else ""
    return ""


def _uses(statement: ast.stmt, name: str) -> int:
    """How often a name is read; often where it is assigned again or read in a loop."""
    again = _assigned(statement) == name or isinstance(statement, ast.For | ast.While | ast.AugAssign)
    names = [n for n in ast.walk(statement) if isinstance(n, ast.Name) and n.id == name]
    return len(names) + 2 * (again and bool(names))
