"""A formula as a tree, as people write it: parsed from text, edited at one node, written out again.

Trees are made once and compared by identity, so that what two of them share is computed once.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import TypeAlias

Path: TypeAlias = tuple[int, ...]
"""The way from the root to a node: which operand, which of its operands, …"""

OPERATORS: Mapping[type[ast.AST], str] = {
    ast.Add: "+",
    ast.Sub: "-",
    ast.Mult: "*",
    ast.Div: "/",
    ast.MatMult: "@",
    ast.Gt: ">",
    ast.GtE: ">=",
    ast.Lt: "<",
    ast.LtE: "<=",
    ast.Eq: "==",
    ast.NotEq: "!=",
}
BINARY = frozenset(OPERATORS.values())


@dataclass(frozen=True, eq=False)
class Tree:
    """An operation and its operands; without operands, a tensor or a number by its name."""

    head: str
    of: tuple[Tree, ...] = ()


@cache
def node(head: str, *of: Tree) -> Tree:
    """The tree of this head and these operands."""
    return Tree(head, of)


@cache
def tree(text: str) -> Tree:
    """A formula in Python's syntax: `W @ a + b`, `delta @ a.T`, `1 / (1 + exp(-z))`."""
    return _made(ast.parse(text, mode="eval").body)


def _made(part: ast.expr) -> Tree:
    match part:
        case ast.BinOp(left, operator, right):
            return node(OPERATORS[type(operator)], _made(left), _made(right))
        case ast.Compare(left, [operator], [right]):
            return node(OPERATORS[type(operator)], _made(left), _made(right))
        case ast.UnaryOp(ast.USub(), ast.Constant(float() | int() as value)):
            return node(repr(-value))
        case ast.UnaryOp(ast.USub(), operand):
            return node("neg", _made(operand))
        case ast.Attribute(value, "T"):
            return node("T", _made(value))
        case ast.Call(ast.Name(name), arguments):
            return node(name, *(_made(argument) for argument in arguments))
        case ast.Name(name):
            return node(name)
        case ast.Constant(value):
            return node(repr(value))
    raise ValueError(ast.unparse(part))


def nodes(whole: Tree, path: Path = ()) -> Iterator[tuple[Path, Tree]]:
    """Every node with the way to it, the root first."""
    yield path, whole
    for place, operand in enumerate(whole.of):
        yield from nodes(operand, (*path, place))


def put(whole: Tree, path: Path, new: Tree) -> Tree:
    """The tree with another node at the end of the way."""
    if not path:
        return new
    place = path[0]
    of = (*whole.of[:place], put(whole.of[place], path[1:], new), *whole.of[place + 1 :])
    return node(whole.head, *of)


def number_of(leaf: Tree) -> float | None:
    """The number that a leaf is; None for a tensor or an operation."""
    try:
        return None if leaf.of else float(leaf.head)
    except ValueError:
        return None


def written(part: Tree, names: Mapping[str, str]) -> str:
    """The formula in the deck's notation; `names` says how tensors are written."""
    return _written(part, names)[0]


LOOSE, TIGHT, ATOM = 1, 2, 3
"""How tightly a piece of text binds: a sum, a product, a thing by itself."""

SIGNS = {"+": " + ", "-": " − ", "*": " ⊙ ", "/": " / ", "@": " ", ">": " > ", ">=": " ≥ ", "<": " < "}
SIGNS |= {"<=": " ≤ ", "==": " = ", "!=": " ≠ "}
EXPONENTS = {"2": "²", "3": "³", "4": "⁴"}
AFTER = {"T": "ᵀ", "square": "²"}


def _written(part: Tree, names: Mapping[str, str]) -> tuple[str, int]:
    head, of = part.head, part.of
    if not of:
        number = number_of(part)
        text = names.get(head, head) if number is None else f"{number:.6g}"
        return text.replace("-", "−"), ATOM if not text.startswith("-") else LOOSE
    if head in BINARY:
        (left, tied), (right, bound) = (_written(operand, names) for operand in of)
        if head in ("+", "-"):
            return f"{left}{SIGNS[head]}{_bracketed(right, bound, LOOSE + (head == '-'))}", LOOSE
        if head in ("*", "/", "@"):
            sign = " · " if head == "*" and any(_scalar(operand) for operand in of) else SIGNS[head]
            least = ATOM if head in ("/", "@") else TIGHT
            return f"{_bracketed(left, tied, TIGHT)}{sign}{_bracketed(right, bound, least)}", TIGHT
        return f"[{left}{SIGNS[head]}{right}]", ATOM
    if head == "power":
        text, bound = _written(of[0], names)
        exponent = _written(of[1], names)[0]
        return _bracketed(text, bound, ATOM) + EXPONENTS.get(exponent, f"^{exponent}"), ATOM
    if head == "neg":
        text, bound = _written(of[0], names)
        return f"−{_bracketed(text, bound, TIGHT)}", LOOSE
    if head in AFTER:
        text, bound = _written(of[0], names)
        return _bracketed(text, bound, ATOM) + AFTER[head], ATOM
    name = names.get(head, head).replace("'", "′")
    if head.endswith("'") and of[1:] == (node(head[:-1], of[0]),):
        of = of[:1]  # f′ of z, where a is f(z)
    if "{}" in name:  # a function of one operand that is written around it
        text, bound = _written(of[0], names)
        inside = "({}" in name or name[0] in "|‖√"  # in brackets of its own
        return name.replace(
            "{}", text if inside else _bracketed(text, bound, TIGHT + (name[0] == "{"))
        ), ATOM
    return f"{name}({', '.join(_written(operand, names)[0] for operand in of)})", ATOM


def _bracketed(text: str, bound: int, least: int) -> str:
    return text if bound >= least else f"({text})"


def _scalar(part: Tree) -> bool:
    """Whether it is a number, so that its product is written with a point."""
    if part.head in ("n", "lr", "batch", "outputs", "units", "inputs") or number_of(part) is not None:
        return True
    return bool(part.of) and part.head in BINARY and all(_scalar(operand) for operand in part.of)
