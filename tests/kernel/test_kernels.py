"""Twelve hand-written kernels: right ones match in every format, and each planted mistake is told."""

from __future__ import annotations

import pytest

from parity.bounds.formats import FORMATS
from parity.kernel.hold import hold
from tests.kernel.kernels import KERNELS, inside
from tests.kernel.mistakes import MISTAKES
from tests.nightly import NIGHTLY, in_turn

FINE = 2**9
"""Units of the format below which every resolution of these kernels lies."""

FIRST = {mistake.kernel: mistake for mistake in reversed(MISTAKES)}
"""Of each kernel, a mistake that is always planted; the others are by night."""


@pytest.mark.parametrize(("name", "dtype"), in_turn(KERNELS, ("float32", "float64")))
def test_a_right_kernel_matches_finely(name, dtype):
    kernel, definition, inputs = KERNELS[name]
    found = hold(kernel.apply, definition, *inputs(), dtype=dtype)
    assert found.verdict == "match", str(found)
    given = [row for row in found.rows if row.inputs == "given"]
    assert all(row.verdict == "match" for row in given)
    assert max(row.resolution for row in given) < FINE * FORMATS[dtype].u
    assert {row.inputs for row in found.rows} >= {"given", "strided", "large", "subnormal"}


@pytest.mark.parametrize(("name", "dtype"), in_turn(KERNELS, ("bfloat16", "float16")))
def test_a_right_kernel_that_rounds_once_to_a_short_format_matches(name, dtype):
    kernel, definition, inputs = KERNELS[name]
    found = hold(inside(kernel.apply), definition, *inputs(), dtype=dtype)
    assert found.verdict == "match", str(found)
    assert max(row.resolution for row in found.rows if row.inputs == "given") < 1


ADMITTED = "lower precision inside"
"""No mistake in a short format: each result of the definition's operations is rounded to it."""

COARSE = ("eps outside the root", "last block of backward forgotten")
"""In a short format told elsewhere: on other inputs, or in another gradient."""


KEPT = {name: ("float32", "bfloat16")[place % 2] for place, name in enumerate(KERNELS)}


def case(mistake, dtype):
    always = FIRST[mistake.kernel] is mistake and dtype == KEPT[mistake.kernel]
    name = f"{mistake.kernel}: {mistake.what}, {dtype}"
    return pytest.param(mistake, dtype, id=name, marks=() if always else NIGHTLY)


@pytest.mark.parametrize(
    ("mistake", "dtype"),
    [
        case(mistake, dtype)
        for mistake in MISTAKES
        for dtype in ("float32", "float64", "bfloat16")
        if (mistake.what, dtype) != (ADMITTED, "bfloat16")
    ],
)
def test_a_mistake_is_told_where_it_is(mistake, dtype):
    _, definition, inputs = KERNELS[mistake.kernel]
    short = dtype == "bfloat16"
    candidate = inside(mistake.planted) if short else mistake.planted
    found = hold(candidate, definition, *inputs(), dtype=dtype)
    first = found.first_divergence
    assert found.verdict == "mismatch"
    assert first.name == mistake.told or (short and mistake.what in COARSE)
    if first.index is not None and first.expected and not first.complaint:
        assert first.error / abs(first.expected) > first.resolution


def test_each_kernel_has_at_least_five_mistakes():
    told = [mistake for mistake in MISTAKES if mistake.what not in (ADMITTED, *COARSE)]
    counts = [sum(mistake.kernel == name for mistake in told) for name in KERNELS]
    assert min(counts) >= 5


@pytest.mark.parametrize("name", ["softmax", "gelu", "group_norm"])
def test_a_kernel_that_rounds_every_number_inside_is_told_in_a_short_format(name):
    """Their definitions are single operations, which compute in float32."""
    kernel, definition, inputs = KERNELS[name]
    assert hold(kernel.apply, definition, *inputs(), dtype="bfloat16").verdict == "mismatch"
