"""No English is left in the Spanish page, and no decimal point in its sentences."""

from __future__ import annotations

import re
import tomllib
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from parity.certify.certificate import Certifier
from parity.certify.continuity import Continuity
from parity.check.calls import asked_calls
from parity.check.points import Points
from parity.render.texts.message import Message
from parity.report.classroom import write_class
from parity.report.page import html as page
from parity.report.submission import recording_of
from reference.operations.activations import ACTIVATIONS
from tests.nightly import but
from tests.report.test_check_page import WRONG, checked
from tests.reports.exhibits import recorded

REPORTS = Path(__file__).parents[2] / "reports"
WORD = re.compile(r"[A-Za-zÀ-ÿ]{3,}")
NAMES = {"numpy", "pytorch", "float", "torch", "linear", "longdouble", "mean", "json", *ACTIVATIONS}
"""Names, which are the same in every language."""


class Texts(HTMLParser):
    """Every text outside code and formulas, with the language of the element that holds it."""

    SILENT = ("math", "code", "pre", "script", "style", "title")
    VOID = ("meta", "link", "br", "input", "img")

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open, self.found = [("html", "")], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        if tag not in self.VOID:
            held = dict(attrs)
            names = held.get("class") or ""
            kind = "code" if {"given", "graph"} & set(names.split()) else tag
            kind = "numbers" if {"heat", "glance", "sides", "cells", "chart"} & set(names.split()) else kind
            self.open.append((kind, held.get("lang") or self.open[-1][1], tag))

    def handle_startendtag(self, tag, attrs):
        pass

    def handle_endtag(self, tag):
        while self.open.pop()[-1] != tag:
            pass

    def handle_data(self, data):
        if not any(entry[0] in self.SILENT for entry in self.open) and data.strip():
            numeric = any(entry[0] == "numbers" for entry in self.open)
            self.found.append((self.open[-1][1], data.strip(), numeric))


def shown(lang: str) -> list[str]:
    """The texts that pages show: what is refused, and what `--help` says, is in files of its own."""
    file = Path(__file__).parents[2] / "parity" / "render" / "texts" / f"{lang}.toml"
    return [text for table in tomllib.loads(file.read_text("utf-8")).values() for text in table.values()]


def english_only() -> set[str]:
    """The words of the English catalogue that the Spanish one never uses, brackets apart."""
    spanish = " ".join(shown("es")).lower()
    outside = re.sub(r"\([^()]*\)|«[^»]*»", " ", spanish)
    english = set(WORD.findall(" ".join(shown("en")).lower()))
    return english - set(WORD.findall(outside)) - NAMES


def complain(text: str) -> list[str]:
    """What a Spanish reader would stumble over."""
    forbidden, found = english_only(), []
    for lang, said_there, numeric in Texts(text).found:
        if lang == "en":
            continue
        plain = re.sub(r"\([^()]*\)|«[^»]*»|#step=\d+|English", " ", said_there)
        found += [word for word in WORD.findall(plain.lower()) if word in forbidden]
        if (
            not numeric
            and re.search(r"\d\.\d", plain)
            and not re.search(r"numpy \d|torch \d|python \d", plain)
        ):
            found.append(said_there)
    return found


@pytest.mark.parametrize(
    "name", ["lesson", "digits", "mazur", "gallery-no_transpose", "gallery-bias_averaged"]
)
def test_no_english_is_left_in_a_spanish_page(name):
    assert complain(page(*recorded(name, REPORTS), "es")) == []


@pytest.mark.parametrize("name", but(["not transposed", "wrong shape"], sorted(WRONG)))
def test_no_english_is_left_in_the_page_of_a_subject(name, tmp_path):
    found = checked(WRONG[name], tmp_path, "es")
    text = page(found.result, recording_of(found), "es")
    assert complain(text) == []
    for words in found.wrong:
        for line in words.marked:
            plain = re.sub(r"`[^`]*`|\([^()]*\)", " ", line).lower()
            assert not set(WORD.findall(plain)) & english_only(), line


def test_no_english_is_left_in_the_index_of_a_class(tmp_path):
    mistakes = ("right", "uphill", "wrong shape")
    outcomes = {f"{at}.py": checked(WRONG[name], tmp_path) for at, name in enumerate(mistakes)}
    outcomes["x.py"] = Message("no_answer")
    write_class(tmp_path / "out", outcomes, Points.read(None), "es")
    text = (tmp_path / "out" / "index.html").read_text(encoding="utf-8")
    assert complain(text) == []
    assert "Actualización de los pesos" in text
    assert 'aria-label="' not in text  # which would be in one language


def test_the_search_for_english_finds_it():
    """The test above can fail: texts that were once left in English are found."""
    for left in ("the weights", "2-3-2, sigmoid, 1 sample", "dW1 is missing", "loss 0.123", "exactly 0.5"):
        assert complain(f"<html><body><p>{left}</p></body></html>"), left
        assert complain(f'<html><body><p lang="es">{left}</p></body></html>'), left
        assert complain(f'<html><body><p lang="en">{left}</p></body></html>') == []


def test_whatever_the_core_says_is_a_message():
    call = asked_calls(None, None, None)[0]
    certifier = Certifier(call.architecture)
    trace = dict(call.given)
    broken = {
        "missing": trace,
        "shape": trace | {"W1": trace["W1"].T},
        "dtype": trace | {"W1": trace["W1"].astype(np.float32)},
        "foreign": trace | {"W9": trace["W1"]},
    }
    for key, one in broken.items():
        found = certifier.complaints(one).values()
        assert all(isinstance(text, Message) for text in found)
        assert key in {text.key for text in found}
    sentences = [*Continuity(trace).broken({"W1": trace["W1"] + 1}).values()]
    sentences += [c.case for c in asked_calls(None, None, None)]
    assert all(isinstance(text, Message) for text in sentences)
