"""Golden traces: recorded runs that are compared with the current engine and the current PyTorch.

`record(config, path)` records a run, `replay(path)` compares it with the current code, `update(path)`
records it again if it is outside its bounds. PyTorch is imported only when it is needed.
"""

from parity.golden.format import Golden
from parity.golden.reader import read
from parity.golden.record import record, update
from parity.golden.replay import replay
from parity.golden.result import RecordedGolden, Replay

__all__ = ["Golden", "RecordedGolden", "Replay", "read", "record", "replay", "update"]
