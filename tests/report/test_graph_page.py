"""The page of a model that is no chain of layers: its formulas, numbers, drawing and verdict."""

from __future__ import annotations

import re

import pytest
import torch
from torch import nn

from parity.lockstep.result import Result
from parity.pytorch.imported.case import BatchPeer, training_of
from parity.report.page import MAX_BYTES
from parity.report.run import Keep, run
from parity.report.stages import only_moves
from reference.equations import step_equations
from reference.operation import define
from reference.operations import OPERATIONS


class Residual(nn.Module):
    """A convolution, a norm, a fork that is joined again, and a linear layer."""

    def __init__(self):
        super().__init__()
        self.conv, self.norm = nn.Conv2d(1, 2, 3, padding=1), nn.BatchNorm2d(2)
        self.out = nn.Linear(2 * 2 * 2, 3)

    def forward(self, x):
        x = torch.relu(self.norm(self.conv(x)))
        x = x + torch.tanh(x)
        return self.out(nn.functional.max_pool2d(x, 2).flatten(1))


def trained(folder, steps=3) -> tuple[Result, BatchPeer]:
    torch.manual_seed(0)
    generator = torch.Generator().manual_seed(1)
    x = torch.randn(4, 1, 4, 4, generator=generator)
    peer = BatchPeer("residual", Residual(), x, torch.tensor([0, 2, 1, 2]))
    result = run(training_of("cross_entropy", lr=0.1, steps=steps), Keep(), peer=peer)
    result.report(folder, "en")
    return result, peer


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    folder = tmp_path_factory.mktemp("graph-page")
    result, peer = trained(folder)
    assert result.verdict == "match"
    return (folder / "index.html").read_text(encoding="utf-8"), peer


def test_every_formula_that_computes_has_its_row_on_both_sides(page):
    text, peer = page
    model = peer.graph._model
    moves = {node.name for node in model.graph.nodes if node.label in ("reshape", "t")}
    made = [e.makes for e in step_equations(model) if not only_moves(e, moves)]
    assert sorted(re.findall(r'<tbody class="numbers[^"]*" id="t0-(\w+)"', text)) == sorted(made)
    assert len(text.encode()) < MAX_BYTES
    for word in ("aten.convolution.default", "aten.native_batch_norm.default, backward", "_with_windows"):
        assert word in text


def test_it_has_both_languages_the_graph_the_curves_and_the_contract(page):
    text, _ = page
    assert text.count('<span lang="en">') == text.count('<span lang="es">') > 100
    for section in ("graph", "steps", "curves", "run", "card"):
        assert f'<section id="{section}"' in text
    assert text.count('<svg xmlns="http://www.w3.org/2000/svg" class="graph"') == 1  # too long to lie flat
    assert "a⁽²⁾ 4×2×4×4" in text
    assert "http://" not in re.sub(r'xmlns="[^"]*"', "", text)


def test_a_wrong_formula_is_marked_where_it_was_born(tmp_path, monkeypatch):
    right = OPERATIONS["tanh"]
    formula = right.vjps["x"]
    monkeypatch.setitem(
        OPERATIONS,
        "tanh",
        define(
            "tanh",
            (right.forward["y"].function, right.forward["y"].latex),
            {"x": (lambda g, y: g * (1 - y), formula.latex)},
            aten=right.aten,
        ),
    )
    result, _ = trained(tmp_path)
    assert result.verdict == "mismatch"
    assert result.first_divergence.formula == "tanh_input_gradient"
    text = (tmp_path / "index.html").read_text(encoding="utf-8")
    assert '<section id="first" class="first">' in text
    assert re.search(r'<tbody class="numbers of-step born[^"]*" id="t0-share\d_s3"', text)
    assert re.search(r'<g class="error born" data-tensor="share\d_s3"', text)
