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

    `certifiers` has one for each side that is to be certified, `broken` by side what
    `Continuity.broken` found.
    """

    traces: Mapping[str, Trace]
    constants: Constants
    certifiers: Mapping[str, Certifier]
    broken: Mapping[str, Mapping[str, Message]]

    def findings(self) -> Iterator[tuple[str, Finding]]:
        """By side, equation by equation over all sides: what diverges first was executed first."""
        certificates = (c.certify(self.traces[side], self.constants) for side, c in self.certifiers.items())
        for findings in zip(*certificates, strict=True):
            for side, finding in zip(self.certifiers, findings, strict=True):
                yield side, self._continued(side, finding)

    def _continued(self, side: str, finding: Finding) -> Finding:
        """The finding; where a parameter did not start from its last value, a complaint of its new one."""
        name = finding.equation.makes
        complaint = self.broken.get(side, {}).get(name.removesuffix("_next"))
        if complaint is None or not name.endswith("_next"):
            return finding
        return Finding.complaining(finding.equation, complaint)

    def cross_checks(self, certifier: Certifier) -> Iterator[CrossCheck]:
        """The second gate; nothing where there is one side alone, or a side does not show everything."""
        if len(self.traces) > 1 and not any(map(certifier.complaints, self.traces.values())):
            yield from cross_check(certifier, self.traces, self.constants)
