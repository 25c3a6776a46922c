"""One thread each, before numpy is imported, and hypothesis without clocks."""

import os

for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(variable, "1")

from hypothesis import HealthCheck, settings  # noqa: E402 - after the threads are set

settings.register_profile(
    "parity",
    deadline=None,  # machines are shared and noisy
    derandomize=bool(os.environ.get("CI")),  # CI draws the same networks every time; people draw new ones
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
    print_blob=True,
)
settings.load_profile("parity")


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
