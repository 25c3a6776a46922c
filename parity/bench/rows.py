"""One row of a benchmark's table."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class BenchRow:
    """One ratio."""

    size: str
    dtype: str
    what: str
    median: float
    min: float
    max: float
    reach: float | None = None
    microseconds: float = 0.0  # the numerator's median time of one step
    name: str = ""  # of the vocabulary, if the ratio is about one
    whole: bool = True  # whether steps were accepted whole, or judged number by number

    def to_json(self) -> dict[str, str | float]:
        """The row as `parity-bench/1` has it."""
        ratios = {"median": self.median, "min": self.min, "max": self.max}
        named = {"name": self.name} if self.name else {}
        whole = {"accepted_whole": self.whole} if self.name else {}
        return {"size": self.size, "dtype": self.dtype, "what": self.what, **named, **whole, **ratios}
