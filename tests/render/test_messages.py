"""What the core says travels as key and facts: no sentence is recognised again, none can stay English."""

from __future__ import annotations

import ast
import copy
import re
from pathlib import Path

import pytest

from parity.lockstep.result import KEEP_MESSAGES, Divergence
from parity.render.texts import LANGUAGES, catalogue
from parity.render.texts.message import TABLE, Message, said

PRODUCT = sorted(Path(__file__).parents[2].glob("parity/**/*.py"))
KEYS = {
    key.removeprefix(f"{TABLE}."): text for key, text in catalogue("en").items() if key.startswith(TABLE)
}
SAME = {"own_words", "hint", "failure_of", "reach_branch", "file_failed", "and_also", "cli_value"}
SAME |= {"exec_failed", "check_failed", "cli_output", "load_raised", "op_because", "graph_place"}
"""Texts that only join others."""
MADE = ("errno_", "config_", "step_not_told_", "cli_no_option_near", "cli_no_command_near")
MADE += ("model_whole", "definition_whole")
"""Keys that are put together: of an error's number, of what pydantic complains of, of what is not told."""


def keys_and_facts(node: ast.Call) -> tuple[list[str], set[str]]:
    """The keys that a call of Message may have, and the names of its facts."""
    texts = [n.value for n in ast.walk(node.args[0]) if isinstance(n, ast.Constant)]
    return [text for text in texts if isinstance(text, str)], {str(k.arg) for k in node.keywords}


def calls() -> list[tuple[str, list[str], set[str]]]:
    found = []
    for file in PRODUCT:
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "Message":
                found.append((f"{file.name}:{node.lineno}", *keys_and_facts(node)))
    return found


def test_every_message_of_the_product_has_a_text_for_its_facts():
    for where, keys, facts in calls():
        for key in KEYS.keys() & keys:  # others are a part of what chooses the key
            assert set(re.findall(r"{(\w+)}", KEYS[key])) <= facts, f"{where}: {key}"


def test_every_text_is_said_by_somebody_and_differs_by_language():
    written = {
        node.value
        for file in PRODUCT
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }
    plain = {key for key in KEYS if re.fullmatch(r"\w+", key)}  # the rest are English texts themselves
    assert {key for key in plain - written if not key.startswith(MADE)} == set()
    for key in KEYS.keys() - SAME:
        assert len({catalogue(lang)[f"{TABLE}.{key}"] for lang in LANGUAGES}) == len(LANGUAGES), key


def test_a_message_is_its_english_text_and_knows_the_others():
    missing = Message("missing", name="W1")
    assert (missing, said(missing, "es")) == ("W1 is missing", "falta W1")
    joined = Message("hint", failure=missing, hint=Message("stopped"))
    assert joined == "W1 is missing; stopped at the first divergence"
    assert joined.said("es") == "falta W1; se detuvo en la primera divergencia"
    assert said("Traceback (most recent call last)", "es") == "Traceback (most recent call last)"


def test_a_fact_may_hold_braces():
    assert Message("own_words", failure="KeyError: '{name}'").said("es") == "KeyError: '{name}'"


@pytest.mark.parametrize("wrong", [("no such key", {}), ("missing", {})])
def test_a_key_or_a_fact_that_there_is_not_is_refused(wrong):
    key, facts = wrong
    with pytest.raises(KeyError):
        Message(key, **facts)


def test_key_and_facts_survive_copies_and_a_recording():
    inner = Message("at_line", number=3, failure=Message("own_words", failure="KeyError"))
    message = Message("failure_of", failure=inner, case="x")
    for again in (copy.deepcopy(message), Message.of(message.parts())):
        assert (again, again.said("es")) == ("line 3: KeyError (x)", "línea 3: KeyError (x)")
    found = Divergence(
        step=0, side="torch", formula="delta", slide=5, layer=1, quantity="delta", complaint=message
    )
    assert '"complaint":"line 3: KeyError (x)"' in found.model_dump_json()
    kept = Divergence.model_validate_json(found.model_dump_json(context=KEEP_MESSAGES))
    assert isinstance(kept.complaint, Message)
    assert kept.complaint.said("es") == "línea 3: KeyError (x)"
    plain = Divergence.model_validate_json(found.model_dump_json())
    assert not isinstance(plain.complaint, Message)
