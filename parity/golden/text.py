"""What a replay found, in lines for a person and as JSON."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence

from parity.golden.result import Replay
from parity.lockstep.text import divergence_lines
from reference.trace import tensor_name


def replays_json(replays: Sequence[Replay]) -> str:
    """All replays: `parity-replays/1`."""
    found = [json.loads(replay.to_json()) for replay in replays]
    return json.dumps({"schema": "parity-replays/1", "replays": found}, indent=2, ensure_ascii=False)


def divergence(replay: Replay, say: dict[str, str]) -> Iterator[str]:
    """The first number outside its bound, whose it is, and how to see it again."""
    first, bit = replay.first_divergence, replay.first_difference
    if first is not None:
        yield from divergence_lines(first, replay.wrong_formulas, None, say)
        if first.gate == "certificate":
            key = "golden.was_so" if first.side.startswith("golden/") else "golden.is_so"
            yield "  " + say[key]
    elif replay.verdict == "mismatch" and bit is not None:
        index = f"[{','.join(map(str, bit.index))}]" if bit.index else ""
        yield say["golden.first_bit"].format(
            quantity=tensor_name(bit.quantity, bit.layer),
            index=index,
            side=bit.side,
            step=bit.step,
            golden=f"{bit.golden:.17g}",
            here=f"{bit.here:.17g}",
            ulps=written_ulps(bit.ulps),
        )
    if replay.verdict == "mismatch" and replay.reproduce:
        yield "  " + say["run.reproduce"].format(command=replay.reproduce)


def written_ulps(ulps: int | None) -> str:
    """A number of ulps; a dash where the formats differ."""
    return "–" if ulps is None else f"{ulps:,}"
