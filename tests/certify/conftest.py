"""The kill matrix of the planted bugs, at the end of a run that had them."""

from __future__ import annotations


def pytest_terminal_summary(terminalreporter):
    """The kill matrix: each planted bug, and the formula and layers in which each side's was found."""
    rows: dict[str, dict[str, str]] = {}
    for outcome in ("passed", "failed"):
        for report in terminalreporter.getreports(outcome):
            facts = dict(report.user_properties)
            if "bug" in facts and report.when == "call":
                found = facts.get("found", "NOT FOUND") if outcome == "passed" else "FAILED"
                rows.setdefault(facts["bug"], {})[facts["side"]] = found
    if rows:
        terminalreporter.section("kill matrix")
        for bug, found in sorted(rows.items()):
            sides = (f"{found.get(side, '–'):28}" for side in ("engine", "torch"))
            terminalreporter.write_line(f"{bug:34} {' '.join(sides)}")
