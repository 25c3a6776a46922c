"""All answers as one result: sums, shares, causes, verdict; terminal, page, Markdown; two folders."""

from __future__ import annotations

import json
import random

import pytest

from parity.campaign.campaign import campaign
from parity.campaign.compare import compare
from parity.campaign.compare_text import comparison_markdown
from parity.campaign.result import CampaignResult
from parity.campaign.store import CampaignFolder
from parity.errors import UsageError
from parity.render.texts import LANGUAGES
from parity.report.campaign import html, markdown, write
from parity.report.campaign_compare import html as compared_page
from tests.campaign.stand_in import JUDGING, OTHERWISE, answer, case

ORDINARY = [case(number) for number in range(6)]


def found(cases, folder, judging=JUDGING):
    return campaign(cases, folder, judging=judging).result


def said(one):
    return json.loads(answer({"case": one.to_toml()})["answer"])


def test_the_sums_are_those_of_the_answers_in_any_order(tmp_path):
    cases = [*ORDINARY, case(1, "known"), case(2, "wrong"), case(3, "skipped")]
    result = found(cases, tmp_path / "one")
    told = [said(one) for one in cases]
    assert result.numbers == sum(one["numbers"] for one in told)
    assert result.undecided == sum(one["undecided"] for one in told)
    rows = {row.regime: row for row in result.rows}
    worst = max(told[:6], key=lambda one: one["worst_share"])
    assert (rows["ordinary"].worst_share, rows["ordinary"].worst_case) == (
        worst["worst_share"],
        worst["digest"],
    )
    assert [rows[name].cases for name in ("ordinary", "known", "wrong", "skipped")] == [6, 1, 1, 1]
    assert result.skipped == {"no such operation": 1}
    random.Random(0).shuffle(cases)
    other = found(cases, tmp_path / "two")
    assert other.model_dump(exclude={"groups"}) == result.model_dump(exclude={"groups"})


@pytest.mark.parametrize(
    ("regimes", "verdict", "code"),
    [
        (["ordinary"], "match", 0),
        (["ordinary", "known"], "match", 0),
        (["ordinary", "known", "wrong"], "mismatch", 1),
        (["ordinary", "ours"], "mismatch", 1),
        (["ordinary", "ourselves"], "fault", 4),
        (["ourselves", "wrong"], "mismatch", 1),
        (["ordinary", "fails"], "fault", 4),
        (["skipped"], "undecided", 5),
        ([], "undecided", 5),
    ],
    ids=str,
)
def test_the_verdict_is_that_of_what_no_finding_explains(tmp_path, regimes, verdict, code):
    result = found([case(1, regime) for regime in regimes], tmp_path)
    assert (result.verdict, result.exit_code) == (verdict, code)


def test_alarms_are_grouped_by_cause_and_each_has_the_command_of_its_smallest_case(tmp_path):
    result = found([case(number, regime) for number in range(3) for regime in ("wrong", "known")], tmp_path)
    assert [(group.finding, group.cases, group.regimes) for group in result.groups] == [
        (None, 3, ["wrong"]),
        ("some-finding", 3, ["known"]),
    ]
    for group in result.groups:
        assert group.torch == "import torch  # tanh"
        assert group.command == f"parity campaign --case {tmp_path}/cases/{group.smallest}.toml"
        small = CampaignFolder(tmp_path).case(group.smallest)
        assert (small.seed, small.regime) == (0, group.regimes[0])
    assert result.alarms == {"reference": 0, "pytorch": 6, "verifier": 0}
    assert result.not_listed == {"reference": 0, "pytorch": 3, "verifier": 0}


def test_the_summary_is_read_as_it_was_written(tmp_path):
    result = found([*ORDINARY, case(1, "wrong"), case(1, "infinite"), case(1, "fails")], tmp_path)
    write(result, tmp_path)
    text = (tmp_path / "summary.json").read_text()
    assert json.loads(text, parse_constant=pytest.fail)["schema"] == "parity-campaign/1"
    assert CampaignResult.model_validate_json(text) == result


@pytest.mark.parametrize("lang", LANGUAGES)
def test_whatever_shows_it_has_each_alarm_its_numbers_and_its_command(tmp_path, lang):
    result = found([*ORDINARY, case(1, "wrong"), case(2, "known"), case(1, "fails")], tmp_path)
    page, paper, terminal = html(result, lang), markdown(result, lang), result.text(lang)
    for group in result.groups:
        for text in (page, paper, terminal):
            assert group.command in text
            assert group.torch in text
            assert repr(group.found) in text
    for text in (page, paper, terminal):
        assert "some-finding" in text
        assert "LookupError: nothing there" in text


def test_the_page_escapes_what_a_case_says(tmp_path):
    result = found([case(1, "wrong", name="<script>alert(1)</script>")], tmp_path)
    assert "<script>alert" not in html(result, "en")
    assert (
        "|"
        not in markdown(found([case(1, name="a|b")], tmp_path / "b")).replace("\\|", "").split("`a")[1][:2]
    )


def test_two_folders_are_compared_case_by_case(tmp_path):
    cases = [*ORDINARY, case(1, "elsewhere"), case(1, "known")]
    found(cases, tmp_path / "a")
    found([*cases[1:], case(9)], tmp_path / "b", OTHERWISE)
    both = compare(tmp_path / "a", tmp_path / "b")
    assert (both.cases, both.only_a, both.only_b) == (7, 1, 1)
    assert [(fact.fact, fact.a, fact.b) for fact in both.facts] == [("torch", ["2.13.0"], ["2.14.0"])]
    assert [(one.case, one.a, one.b) for one in both.changed] == [
        (case(1, "elsewhere").digest, "match", "mismatch: pytorch weight_gradient")
    ]
    assert (both.verdict, both.exit_code) == ("mismatch", 1)
    rows = {row.regime: (row.cases, row.alarms_a, row.alarms_b) for row in both.rows}
    assert rows == {"ordinary": (5, 0, 0), "elsewhere": (1, 0, 1), "known": (1, 1, 1)}
    for lang in LANGUAGES:
        for text in (both.text(lang), comparison_markdown(both, lang), compared_page(both, lang)):
            assert both.changed[0].command in text
            assert "2.14.0" in text
    same = compare(tmp_path / "a", tmp_path / "a")
    assert (same.verdict, same.facts, same.changed, same.exit_code) == ("match", [], [], 0)


def test_folders_with_no_case_in_common_are_told_nothing_of(tmp_path):
    found(ORDINARY[:2], tmp_path / "a")
    found(ORDINARY[2:], tmp_path / "b")
    both = compare(tmp_path / "a", tmp_path / "b")
    assert (both.verdict, both.exit_code) == ("undecided", 5)
    with pytest.raises(UsageError, match="holds no campaign"):
        compare(tmp_path / "a", tmp_path / "c")
