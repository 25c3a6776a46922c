"""Golden traces: a run that was frozen, and what today's engine and today's PyTorch make of it.

`record(config, path)` freezes a run, `replay(path)` holds it against here and now, `update(path)`
records anew what has left its bounds. Nothing here imports PyTorch before it is asked for.
"""

from parity.golden.format import Golden
from parity.golden.reader import read
from parity.golden.record import RecordedGolden, record, update
from parity.golden.replay import replay
from parity.golden.result import Replay

__all__ = ["Golden", "RecordedGolden", "Replay", "read", "record", "replay", "update"]
