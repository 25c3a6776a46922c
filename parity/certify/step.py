"""The check of one step: each side's certificates and continuity, and the cross-check of all sides."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from parity.certify.certificate import Certifier, Finding
from parity.certify.cross_check import CrossCheck, cross_check
from parity.render.texts.message import Message
from reference.equations import Constants
from reference.trace import Trace


@dataclass(frozen=True)
class CheckedStep:
    """One step of every side.

    `certifiers` holds one certifier for each side to be certified, `broken` each side's result of
    `Continuity.broken`.
    """

    traces: Mapping[str, Trace]
    constants: Constants
    certifiers: Mapping[str, Certifier]
    broken: Mapping[str, Mapping[str, Message]]

    def findings(self) -> Iterator[tuple[str, Finding]]:
        """The findings with their side, ordered by equation, so that the first divergence comes first."""
        certificates = (c.certify(self.traces[side], self.constants) for side, c in self.certifiers.items())
        for findings in zip(*certificates, strict=True):
            for side, finding in zip(self.certifiers, findings, strict=True):
                yield side, self._continued(side, finding)

    def _continued(self, side: str, finding: Finding) -> Finding:
        """The finding, replaced by a complaint about a parameter that did not start from its last value."""
        name = finding.equation.makes
        complaint = self.broken.get(side, {}).get(name.removesuffix("_next"))
        if complaint is None or not name.endswith("_next"):
            return finding
        return Finding.complaining(finding.equation, complaint)

    def cross_checks(self, certifier: Certifier) -> Iterator[CrossCheck]:
        """The cross-checks; none for a single side, or if a side does not show all tensors."""
        if len(self.traces) > 1 and not any(map(certifier.complaints, self.traces.values())):
            yield from cross_check(certifier, self.traces, self.constants)
