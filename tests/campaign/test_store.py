"""A campaign's folder: what is kept, what is missing, what is refused."""

from __future__ import annotations

import json

import pytest

from parity.campaign.store import CampaignFolder
from parity.errors import UsageError
from tests.campaign.stand_in import FACTS, answer, case


def keep(held, *cases):
    name = held.admit(FACTS)
    for one in cases:
        held.keep(one, json.loads(answer({"case": one.to_toml()})["answer"]), name)


def test_what_is_kept_is_there_again(tmp_path):
    one, other = case(1), case(2)
    with CampaignFolder.opened(tmp_path / "made" / "here") as held:
        keep(held, one)
        held.set_aside(other, ["seconds"])
    again = CampaignFolder(tmp_path / "made" / "here")
    assert again.done == {one.digest, other.digest}
    ((found, environment),) = again.answers()
    assert found.digest == one.digest
    assert again.environments[environment] == FACTS
    assert [(aside.digest, aside.endings) for aside in again.aside()] == [(other.digest, ["seconds"])]
    assert again.case(one.digest).to_toml() == one.to_toml()


def test_what_is_half_written_is_missing(tmp_path):
    with CampaignFolder.opened(tmp_path) as held:
        keep(held, case(1))
        (tmp_path / "answers" / f".{case(2).digest}.json.x7").write_text('{"dig')
    assert CampaignFolder(tmp_path).done == {case(1).digest}


def test_another_processor_is_told_and_another_arithmetic_refused(tmp_path):
    with CampaignFolder.opened(tmp_path) as held:
        names = {held.admit(FACTS), held.admit({**FACTS, "processor": "Another"}), held.admit(dict(FACTS))}
        assert len(names) == 2
        with pytest.raises(UsageError, match=r"made with blas_kernel Haswell, and here it is Zen"):
            held.admit({**FACTS, "blas_kernel": "Zen"})
    with pytest.raises(UsageError, match=r"made with torch 2.13.0, and here it is 2.14.0"):
        CampaignFolder(tmp_path).admit({**FACTS, "torch": "2.14.0"})


def refusal(folder):
    with pytest.raises(UsageError) as refused, CampaignFolder.opened(folder):
        pass
    said = str(refused.value)
    assert "\n" not in said
    return said


def test_a_folder_of_anything_else_is_left_as_it_is(tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    assert "no folder of a campaign" in refusal(tmp_path)
    assert [file.name for file in tmp_path.iterdir()] == ["notes.txt"]
    assert "is not a folder" in refusal(tmp_path / "notes.txt")


def test_two_campaigns_do_not_write_into_one_folder(tmp_path):
    with CampaignFolder.opened(tmp_path):
        assert "another campaign writes there" in refusal(tmp_path)
    with CampaignFolder.opened(tmp_path):
        pass


@pytest.mark.parametrize("text", ["", "{", "[]", '{"schema": "parity-campaign-folder/0"}'])
def test_a_head_that_no_campaign_wrote_is_refused(tmp_path, text):
    (tmp_path / "campaign.json").write_text(text)
    assert refusal(tmp_path)


@pytest.mark.parametrize("text", ["", "{}", '{"environment": "0"}', "null"])
def test_an_answer_that_no_campaign_wrote_is_refused_by_its_name(tmp_path, text):
    with CampaignFolder.opened(tmp_path) as held:
        keep(held, case(1))
        (tmp_path / "answers" / "0123456789abcdef.json").write_text(text)
        with pytest.raises(UsageError, match=r"0123456789abcdef.json: not as a campaign writes it"):
            list(held.answers())
