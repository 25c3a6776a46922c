"""The page of a watched training: complete, escaped, in both languages, small, and offline."""

from __future__ import annotations

import re

import pytest
import torch
from torch import nn

import parity
from parity.report import watch as page
from parity.report.page import MAX_BYTES
from parity.watch.watching import Watching
from tests.watch.helpers import net, planted, train, twice


class Kept:
    """What `finish` is given."""

    def __call__(self, result, witnessed):
        self.result, self.witnessed = result, witnessed
        return result


def watched(module=None, lossy=nn.functional.mse_loss):
    kept, module = Kept(), module or net()
    with Watching(module, finish=kept):
        train(module, 2, lossy=lossy)
    return kept.result, kept.witnessed


@pytest.fixture(scope="module")
def match():
    return watched()


def test_it_writes_three_files_and_refuses_an_unknown_language(tmp_path):
    with parity.watch() as watching:
        train(net(), 1)
    watching.result.report(tmp_path / "page")
    assert {file.name for file in (tmp_path / "page").iterdir()} == {
        "index.html",
        "report.md",
        "result.json",
    }
    with pytest.raises(parity.UsageError, match="--lang fr"):
        watching.result.report(tmp_path / "other", "fr")
    assert not (tmp_path / "other").exists()


def test_modules_operations_formulas_lines_and_numbers_stand_there(match):
    html = page.html(*match, "en")
    for words in (
        "fc1",
        "addmm",
        "aten.addmm.default",
        "AddmmBackward0",
        "helpers.py:",
        "<math",
        "torch.optim.SGD",
    ):
        assert words in html, words
    assert html.count('class="check"') == sum(
        not row.moved for row in page.rows_of(match[0], match[1].evidence)
    )
    assert 'lang="es"' in html
    assert "hacia adelante" in html
    assert "Content-Security-Policy" in html
    assert not re.search(r'(src|href)="(https?:)?//', html)


def test_what_matches_is_folded_and_what_fails_is_open(match):
    assert '<details class="op"><summary>' in page.html(*match, "en")
    with planted("relu", lambda x: torch.where(x > 0, x * 1.01, torch.zeros_like(x))):
        html = page.html(*watched(), "en")
    assert html.count('<details class="op wrong" open>') == 1
    assert 'id="first"' in html
    assert "there is nothing to round" in html
    assert "node operation born" in html


def test_the_graph_has_both_arrows_and_leaves_out_what_only_moves(match):
    graph, names = page.drawn(match[1].graph)
    assert [node.label for node in graph.nodes if node.operation] == ["addmm", "relu", "addmm", "mse_loss"]
    assert {node.parameter for node in names.values() if node.parameter} == {
        "fc1.weight", "fc1.bias", "fc2.weight", "fc2.bias",
    }  # fmt: skip
    html = page.html(*match, "en")
    assert 'class="data"' in html
    assert 'class="error"' in html


def test_a_large_graph_is_not_drawn():
    module = nn.Sequential(nn.Linear(5, 3), *(nn.Tanh() for _ in range(50)))
    result, witnessed = watched(module)
    assert page.drawn(witnessed.graph) is None
    assert "too many operations" in page.html(result, witnessed, "en")


def test_a_heavy_page_has_each_formula_once(match, monkeypatch):
    whole = page.html(*match, "en")
    monkeypatch.setattr(page, "MAX_BYTES", 1000)
    apart = page.html(*match, "en")
    assert apart.count("<math") < whole.count("<math")
    assert len(whole) < MAX_BYTES
    links = set(re.findall(r'<a href="#(formula-[^"]+)">', apart))
    assert links
    assert links == set(re.findall(r'id="(formula-[^"]+)"', apart))


def test_what_is_left_is_listed_and_names_are_escaped():
    result, witnessed = watched(lossy=lambda made, y: (made * twice(made)).mean())
    one = result.coverage.not_certified[0]
    nasty = one.model_copy(update={"module": "<script>alert(1)</script>", "source": "a|b`c.py"})
    coverage = result.coverage.model_copy(update={"not_certified": [nasty]})
    result = result.model_copy(update={"coverage": coverage})
    html = page.html(result, witnessed, "en")
    assert "stranger.twice.default" in html
    assert "<script>alert" not in html
    assert "&lt;script&gt;alert(1)" in html
    assert "<script>" not in page.markdown(result, "en")


def test_markdown_has_every_row(match):
    rows = [line for line in page.markdown(match[0], "es").splitlines() if line.startswith("| ")]
    assert len(rows) == 1 + len(match[0].rows)
