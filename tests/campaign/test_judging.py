"""Judging: no alarm but known deviations, the same answer each time, and our own errors said to be ours."""

from __future__ import annotations

from dataclasses import replace
from itertools import islice

import pytest

from parity.campaign import layered
from parity.campaign.case import CampaignCase
from parity.campaign.findings import known
from parity.campaign.generators import cases
from parity.campaign.judging import judged
from parity.campaign.layered import NAMED
from parity.errors import UsageError
from tests.nightly import NIGHTLY

SEED = 18
MIXED = {
    "activations": ["celu", "hardsigmoid"],
    "loss": "huber",
    "reduction": "sum",
    "optimizer": "nadam",
    "clipping": "norm",
    "steps": 2,
}
ASKED = CampaignCase("networks", "mixed", "float64", "ordinary", (3, 4, 2, 5), MIXED, 3)


def small(case):
    return len(case.shape) == 0 or max(case.shape) < 64


@pytest.mark.parametrize("kind", ["networks", "watch", *NAMED])
@pytest.mark.parametrize("number", [12, pytest.param(400, marks=NIGHTLY)])
def test_no_alarm_is_without_a_finding(kind, number):
    for case in islice(filter(small, cases((kind,), 2, SEED)), number):
        answer = judged(case)
        assert [alarm for alarm in answer.alarms if alarm.finding is None] == [], case.to_toml()
        assert answer.skipped is not None or answer.numbers > 0
        assert answer.digest == case.digest
        assert 0 <= answer.worst_share <= 1


def test_the_same_case_has_the_same_answer():
    one, other = judged(ASKED), judged(CampaignCase.read(ASKED.to_toml()))
    assert replace(one, seconds=0.0) == replace(other, seconds=0.0)
    assert one.numbers > 500
    assert judged(replace(ASKED, seed=4)).worst_share != one.worst_share


def test_each_alarm_has_the_deviation_that_explains_it():
    answer = judged(ASKED)
    assert answer.verdict == "mismatch"
    assert {(alarm.tensor, alarm.finding) for alarm in answer.alarms} == {
        ("delta2", "hardsigmoid-float64"),
        ("W1_next", "nadam-float64"), ("b1_next", "nadam-float64"),
        ("W2_next", "nadam-float64"), ("b2_next", "nadam-float64"),
    }  # fmt: skip
    for alarm in answer.alarms:
        assert alarm.side == "pytorch"
        assert abs(alarm.found - alarm.expected) > alarm.bound


@pytest.mark.parametrize(
    "case",
    [
        replace(ASKED, name="nothing"),
        replace(ASKED, regime="nothing"),
        replace(ASKED, shape=(3, 4)),
        replace(ASKED, shape=(3, 4, 2, 2, 2)),  # one layer more than activations
        replace(ASKED, options={**MIXED, "loss": "nothing"}),
        replace(ASKED, options={}),
        CampaignCase("losses", "tanh", "float32", "ordinary", (3, 4, 5), {"reduction": "mean"}),
        CampaignCase("activations", "elu", "float32", "ordinary", (3, 4, 5), {"beta": 1.0}),
        CampaignCase("activations", "elu", "float32", "ladder", (3, 4), {"beta": 1.0}),
        CampaignCase("activations", "nothing", "float32", "ladder", (3, 4)),
        CampaignCase("watch", "rows", "float32", "ordinary", (3,)),
        CampaignCase("watch", "nothing", "float32", "ordinary", (3,), {"layers": 2}),
    ],
)
def test_what_there_is_not_is_refused_in_one_line(case):
    with pytest.raises(UsageError) as refused:
        judged(case)
    assert "\n" not in str(refused.value)


def test_an_operator_is_certified_and_one_that_is_not_there_is_skipped():
    pytest.importorskip("torch.testing._internal.common_methods_invocations", exc_type=ImportError)
    case = CampaignCase("operations", "mul", "float32", "huge", options={"sample": 1}, seed=2)
    answer = judged(case)
    assert (answer.verdict, answer.alarms, answer.skipped) == ("match", (), None)
    assert answer.numbers > 0
    missing = judged(replace(case, name="nothing"))
    assert (missing.numbers, missing.alarms) == (0, ())
    assert missing.skipped.endswith("has no nothing in float32")


@pytest.mark.parametrize(
    ("name", "dtype", "regime", "sample", "seed"),
    [
        ("nn.functional.conv3d", "float32", "special", 2, 3),
        ("nn.functional.conv1d", "float64", "special", 8, 984430067),
        ("nn.functional.scaled_dot_product_attention", "float32", "special", 8, 3020669118),
        ("nn.functional.bilinear", "float32", "special", 10, 1152577636),
        ("nn.functional.interpolate.trilinear", "float64", "special", 4, 1155506360),
        ("cumprod", "float32", "special", 8, 3343505228),
        ("float_power", "float32", "subnormal", 11, 1986580472),
    ],
)
def test_a_nan_that_an_algorithm_need_not_make_is_no_alarm(name, dtype, regime, sample, seed):
    pytest.importorskip("torch.testing._internal.common_methods_invocations", exc_type=ImportError)
    answer = judged(CampaignCase("operations", name, dtype, regime, (), {"sample": sample}, seed))
    assert answer.alarms == ()
    assert 0 < answer.undecided < answer.numbers


def test_an_operators_alarms_have_their_deviations():
    pytest.importorskip("torch.testing._internal.common_methods_invocations", exc_type=ImportError)
    name, sample = "nn.functional.binary_cross_entropy", 0
    case = CampaignCase("operations", name, "float64", "subnormal", (), {"sample": sample}, 4017034625)
    alarms = judged(case).alarms
    assert {(alarm.formula, alarm.finding) for alarm in alarms} == {
        ("vjp x", "bce-epsilon-float64"),
        ("vjp target", "bce-target-unclamped"),
    }
    for alarm in alarms:  # of another sign, or off by another factor, it is none of them
        assert known(replace(alarm, found=-alarm.found)) is None
        assert known(replace(alarm, found=alarm.expected / 2)) is None


def test_what_pytorch_refuses_is_skipped():
    case = CampaignCase("losses", "bce", "float32", "special", (3, 9, 9, 40), {"reduction": "sum"}, 1)
    assert judged(case).skipped.startswith("PyTorch refuses it: all elements of input should be between")


def test_an_error_of_ours_is_the_verifiers_alarm(monkeypatch):
    def fails(case):
        raise LookupError("no such\nthing")

    monkeypatch.setattr(layered, "built_of", fails)
    (alarm,) = judged(ASKED).alarms
    assert (alarm.side, alarm.message) == ("verifier", "LookupError: no such thing")
    assert judged(ASKED).verdict == "undecided"
