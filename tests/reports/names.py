"""The table of everything that a config can name, made of the entries themselves."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from reference.clipping import CLIPPINGS, Clipping
from reference.initialisers import INITIALISERS
from reference.operations.activations import ACTIVATIONS, Activation
from reference.operations.losses import LOSSES, Loss
from reference.optimizers import GROUPS, OPTIMIZERS

HEAD = """# Everything that a config can name

Made of the code by `python -m tests.reports`. Names and options are PyTorch's, options with their
defaults; how each was held against PyTorch is in [vocabulary.md](vocabulary.md), and where PyTorch's
numbers are not its own formula's in [findings.md](findings.md).
"""

BAR = r"\|"
"""A bar that does not end a cell."""


def names() -> str:
    """The page, in Markdown."""
    parts = [
        HEAD,
        _table("Activations", ("f", "f′"), map(_activation, ACTIVATIONS.values())),
        _table("Losses", ("L", "∇L"), map(_loss, LOSSES.values())),
        _table("Optimizers", ("rules, with the defaults",), _optimizers()),
        _table("Gradient clipping", ("formula",), map(_clipping, CLIPPINGS.values())),
        _table("Weight initialisers", ("W",), _initialisers()),
    ]
    return "\n".join(parts)


def _table(title: str, formulas: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    columns = ("name", *formulas, "options", "PyTorch's", "remark")
    lines = [f"| {' | '.join(columns)} |", f"|{'---|' * len(columns)}"]
    for *cells, remark in rows:
        lines.append(f"| {' | '.join((*cells, remark.replace('|', BAR)))} |")
    return "\n".join([f"## {title}", "", *lines, ""])


def _activation(f: Activation) -> tuple[str, ...]:
    torch = f.source + "".join(
        f", {key}={value!r}" for key, value in f.torch_options.items() if key != "dim"
    )
    derivative = f.latex_derivative
    if f.learned:
        derivative += rf", \; {f.learned.latex_gradient}"
    return f"`{f.name}`", _math(f.latex), _math(derivative), _options(f.options), f"`{torch}`", f.remark


def _loss(loss: Loss) -> tuple[str, ...]:
    formulas = _math(loss.latex), _math(loss.latex_gradient)
    return f"`{loss.name}`", *formulas, _options(loss.options), f"`{loss.source}`", loss.remark


def _optimizers() -> Iterator[tuple[str, ...]]:
    for family in OPTIMIZERS.values():
        rules = "<br>".join(_math(rule.latex) for rule in family.configured().rules)
        options = _options({"lr": family.lr, **_grouped(family.options)})
        yield f"`{family.name}`", rules, options, f"`{family.source}`", family.remark


def _clipping(clipping: Clipping) -> tuple[str, ...]:
    latex = _math(clipping.latex)
    if clipping.latex_measure:
        latex += f"<br>{_math(clipping.latex_measure)}"
    return f"`{clipping.name}`", latex, _options(clipping.options), f"`{clipping.source}`", ""


def _initialisers() -> Iterator[tuple[str, ...]]:
    for entry in INITIALISERS.values():
        remark = "" if entry.needs_matrix else "Of biases too."
        yield f"`{entry.name}`", _math(entry.latex), _options(entry.options), f"`{entry.source}`", remark


def _math(latex: str) -> str:
    """LaTeX that GitHub shows inside a table: a bar would end the cell."""
    barred = latex.replace(r"\|", r"\Vert ").replace("|", r"\vert ")
    return f"$`{barred}`$"


def _grouped(options: Mapping[str, object]) -> dict[str, object]:
    """Options that PyTorch takes as a tuple, as PyTorch takes them."""
    found = dict(options)
    for group, members in GROUPS.items():
        if all(member in found for member in members):
            found[group] = tuple(found.pop(member) for member in members)
    return found


def _options(options: Mapping[str, object]) -> str:
    """`name = default`, of which NaN stands for one that must be given."""
    given = (
        f"`{key}`" if value != value else f"`{key} = {_shown(value)}`" for key, value in options.items()
    )
    return ", ".join(given) or "–"


def _shown(value: object) -> str:
    if isinstance(value, tuple):
        return f"({', '.join(map(_shown, value))})"
    if isinstance(value, float):
        return f"{value:g}"
    return repr(value)
