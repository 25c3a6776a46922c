"""Links: each step starts, bit for bit, from where the side's last one ended."""

from __future__ import annotations

from collections.abc import Mapping

from reference.arrays import Array
from reference.trace import Trace


class Links:
    """What one side's parameters were at the end of its last step, as bytes: −0 is not 0."""

    def __init__(self, parameters: Mapping[str, Array]) -> None:
        self._ended = {name: array.tobytes() for name, array in parameters.items()}
        self._after = {name: f"{name}_next" for name in parameters}

    def broken(self, trace: Trace) -> dict[str, str]:
        """The parameters from which a step starts although the step before did not end there."""
        return {
            name: f"the step does not start from the {name} that the step before ended with"
            for name, ended in self._ended.items()
            if name in trace and trace[name].tobytes() != ended
        }

    def advance(self, trace: Trace) -> None:
        """Remember where this step ended, as far as the side shows it."""
        for name, after in self._after.items():
            if after in trace:
                self._ended[name] = trace[after].tobytes()
