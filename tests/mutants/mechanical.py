"""Mutants that nobody chose: every node of a program's syntax tree, changed in every way of a fixed list.

The programs are five hand-written backprops in `tests.mutants.strangers`, in different styles. A change
knows nothing of backpropagation: it exchanges an operator, a comparison, a constant, a name, a slice,
an axis; it drops or adds a transpose, wraps a factor, swaps arguments, leaves a statement out, doubles
or moves it. What does not compile, or is the same text, is none.
"""

from __future__ import annotations

import ast
import copy
import difflib
import random
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

STYLES = ("columns", "rows", "classes", "samples", "closures")
FOLDER = Path(__file__).with_name("strangers")

OPERATORS = (ast.Add, ast.Sub, ast.Mult, ast.Div, ast.MatMult)
COMPARISONS = (ast.Gt, ast.GtE, ast.Lt, ast.LtE, ast.Eq, ast.NotEq)
FUNCTIONS = {
    "tanh": ("sin", "arctan", "sinh"),
    "exp": ("expm1", "cosh", "sqrt"),
    "sum": ("mean", "max", "prod"),
    "mean": ("sum", "max"),
    "maximum": ("minimum", "add"),
    "abs": ("square", "negative"),
    "square": ("abs", "sqrt"),
    "power": ("multiply",),
    "dot": ("inner",),
    "outer": ("multiply",),
    "heaviside": ("maximum",),
    "ones_like": ("zeros_like",),
    "ones": ("zeros",),
    "zeros": ("ones",),
}
NAMES_TRIED = 3
WRAPS = (
    "abs(_)",
    "-_",
    "0.9 * _",
    "_ + 1e-7",
    "np.clip(_, -0.5, 0.5)",
    "np.sign(_)",
    "np.round(_, 2)",
    "_[::-1]",
    "np.float64(np.float32(_))",
)


@dataclass(frozen=True)
class Mutant:
    """A style, what was done to which line, and the whole program."""

    style: str
    kind: str
    line: int
    source: str

    @property
    def diff(self) -> str:
        """The lines that are gone and the lines that came."""
        lines = difflib.unified_diff(
            _right(self.style).splitlines(), self.source.splitlines(), n=0, lineterm=""
        )
        return " / ".join(
            f"{line[0]} {line[1:].strip()}" for line in list(lines)[2:] if not line.startswith("@")
        )


def source(style: str) -> str:
    """The correct program."""
    return (FOLDER / f"{style}.py").read_text(encoding="utf-8")


def _right(style: str) -> str:
    return ast.unparse(ast.parse(source(style)))


def drawn(seed: int) -> Iterator[Mutant]:
    """Every mutant of every style once, in an order drawn without looking."""
    trees = {style: ast.parse(source(style)) for style in STYLES}
    seen = {_right(style) for style in STYLES}
    tickets = [
        (style, number, which)
        for style, tree in trees.items()
        for number, changes in enumerate(_every_change(tree))
        for which in range(len(changes))
    ]
    changes = {style: _every_change(tree) for style, tree in trees.items()}
    random.Random(seed).shuffle(tickets)
    for style, number, which in tickets:
        kind, change = changes[style][number][which]
        mutated = copy.deepcopy(trees[style])
        line = getattr(_places(mutated)[number][3], "lineno", 0)
        if not change(mutated, number):
            continue
        try:
            text = ast.unparse(ast.fix_missing_locations(mutated))
            compile(text, style, "exec")
        except (SyntaxError, ValueError, TypeError):
            continue
        if text not in seen:
            seen.add(text)
            yield Mutant(style, kind, line, text)


def _every_change(tree: ast.AST) -> list[list[tuple]]:
    """The changes of each node; what chance decides about a node is decided by its number."""
    scopes = _scopes(tree)
    return [
        list(_changes(place, scopes.get(id(place[3]), ()), random.Random(number)))
        for number, place in enumerate(_places(tree))
    ]


def _places(tree: ast.AST) -> list[tuple[ast.AST, str, int | None, ast.AST]]:
    """(parent, field, place in the field's list, node) of every node."""
    found = []
    for parent in ast.walk(tree):
        for field, value in ast.iter_fields(parent):
            for place, node in enumerate(value) if isinstance(value, list) else [(None, value)]:
                if isinstance(node, ast.AST):
                    found.append((parent, field, place, node))
    return found


def _scopes(tree: ast.AST) -> dict[int, tuple[str, ...]]:
    """The local names that a node can see, by the node's identity."""
    found: dict[int, tuple[str, ...]] = {}
    for function in ast.walk(tree):
        if isinstance(function, (ast.FunctionDef, ast.Lambda)):
            names = {argument.arg for argument in function.args.args}
            names |= {
                n.id for n in ast.walk(function) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)
            }
            attributes = {
                n.attr for n in ast.walk(tree) if isinstance(n, ast.Attribute) and _is_self(n.value)
            }
            for node in ast.walk(function):
                own = (
                    attributes if isinstance(node, ast.Attribute) else names | set(found.get(id(node), ()))
                )
                found[id(node)] = tuple(sorted(own))
    return found


def _is_self(node: ast.AST) -> bool:
    return isinstance(node, ast.Name) and node.id == "self"


def _put(new):
    """A change of one node into what `new` makes of it."""

    def change(tree: ast.AST, number: int) -> bool:
        parent, field, place, node = _places(tree)[number]
        made = new(node)
        if place is None:
            setattr(parent, field, made)
        else:
            getattr(parent, field)[place] = made
        return True

    return change


def _set(**fields):
    """A change of some fields of a node."""

    def new(node):
        for name, value in fields.items():
            setattr(node, name, value)
        return node

    return _put(new)


def _expression(text: str, node: ast.AST) -> ast.AST:
    """`text` with the node for `_`."""
    tree = ast.parse(text, mode="eval")
    for parent, field, place, hole in _places(tree):
        if isinstance(hole, ast.Name) and hole.id == "_":
            if place is None:
                setattr(parent, field, node)
            else:
                getattr(parent, field)[place] = node
    return tree.body


def _changes(where, names, chance) -> Iterator[tuple]:
    """Every change of one node: its kind, and what does it to a copy of the tree."""
    parent, _, place, node = where
    if isinstance(node, ast.BinOp):
        yield from _of_operation(node)
    if isinstance(node, ast.AugAssign):
        for operator in OPERATORS:
            if not isinstance(node.op, operator):
                yield "operator", _set(op=operator())
        yield "= for +=", _put(lambda n: ast.Assign([n.target], n.value))
    if isinstance(node, ast.Compare):
        for operator in COMPARISONS:
            if not isinstance(node.ops[0], operator):
                yield "comparison", _set(ops=[operator()])
    if isinstance(node, ast.Constant):
        yield from _of_constant(node)
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        yield "minus dropped", _put(lambda n: n.operand)
    if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load) and node.id in names:
        others = [name for name in names if name != node.id]
        for other in chance.sample(others, min(NAMES_TRIED, len(others))):
            yield "name", _set(id=other)
    if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Load):
        if node.attr == "T":
            yield ".T dropped", _put(lambda n: n.value)
        elif _is_self(node.value) and node.attr in names:
            others = [name for name in names if name != node.attr]
            for other in chance.sample(others, min(NAMES_TRIED, len(others))):
                yield "name", _set(attr=other)
    if isinstance(parent, ast.BinOp) and isinstance(node, (ast.Name, ast.Subscript, ast.Attribute)):
        yield ".T added", _put(lambda n: ast.Attribute(n, "T", ast.Load()))
        for wrap in WRAPS:
            yield f"wrapped {wrap}", _put(lambda n, wrap=wrap: _expression(wrap, n))
    if isinstance(node, ast.Call):
        yield from _of_call(node)
    if isinstance(node, ast.Slice):
        yield "slice", _put(lambda n: ast.Slice(ast.Constant(1), n.upper, n.step))
        yield "slice", _put(lambda n: ast.Slice(n.lower, ast.UnaryOp(ast.USub(), ast.Constant(1)), n.step))
        yield "slice", _put(lambda n: ast.Slice(n.lower, n.upper, None))
    if isinstance(node, ast.IfExp):
        yield "branch", _put(lambda n: n.body)
        yield "branch", _put(lambda n: n.orelse)
    if (
        isinstance(node, ast.stmt)
        and place is not None
        and not isinstance(node, (ast.FunctionDef, ast.ClassDef, ast.Import))
    ):
        yield from _of_statement()


def _of_operation(node):
    for operator in OPERATORS:
        if not isinstance(node.op, operator):
            yield "operator", _set(op=operator())
    yield "operand dropped", _put(lambda n: n.right)
    yield "operand dropped", _put(lambda n: n.left)
    yield "operands swapped", _put(lambda n: ast.BinOp(n.right, n.op, n.left))


def _of_constant(node):
    value = node.value
    if isinstance(value, bool):
        yield "constant", _set(value=not value)
    elif isinstance(value, (int, float)):
        for other in (value + 1, value - 1, value / 2, 0 * value, -value, value + 0.01, 1.1 * value):
            if other != value:
                yield "constant", _put(lambda n, other=other: ast.parse(repr(other), mode="eval").body)
    elif value in ("sigmoid", "tanh", "relu"):
        for other in ("sigmoid", "tanh", "relu", "identity"):
            if other != value:
                yield "constant", _set(value=other)
    elif isinstance(value, str) and "->" in value:
        operands, result = value.split("->")
        yield "axis", _set(value=f"{operands[::-1]}->{result}")
        yield "axis", _set(value=f"{operands.split(',')[0][::-1]},{operands.split(',')[1]}->{result}")


def _of_call(node):
    name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")

    def renamed(other):
        def new(n):
            if isinstance(n.func, ast.Attribute):
                n.func.attr = other
            else:
                n.func.id = other
            return n

        return _put(new)

    for other in FUNCTIONS.get(name, ()):
        yield "function", renamed(other)
    if len(node.args) == 1 and name not in ("range", "len", "append", "zeros", "ones"):
        yield "call dropped", _put(lambda n: n.args[0])
    if len(node.args) > 1:
        yield "arguments swapped", _put(lambda n: ast.Call(n.func, n.args[::-1], n.keywords))
    for k in range(len(node.keywords)):
        yield (
            "keyword dropped",
            _put(lambda n, k=k: ast.Call(n.func, n.args, n.keywords[:k] + n.keywords[k + 1 :])),
        )
    if name == "range":
        one = ast.Constant(1)
        yield (
            "range",
            _put(lambda n: ast.Call(n.func, [*n.args[:-1], ast.BinOp(n.args[-1], ast.Sub(), one)], [])),
        )
        yield (
            "range",
            _put(lambda n: ast.Call(n.func, [*n.args[:-1], ast.BinOp(n.args[-1], ast.Add(), one)], [])),
        )
        yield "range", _put(lambda n: _expression("list(_)[::-1]", n))
        yield "range", _put(lambda n: _expression("list(_)[1:]", n))


def _of_statement():
    def left_out(tree, number):
        parent, field, place, _ = _places(tree)[number]
        body = getattr(parent, field)
        body[place : place + 1] = [] if len(body) > 1 else [ast.Pass()]
        return True

    def doubled(tree, number):
        parent, field, place, node = _places(tree)[number]
        getattr(parent, field).insert(place, copy.deepcopy(node))
        return True

    def moved_up(tree, number):
        parent, field, place, _ = _places(tree)[number]
        body = getattr(parent, field)
        if place == 0:
            return False
        body[place - 1], body[place] = body[place], body[place - 1]
        return True

    def moved_out(tree, number):
        parent, field, place, node = _places(tree)[number]
        if not isinstance(parent, (ast.For, ast.While, ast.If)) or len(getattr(parent, field)) < 2:
            return False
        for _, _, where, candidate in _places(tree):
            if candidate is parent and where is not None:
                break
        outer = next((p, f) for p, f, _, c in _places(tree) if c is parent)
        getattr(parent, field).pop(place)
        getattr(*outer).insert(where + 1, node)
        return True

    yield "statement left out", left_out
    yield "statement doubled", doubled
    yield "statement moved up", moved_up
    yield "statement moved out", moved_out
