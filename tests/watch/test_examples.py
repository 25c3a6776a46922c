"""Ordinary training scripts, watched: nothing is left out, and everything is its formula."""

from pathlib import Path

import pytest

from parity.watch.script import run
from tests.nightly import in_turn

EXAMPLES = sorted(
    path for path in (Path(__file__).parent / "examples").glob("*.py") if path.stem != "__init__"
)


@pytest.mark.parametrize(
    ("script", "first"), in_turn(EXAMPLES, [0, 30]), ids=lambda value: getattr(value, "stem", None)
)
def test_three_steps_are_whole(script, first, capsys):
    found = run(script, [], steps=3, first=first)
    result = found.result
    assert not found.failed
    assert [f"{wrong.operation} {wrong.operand} {wrong.ratio:.3g}" for wrong in result.wrong] == []
    assert [f"{left.operation}: {left.source}" for left in result.coverage.not_certified] == []
    assert result.verdict == "match"
    assert result.steps == 3
    assert {row.check for row in result.rows} >= {"forward", "vjp", "sum", "grad", "update"}
