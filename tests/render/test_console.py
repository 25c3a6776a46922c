"""Tables on narrow terminals: whole columns go, and no word is broken."""

from __future__ import annotations

from io import StringIO

import pytest
from rich.console import Console

import parity

XOR = {"data": {"name": "xor"}, "training": {"steps": 1}}


def shown(found, width, lang="en"):
    written = StringIO()
    found.show(Console(file=written, width=width, no_color=True, force_terminal=False), lang)
    return written.getvalue()


@pytest.fixture(scope="module")
def run():
    return parity.run(XOR)


@pytest.mark.parametrize(
    ("width", "heads"),
    [
        (120, ["slide", "formula", "layer", "deck (numpy)", "PyTorch", "side by side"]),
        (78, ["formula", "layer", "deck (numpy)", "PyTorch", "side by side"]),
        (62, ["formula", "layer", "deck (numpy)", "PyTorch"]),
        (46, ["formula", "layer", "PyTorch"]),
    ],
)
def test_a_narrow_terminal_drops_columns(run, width, heads):
    table = [line for line in shown(run, width).splitlines() if line[:1] in "┏┃┡│└"]
    assert [head.strip() for head in table[1].strip("┃").split("┃")] == heads
    assert max(map(len, table)) <= width
    assert sum("weight_gradient" in line for line in table) == 2, "no cell is folded"


def test_what_does_not_fit_even_so_is_folded(run):
    assert max(map(len, shown(run, 24, "es").splitlines())) <= 24
