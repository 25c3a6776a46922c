"""A case as text: canonical, named by its digest, and refused in one line where it is none."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parity.campaign.case import FORMATS, KINDS, Alarm, CampaignAnswer, CampaignCase
from parity.errors import UsageError

WORDS = st.text("abcdefghijklmnopqrstuvwxyz_0123456789-", min_size=1, max_size=8)
PLAIN = st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False) | WORDS
CASES = st.builds(
    CampaignCase,
    kind=st.sampled_from(KINDS),
    name=WORDS,
    format=st.sampled_from(FORMATS),
    regime=WORDS,
    shape=st.lists(st.integers(0, 100), max_size=4).map(tuple),
    options=st.dictionaries(WORDS, PLAIN | st.lists(PLAIN, max_size=3), max_size=4),
    seed=st.integers(0, 2**63),
)
TEXT = CampaignCase(
    "activations", "tanh", "float32", "ordinary", (3, 4), {"beta": 3.0, "alpha": [1, 2]}, 7
).to_toml()


@given(case=CASES)
def test_a_case_is_read_as_it_was_written(case):
    assert CampaignCase.read(case.to_toml()) == case
    assert CampaignCase.read(case.to_toml()).digest == case.digest


@given(one=CASES, other=CASES)
def test_a_digest_names_one_case(one, other):
    assert (one.digest == other.digest) == (one.to_toml() == other.to_toml())


def test_the_order_of_options_is_no_part_of_a_case(tmp_path):
    turned = CampaignCase(
        "activations", "tanh", "float32", "ordinary", (3, 4), {"alpha": [1, 2], "beta": 3.0}, 7
    )
    file = tmp_path / "case.toml"
    file.write_text(TEXT)
    assert CampaignCase.read(file) == turned
    assert CampaignCase.read(file).to_toml() == TEXT == turned.to_toml()


def test_numbers_that_are_none_are_kept():
    case = CampaignCase(
        "losses", "huber", "float64", "special", options={"delta": math.inf, "margin": -math.inf}
    )
    assert CampaignCase.read(case.to_toml()) == case
    nan = CampaignCase("losses", "huber", "float64", "special", options={"delta": math.nan})
    assert math.isnan(CampaignCase.read(nan.to_toml()).options["delta"])


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ('kind = "activations"', 'kind = "nothing"', "case: kind: cannot be 'nothing'"),
        ('format = "float32"', 'format = "float8"', "case: format: cannot be 'float8'"),
        ("seed = 7", "seed = -7", "case: seed: cannot be -7"),
        ("seed = 7", "seed = true", "case: seed: cannot be True"),
        ("shape = [3, 4]", "shape = [3, -4]", "case: shape: cannot be [3, -4]"),
        ("shape = [3, 4]", "shape = [3, 33554432]", "case: shape: cannot be [3, 33554432]"),
        ("shape = [3, 4]", "shape = 3", "case: shape: cannot be 3"),
        ("seed = 7\n", "", "case: seed is missing"),
        ("seed = 7", "seed = 7\nlayers = 2", "case: layers: a case has no such key"),
        ('"beta" = 3.0', '"beta" = {}', "case: options: cannot be {'alpha': [1, 2], 'beta': {}}"),
        ("seed = 7", "seed =", "case: not valid TOML: "),
    ],
)
def test_what_is_no_case_is_refused_in_one_line(old, new, told, tmp_path):
    broken = TEXT.replace(old, new)
    assert broken != TEXT
    with pytest.raises(UsageError) as refused:
        CampaignCase.read(broken)
    assert str(refused.value).startswith(told)
    assert "\n" not in str(refused.value)
    file = tmp_path / "case.toml"
    file.write_text(broken)
    with pytest.raises(UsageError) as refused:
        CampaignCase.read(file)
    assert str(refused.value).startswith(told.replace("case", str(file), 1))


def test_a_file_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(UsageError, match=r"missing\.toml"):
        CampaignCase.read(tmp_path / "missing.toml")


def test_an_answer_is_read_as_it_was_written():
    wrong = Alarm("pytorch", "hidden_delta", "tanh", "delta1", (0, 3), 1.5, 1.25, 1e-7, "wrong", None)
    ours = Alarm("verifier", "", "", "", None, None, None, None, "ValueError: no", None)
    answer = CampaignAnswer(
        digest="0123456789abcdef", kind="activations", name="tanh", format="float32", regime="special",
        verdict="mismatch", numbers=12, undecided=1, worst_share=math.inf, worst_where="a1",
        alarms=(wrong, ours), seconds=0.25, skipped=None,
    )  # fmt: skip
    assert CampaignAnswer.from_json(answer.to_json()) == answer
    assert "\n" not in answer.to_json()
