"""Clipped gradients: both sides certified, from the norm to the update; wrong clippings caught."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from parity.campaign.drawn.networks import REGIMES, random_case
from parity.config.case import build
from parity.config.config import Config
from parity.errors import UsageError
from parity.lockstep.lockstep import Reference, lockstep
from parity.pytorch.twin import Twin
from reference.clipping import CLIPPINGS, Clipping
from reference.optimizers import OPTIMIZERS
from tests.nightly import in_turn

WAYS = [
    CLIPPINGS["norm"].configured(max_norm=0.1),
    CLIPPINGS["norm"].configured(max_norm=1e3),
    CLIPPINGS["norm"].configured(max_norm=0.05, norm_type=1.0),
    CLIPPINGS["norm"].configured(max_norm=0.05, norm_type=3.0),
    CLIPPINGS["norm"].configured(max_norm=0.05, norm_type=float("inf")),
    CLIPPINGS["value"].configured(clip_value=0.01),
]


def identified(value):
    return f"{value.name}-{list(value.options.values())}" if isinstance(value, Clipping) else value


def clipped(case, clipping, optimizer=None):
    shape = replace(case.architecture, clipping=clipping)
    if optimizer:
        shape = replace(shape, optimizer=OPTIMIZERS[optimizer].configured())
    return replace(case, architecture=shape)


def tally(case, ours=None):
    sides = [Reference(ours or case), Twin(case.architecture, case.parameters, case.lr)]
    return lockstep(case, sides, keep_going=True).tally


@pytest.mark.parametrize(
    ("regime", "clipping", "dtype"), in_turn(REGIMES, WAYS, ["float32", "float64"]), ids=identified
)
def test_silence_on_correct_code(regime, clipping, dtype):
    for seed in range(4):
        found = tally(clipped(random_case(seed, regime, dtype), clipping, "adam" if seed % 2 else None))
        assert found.first is None, found.first


MUTANTS = {
    "without the 1e-6": ("norm", lambda g, norm, max_norm, norm_type: g * min(max_norm / norm, 1.0)),
    "always scaled": ("norm", lambda g, norm, max_norm, norm_type: g * (max_norm / (norm + 1e-6))),
    "never scaled": ("norm", lambda g, norm, max_norm, norm_type: np.positive(g)),
    "from above only": ("value", lambda g, clip_value: np.minimum(g, clip_value)),
}


@pytest.mark.parametrize("name", MUTANTS)
def test_a_wrong_clipping_is_caught_there_and_nowhere_else(name):
    kind, wrong = MUTANTS[name]
    small = name == "always scaled"
    right = CLIPPINGS[kind].configured(
        **({"max_norm": 9.0 if small else 1e-4} if kind == "norm" else {"clip_value": 1e-3})
    )
    case = random_case(3, "ordinary", "float64", "tanh", (3, 4, 2), batch=4, steps=1)
    found = tally(clipped(case, right), clipped(case, replace(right, clip=wrong)))
    assert {wrong.formula for wrong in found.wrong_formulas()} == {"weight_clipping", "bias_clipping"}
    assert {wrong.side for wrong in found.wrong_formulas()} == {"reference"}


def test_a_wrong_norm_is_caught_as_the_norm():
    right = CLIPPINGS["norm"].configured(max_norm=0.1)
    case = random_case(3, "ordinary", "float64", "tanh", (3, 4, 2), batch=4, steps=1)
    weights_only = replace(right, measure=lambda *g, **options: right.measure(*g[::2], **options))
    found = tally(clipped(case, right), clipped(case, weights_only))
    assert [wrong.formula for wrong in found.wrong_formulas()] == ["gradient_norm"]


@pytest.mark.parametrize(
    ("clip", "words"),
    [
        ("norm", "max_norm must be given"),
        ({"name": "value", "clip_value": -1.0}, "above 0"),
        ({"name": "value", "max_norm": 1.0}, "takes no 'max_norm'"),
        ("weights", "unknown 'weights'"),
    ],
)
def test_a_wrong_question_is_said_in_one_line(clip, words):
    tables = {"data": {"name": "iris"}, "training": {"clip": clip, "steps": 1}}
    with pytest.raises(UsageError, match=words):
        build(Config.model_validate(tables))
