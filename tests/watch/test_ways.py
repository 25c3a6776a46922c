"""Every quick way of judging says what the plain way says: of right numbers, of faults, at the edges.

The plain way evaluates a whole formula on numbers with bounds; the quick ones compare as it is what
nothing rounds, go block by block, and measure in fewer passes. Blocks are made tiny here, so that the
table's own samples are divided.
"""

from __future__ import annotations

import math

import numpy as np
import pytest

from parity.bounds import Bounded
from parity.bounds.formats import arithmetic
from parity.certify import measure as measuring
from parity.pytorch.recorder.data import Recorded
from parity.watch import blocks, compiled, judging
from parity.watch import forms as forms_of
from reference.operation import bound
from reference.operations import OPERATIONS

SHIFT = 2.0**-20
"""How far the order of a truth's own additions, in float64, can move a share of a bound of float32."""

REGIMES = {"normal": 1.0, "small": 1e-25, "large": 1e25}


def _recorded(value, scale):
    if isinstance(value, tuple):
        return tuple(_recorded(part, scale) for part in value)
    if not isinstance(value, np.ndarray):
        return value
    if value.dtype.kind == "f":
        return Recorded.of(np.asarray(value * scale, np.float32), "float32")
    return Recorded.of(value, value.dtype.name)


def _plain(value):
    if isinstance(value, tuple):
        return tuple(_plain(part) for part in value)
    return value.array if isinstance(value, Recorded) else value


def _questions(operation, scale):
    """Each formula of the samples, with what it takes and what numpy makes of it in float32."""
    random = np.random.default_rng(5)
    for sample in operation.samples() if operation.samples else ():
        known = {name: _recorded(value, scale) for name, value in sample.operands.items()}
        known = {**{name.rstrip("?"): None for name in operation.operands}, **known}
        options = operation.settled(sample.options)
        for name, formula in (*operation.forward.items(), *operation.vjps.items()):
            if any(taken not in known for taken in formula.takes) or name.startswith("*"):
                continue
            taken = [known[one] for one in formula.takes]
            spread = [one.startswith("*") for one in formula.takes]
            arguments = []
            for value, several in zip(map(_plain, taken), spread, strict=True):
                arguments += value if several else [value]
            try:
                with np.errstate(all="ignore"):
                    made = np.asarray(bound(formula.function, options)(*arguments))
            except (ValueError, TypeError, KeyError, IndexError):
                continue
            if name in operation.forward:
                known[name] = Recorded.of(made, made.dtype.name)
                if name == operation.value:
                    g = random.standard_normal(made.shape) * (1 if scale < 1 else 1 / scale)
                    known["g"] = Recorded.of(np.asarray(g, np.float32), "float32")
            if made.dtype == np.float32 and made.ndim and made.size:
                forms = tuple(bound(form, options) for form in (formula.function, *formula.other_forms))
                yield formula.name, forms, taken, spread, made


def _planted(made, random, *, edges):
    """The numbers as they are; a little too large; at the `edges`, with a wrong one, 0, NaN, infinity."""
    yield made
    yield (made * np.float32(1 + 1e-5)).astype(np.float32)
    if not edges:
        return
    for wrong in (np.float32(1.5) * made.flat[0] + 1, 0.0, np.nan, np.inf):
        changed = made.copy()
        changed.flat[random.integers(made.size)] = wrong
        yield changed


def _agree(quick, plain):
    assert (quick.numbers, quick.undecided, quick.vacuous) == (
        plain.numbers,
        plain.undecided,
        plain.vacuous,
    )
    assert (quick.worst is None) == (plain.worst is None)
    assert quick.wrong == plain.wrong
    if quick.worst is None:
        return
    one, other = quick.worst.ratio, plain.worst.ratio
    assert one == other or abs(one - other) <= SHIFT * max(1.0, other), (one, other)
    one, other = quick.resolution, plain.resolution
    assert one == other or math.isnan(other) or abs(one - other) <= SHIFT * max(one, other), (one, other)


TABLE = {operation.name: operation for operation in OPERATIONS.values()}
DIVIDED: set[str] = set()


@pytest.mark.parametrize("name", TABLE)
def test_quick_and_plain_say_the_same(name, monkeypatch):
    monkeypatch.setattr(blocks, "BLOCK", 4)
    monkeypatch.setattr(blocks, "PRODUCT_BLOCK", 8)
    monkeypatch.setattr(blocks, "PRODUCT_ROWS", 2)
    monkeypatch.setattr(blocks, "KNOWN", {})
    random = np.random.default_rng(6)
    for regime, scale in REGIMES.items():
        for formula, forms, taken, spread, made in _questions(TABLE[name], scale):
            for shown in _planted(made, random, edges=regime == "normal"):
                observed = Recorded.of(shown, "float32")
                quick = judging.held(forms, taken, observed, spread)
                with monkeypatch.context() as plainly:
                    plainly.setattr(forms_of, "division", lambda *args: None)
                    plainly.setattr(compiled.Accepting, "measured", lambda *args: None)
                    plainly.setattr(judging, "as_it_is", lambda *args: None)
                    plainly.setattr(measuring, "_within", lambda *args: None)
                    plain = judging.held(forms, taken, observed, spread)
                _agree(quick, plain)
            if any(one is not None for one in blocks.KNOWN.values()):
                DIVIDED.add(formula)


def test_what_was_divided():
    """The test above divided formulas of every kind: number by number, by rows, in products."""
    if len(DIVIDED) == 0:
        pytest.skip("runs after the test of the whole table")
    assert {"gelu", "layer_norm", "softmax", "addmm", "attention", "multiply"} <= DIVIDED


@pytest.mark.parametrize("seed", range(20))
def test_measuring_in_fewer_passes(seed):
    random = np.random.default_rng(seed)
    judge = arithmetic("float32")
    shape = [(7,), (3, 5), (2, 3, 4), (1,)][seed % 4]
    for _ in range(60):
        value = random.standard_normal(shape) * 10.0 ** random.integers(-3, 4)
        limit = np.abs(random.standard_normal(shape if random.random() < 0.8 else ())) * 1e-6
        observed = (value + limit * random.uniform(-1.1, 1.1, shape) * (random.random() < 0.7)).astype(
            np.float32
        )
        value, limit, observed = (np.array(part) for part in (value, limit, observed))
        wrongs = [(limit, wrong) for wrong in (np.inf, np.nan, 0.0)]
        wrongs += [(part, wrong) for part in (value, observed) for wrong in (np.nan, np.inf, 0.0)]
        for part, wrong in wrongs:
            if random.random() < 0.1:
                part[tuple(random.integers(n) for n in part.shape)] = wrong
        if random.random() < 0.2:
            observed, limit = value.astype(np.float32), np.zeros(())
            value = observed.astype(np.float64)
        truth = Bounded(judge, value, limit)
        with np.errstate(all="ignore"):
            found = measuring._within(observed, truth)
            plain = measuring.shares(observed, truth).measured()
        if found is not None:
            assert found == plain
        else:
            assert plain.wrong or plain.undecided or not np.isfinite(value).all()
