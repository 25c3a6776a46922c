"""Cases: the same for the same arguments, mixed, each of its own, and everything that can be named."""

from __future__ import annotations

from itertools import islice

import pytest

from parity.campaign.case import KINDS, CampaignCase
from parity.campaign.drawn.entries import ENTRIES
from parity.campaign.drawn.networks import HARD_REGIMES
from parity.campaign.generators import cases
from parity.campaign.layered import LADDER, NAMED

QUICK = tuple(kind for kind in KINDS if kind != "operations")  # PyTorch's samples are slow to import


def test_a_round_names_the_whole_vocabulary():
    drawn = list(cases(NAMED, 1))
    named = {(case.kind, case.name, case.format, case.regime) for case in drawn}
    wanted = {
        (kind, entry.name, dtype, regime)
        for kind in NAMED
        for entry in ENTRIES
        for dtype in ("float32", "float64")
        for regime in (*HARD_REGIMES, *([LADDER] if kind == "activations" else []))
        if NAMED[kind] == entry.kind
    }
    assert named == wanted
    assert len(drawn) == len(wanted)


def test_the_same_arguments_give_the_same_cases():
    assert list(cases(QUICK, 1, 7)) == list(cases(QUICK, 1, 7))
    assert list(cases(QUICK, 1, 7)) != list(cases(QUICK, 1, 8))


def test_more_samples_only_add_cases():
    one, two = list(cases(QUICK, 1)), list(cases(QUICK, 2))
    assert two[: len(one)] == one
    assert len({case.digest for case in two}) == len(two) == 2 * len(one)


def test_a_campaign_that_is_cut_short_is_a_draw_of_every_kind():
    start = list(islice(cases(QUICK, 10**9), 100))
    assert {case.kind for case in start} == set(QUICK)
    assert {case.format for case in start} == {"float32", "float64"}
    assert {case.regime for case in start} >= HARD_REGIMES.keys()


@pytest.mark.parametrize("kind", QUICK)
def test_a_kind_alone(kind):
    drawn = list(cases((kind,), 1))
    assert {case.kind for case in drawn} == {kind}
    assert all(CampaignCase.read(case.to_toml()) == case for case in drawn)


def test_operators_are_pytorchs_own():
    pytest.importorskip("torch.testing._internal.common_methods_invocations", exc_type=ImportError)
    drawn = list(cases(("operations",), 1))
    assert {"mul", "nn.functional.conv2d", "scatter_reduce.amax"} <= {case.name for case in drawn}
    assert len({(case.name, case.format, case.regime) for case in drawn}) == len(drawn)
