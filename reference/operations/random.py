"""What is drawn at random: nobody computes it, each side is held to its own; and dropout, by its mask.

Source: PyTorch's pages of the functions; Dropout.cpp.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from reference.arrays import Array, Data
from reference.formula import Formula
from reference.operation import REQUIRED, VALUE, Operation, Option, Sample, UnreadArgumentError, define

Sizes = tuple[int, ...]


def _drawn() -> Array:
    raise UnreadArgumentError("what is drawn at random is given, and not computed")


def _where(right: Data, chosen: Array, wrong: float = -1) -> Array:
    return np.where(right, chosen, wrong)


def _is_bit(chosen: Array) -> Array:
    return _where((chosen == 0) | (chosen == 1), chosen)


def _has(chosen: Array, size: Sizes, dtype: str | None) -> bool:
    """Whether it has this shape and this format."""
    return chosen.shape == size and (dtype is None or chosen.dtype == dtype)


def _is_unit(chosen: Array, *, size: Sizes, dtype: str | None) -> Array:
    """Between 0 and 1."""
    return _where((chosen >= 0) & (chosen < 1) & _has(chosen, size, dtype), chosen)


def _is_number(chosen: Array, *, size: Sizes, dtype: str | None) -> Array:
    return _where(np.isfinite(chosen) & _has(chosen, size, dtype), chosen, np.inf)


def _is_between(chosen: Array, *, low: int, high: int, size: Sizes, dtype: str | None) -> Array:
    """A whole number from low to high, without high."""
    return _where((chosen >= low) & (chosen < high) & _has(chosen, size, dtype), chosen, low - 1)


def _is_permutation(chosen: Array, *, n: int) -> Array:
    return _where(np.array_equal(np.sort(chosen), np.arange(n)) & np.ones(chosen.shape, bool), chosen)


def _is_unit_like(x: Array, chosen: Array) -> Array:
    return _is_unit(chosen, size=np.shape(x), dtype=None)


def _is_number_like(x: Array, chosen: Array) -> Array:
    return _is_number(chosen, size=np.shape(x), dtype=None)


def _is_bit_like(x: Array, chosen: Array, *, p: float | None) -> Array:
    """0 or 1; the sure one of them where p is."""
    return _where(chosen == p, chosen) if p in (0, 1) else _is_bit(chosen)


def _dropout(x: Array, mask: Array, *, p: float, train: bool | None) -> Array:
    """x ⊙ mask/(1 − p); x itself in evaluation."""
    if train is False:
        return np.positive(x)
    return x * mask * _scale(p, train=train)


def _dropout_gradient(g: Array, mask: Array, *, p: float, train: bool | None) -> Array:
    return g * (mask * np.full_like(g, _scale(p, train=train)))


def _scale(p: float, *, train: bool | None) -> float:
    if train is None:
        raise UnreadArgumentError("train")
    return (0.0 if p == 1 else 1 / (1 - p)) if train else 1.0


def _dropped() -> Iterator[Sample]:
    x = np.random.default_rng(53).standard_normal((4, 5))
    for p in (0.3, 0.75, 0.0, 1.0):
        for train in (True, False):
            yield Sample({"x": x}, {"p": p, "train": train})


def _like() -> Iterator[Sample]:
    yield Sample({"x": np.random.default_rng(54).uniform(0.2, 0.8, (3, 4))})


def _probable() -> Iterator[Sample]:
    for sample in _like():
        for options in ({}, {"p": 0.3}, {"p": 0.0}, {"p": 1.0}):
            yield Sample(sample.operands, options)


def _none() -> Iterator[Sample]:
    yield Sample({})


def _sizes() -> Iterator[Sample]:
    for size in ((3, 4), (), (0, 2)):
        for dtype in ("float32", "float64"):
            yield Sample({}, {"size": size, "dtype": dtype})


def _ranges() -> Iterator[Sample]:
    for low, high, size, dtype in (
        (0, 3, (4, 5), "int64"),
        (2, 4, (30,), "int64"),
        (0, 9, (40,), "float32"),
    ):
        yield Sample({}, {"low": low, "high": high, "size": size, "dtype": dtype})
    yield Sample({}, {"high": 3, "size": (4,)})


def _permutations() -> Iterator[Sample]:
    yield Sample({}, {"n": 7})
    yield Sample({}, {"n": 3})


def _draw(
    name: str,
    check: Callable[..., Array] | None,
    samples: Callable[[], Iterator[Sample]],
    aten: dict[str, str],
    **options: Option,
) -> Operation:
    """A tensor of random numbers, of which only the kind can be checked; of any, without a check."""
    modelled = samples in (_like, _probable)
    return Operation(
        name,
        ("x",) if modelled else (),
        {VALUE: Formula(name, rf"\sim \mathrm{{{name}}}", _drawn, takes=("x",) if modelled else ())},
        options=options,
        given=(VALUE,),
        choices={VALUE: check} if check else {},
        torch=f"torch.{name}",
        aten={f"aten.{key}": record for key, record in aten.items()},
        samples=samples,
    )


LAYOUT = "- - -"
"""Layout, device and pinned memory."""

SIZED: dict[str, Option] = {"size": REQUIRED, "dtype": None}


def _sized(name: str) -> dict[str, str]:
    """The overloads with and without a generator of the caller's own."""
    return {
        f"{name}.default": f"size dtype {LAYOUT} -> y",
        f"{name}.generator": f"size - dtype {LAYOUT} -> y",
    }


OPERATIONS = (
    define(
        "dropout",
        {
            "mask": (_drawn, r"m \sim \mathrm{Bernoulli}(1 - p)"),
            "y": (_dropout, r"\frac{x \odot m}{1 - p}"),
        },
        {"x": (_dropout_gradient, r"\frac{g \odot m}{1 - p}")},
        operands=("x",),
        options={"p": 0.5, "train": True},
        given=("mask",),
        choices={"mask": _is_bit},
        torch="torch.nn.functional.dropout",
        aten={"aten.native_dropout.default": "x p train -> y mask"},
        samples=_dropped,
    ),
    _draw(
        "bernoulli",
        _is_bit_like,
        _probable,
        {"bernoulli.default": "x - -> y", "bernoulli.p": "x p - -> y", "bernoulli_.float": "x p - -> y"},
        p=None,
    ),
    _draw("empty", None, _none, {"empty.memory_format": f"- - {LAYOUT} - -> y"}),
    _draw(
        "empty_like",
        None,
        _like,
        {"empty_like.default": f"x - {LAYOUT} - -> y", "new_empty.default": f"x - - {LAYOUT} -> y"},
    ),
    _draw("rand", _is_unit, _sizes, _sized("rand"), **SIZED),
    _draw("randn", _is_number, _sizes, _sized("randn"), **SIZED),
    _draw("rand_like", _is_unit_like, _like, {"rand_like.default": f"x - {LAYOUT} - -> y"}),
    _draw(
        "randn_like",
        _is_number_like,
        _like,
        {
            "randn_like.default": f"x - {LAYOUT} - -> y",
            "normal_.default": "x - - - -> y",
            "uniform_.default": "x - - - -> y",
            "exponential_.default": "x - - -> y",
        },
    ),
    _draw(
        "randint",
        _is_between,
        _ranges,
        {
            "randint.default": f"high size dtype {LAYOUT} -> y",
            "randint.low": f"low high size dtype {LAYOUT} -> y",
            "randint.generator": f"high size - dtype {LAYOUT} -> y",
            "randint.low_generator": f"low high size - dtype {LAYOUT} -> y",
        },
        low=0,
        high=REQUIRED,
        size=REQUIRED,
        dtype="int64",
    ),
    _draw(
        "randperm",
        _is_permutation,
        _permutations,
        {"randperm.default": f"n - {LAYOUT} -> y", "randperm.generator": f"n - - {LAYOUT} -> y"},
        n=REQUIRED,
    ),
)
