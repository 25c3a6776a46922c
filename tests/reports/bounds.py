"""`python -m tests.reports.bounds`: what every rounding bound says, why, and how tight it was found."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from parity.bounds import (
    RULES,
    averages,
    conversion,
    elementary,
    exact,
    inverses,
    logarithms,
    movement,
    operations,
    selection,
    steps,
    sums,
)
from parity.bounds.formats import FORMATS, ULP, arithmetic
from parity.render.files import write_text
from tests.bounds import orders
from tests.bounds.case import Found, search
from tests.bounds.cases import CASES
from tests.bounds.formulas import COMPOSED, Composed, logits, share
from tests.bounds.operands import KINDS

HEAD = """# Rounding bounds, rule by rule

Written by `python -m tests.reports.bounds` from the rules' own docstrings (`parity/bounds/`) and from the
searches of `tests/bounds/`. Nothing in a certificate is a tolerance: what an operation may be off by is
one of these rules, and this page is what they say.

A number is a pair: a value, evaluated in better arithmetic, and a bound on how far any admissible
evaluation of the same expression can end from it. For c = a ∘ b, computed as ĉ = fl(â ∘ b̂), the bound is
what the operands' bounds carry through ∘, and the rounding of ∘ itself, which is relative to the result
and what was carried.
"""

NOTATION = """
- **u** is half a unit in the last place of 1 in the format, *plus* the same of the arithmetic that
  evaluates the truth; **γ_k = k u/(1 − k u)**; **η** is half the smallest subnormal (float64: the
  smallest, since half is no float64), or the smallest normal number where subnormals are flushed (probed,
  not assumed); **B** or B_x is the bound that x brings; **K** is the ulps granted to an elementary
  function.
- The class of implementations is part of every bound: rounding to nearest, any order of summation, any
  blocking, fused multiply-add or not, division by way of a reciprocal. γ_k is the class and not a habit:
  PyTorch's own kernels attain a full chain of n additions (see below).
- Where an evaluation may overflow, its bound is infinite and the certificate *undecided*. Positive
  numbers that may have become ∞ keep the least they can be, negative ones that may have become −∞ the
  most, so that 1/(1 + e^x) and softmax of a mask come back to what is known.
- Sums stay open: a term added later may have been the first that was accumulated, so it is one more term
  of the same sum. Moved numbers (reshaped, transposed, indexed) take bound, floor, ceiling and open sum
  along.
- Bounds are themselves computed in float64, of non-negative terms; a factor 1 + 2^-32 covers 2^21 such
  roundings.
- Sixteen bits are a format of storage: computed in float32, rounded out once, u₁₆(|T| + B) + η₁₆ on top.

*Tightness* is the worst error that a search found, in units of the bound: 1 is attained, and no smaller
bound would hold. *Exact* means operands that are floats and have no bounds; *carried*, operands moved to
the ends of theirs and between. Operands: {kinds}, and chains 1, 0.99u, 0.99u … for sums. Evaluations: in
sequence both ways, by size both ways, pairwise, random trees, fused and not; elementary functions K ulp
off on either side, and the library's own. Truths in 300 bits; each rule also in ball arithmetic. *At
most* is what the test asserts: the bound is no more than so many times the worst error from exact
operands; "bits" stands for a rule that rounds nothing, whose results of exact operands are the same bits.

References: N. J. Higham, *Accuracy and Stability of Numerical Algorithms*, 2nd ed., SIAM, 2002. T. F.
Chan, G. H. Golub and R. J. LeVeque, *Algorithms for computing the sample variance*, The American
Statistician 37 (1983). J. R. Hauser, *Handling floating-point exceptions in numeric programs*, ACM TOPLAS
18 (1996). IEEE 754-2019.
"""

FAMILIES = {
    "Arithmetic, number by number": operations,
    "Sums, in any order": sums,
    "Means, variances and blends": averages,
    "Elementary functions": elementary,
    "Further elementary functions": logarithms,
    "Inverse functions": inverses,
    "Choices": selection,
    "Steps, questions and products": steps,
    "Conversion": conversion,
    "Movement": movement,
}


def page() -> str:
    """The whole page, with every search run now."""
    kinds = ", ".join(KINDS)
    parts = [HEAD, "\n## Reading it\n", NOTATION.format(kinds=kinds), *_formats(), *_ulps(), *_attained()]
    for title, module in FAMILIES.items():
        parts += [f"\n## {title}\n", *_family(module.__name__)]
    parts += _composed()
    return "".join(parts)


def _formats() -> Iterator[str]:
    yield "\n## Formats\n\n| format | u | η | largest | accumulated in | judged in | digits |\n"
    yield "|---|---|---|---|---|---|---|\n"
    for row in FORMATS.values():
        powers = f"2^{round(np.log2(row.u))} | 2^{round(np.log2(row.eta))}"
        rest = f"{row.largest:.5g} | `{row.inside}` | {row.truth} | {row.digits}"
        yield f"| `{row.name}` | {powers} | {rest} |\n"
    yield (
        "\nWhat longdouble would reject, and float64 where longdouble has no 64 significant bits, is "
        "judged in balls of 128 bits (python-flint).\n"
    )


def _ulps() -> Iterator[str]:
    yield "\n## K, in ulp\n\n| function | K | source |\n|---|---|---|\n"
    for name, (K, source) in ULP.items():
        yield f"| `{name}` | {K} | {source} |\n"


def _attained() -> Iterator[str]:
    yield (
        "\n## γ is attained\n\nOf 1, 0.99u, 0.99u … each addition in sequence loses its term. Error in "
        "units of the bound, of n terms:\n\n| n | float32 | float64 |\n|---|---|---|\n"
    )
    for n in (2, 10, 100, 1000, 10000):
        yield f"| {n:,} | {_lost(np.float32, n):.3f} | {_lost(np.float64, n):.3f} |\n"


def _lost(dtype: type[np.floating], n: int) -> float:
    judge, terms = arithmetic(dtype), orders.chain(dtype, n)
    total = np.add.reduce(exact(judge, terms), axis=0)
    return float(np.abs(judge.lift(orders.in_sequence(terms)) - total.value) / total.bound)


def _family(module: str) -> Iterator[str]:
    """Each rule of a module; those of the same words are one entry."""
    told: dict[str, list[tuple[str, str]]] = {}
    for key, rule in RULES.items():
        if rule.function.__module__ == module:
            told.setdefault(inspect.getdoc(rule.function) or "", []).append(key)
    for text, keys in told.items():
        statement, *argument = text.split("\n\n")
        yield f"\n### {', '.join(_named(*key) for key in keys)}\n\n**{one_line(statement)}**\n"
        yield from (f"\n{one_line(paragraph)}\n" for paragraph in argument)
        yield from _tightness(keys)


def _named(name: str, method: str) -> str:
    plain = name.removesuffix(" (vectorized)")
    return f"`{plain}`" if method in ("__call__", "__array_function__") else f"`{plain}.{method}`"


def one_line(paragraph: str) -> str:
    """A paragraph, with what Markdown would take for emphasis or a table kept as it is."""
    return " ".join(paragraph.split()).replace("|", r"\|").replace("*", r"\*").replace("_", r"\_")


def _tightness(keys: list[tuple[str, str]]) -> Iterator[str]:
    found = {dtype: [search(CASES[key], dtype) for key in keys] for dtype in (np.float32, np.float64)}
    multiple = CASES[keys[0]].multiple
    limit = "bits" if multiple is None else f"{multiple:g}"
    yield "\n| | exact | carried | numbers | undecided | at most |\n|---|---|---|---|---|---|\n"
    for dtype, each in found.items():
        yield (
            f"| {np.dtype(dtype)} | {_worst(each, 'exact')} | {_worst(each, 'carried')} | "
            f"{sum(one.numbers for one in each):,} | {sum(one.undecided for one in each):,} | {limit} |\n"
        )


def _worst(found: list[Found], which: str) -> str:
    worst = max(getattr(one, which) for one in found)
    return f"{worst:.2f}" if worst else "–"


COMPOSED_HEAD = """
## Composed: softmax and its relatives

No rule of their own: formulas of the rules above, on hard logits (ordinary, 60 times as far apart, all
alike, around ±10,000, one far above, masked by −∞ and by the lowest number), held against PyTorch's
results. Those given ℓ = log Σ e^x or a result of PyTorch's take it as recorded. Share: what PyTorch used of
the bound, the worst of all kinds. Relative: the median of bound over number, of ordinary logits.

| formula | n | float32 share | relative | float64 share | relative |
|---|---|---|---|---|---|
"""
COMPOSED_FOOT = """
Undecided is log_softmax of what is masked by the lowest number, which may overflow to −∞. Of logits far
apart the small probabilities are ill-conditioned: e^(x − m) turns the absolute error of x − m, u|x − m|,
into a relative one.
"""


def _composed() -> Iterator[str]:
    yield COMPOSED_HEAD
    for name, composed in COMPOSED.items():
        for n in (3, 33, 1000):
            cells = [_share(composed, dtype, n) for dtype in (np.float32, np.float64)]
            yield f"| {name}: {one_line(composed.formula.__doc__ or '')} | {n:,} | {' | '.join(cells)} |\n"
    yield COMPOSED_FOOT


def _share(composed: Composed, dtype: type[np.floating], n: int) -> str:
    random, worst, relative = np.random.default_rng(n), 0.0, 0.0
    for kind, x in logits(random, dtype, n):
        found = share(composed, x, random.normal(size=x.shape).astype(dtype))
        worst = max(worst, found.worst)
        relative = found.relative if kind == "normal" else relative
    return f"{worst:.2f} | {relative:.1e}"


if __name__ == "__main__":
    write_text(str(Path(__file__).parents[2] / "reports" / "bounds.md"), page())
