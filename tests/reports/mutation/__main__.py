"""Mutates `reference/` with mutmut, and writes `reports/mutation.md`.

    python -m tests.reports.mutation             everything: a quarter of an hour on two cores
    python -m tests.reports.mutation 'reference.formulas*' …    these mutants only, after an earlier run
    python -m tests.reports.mutation --report    no run: the page, from what the last runs left

The work is done in `build/mutation`. Exit status 1 when a survivor is not explained in
`tests/reports/mutation/survivors.toml`: kill it by a better test, or say there why it cannot be told.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

from tests.reports.mutation.outcome import outcomes
from tests.reports.mutation.prepare import prepare
from tests.reports.mutation.report import explanations, key, lived, page, unexplained

ROOT = Path(__file__).resolve().parents[3]
WORK = ROOT / "build" / "mutation"
REPORT = ROOT / "reports" / "mutation.md"
EXPLAINED = Path(__file__).with_name("survivors.toml")


def main() -> int:
    parser = argparse.ArgumentParser(
        "python -m tests.reports.mutation",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("names", nargs="*", help="mutants, with wildcards")
    parser.add_argument("--report", action="store_true", help="only write the page")
    parser.add_argument("--children", type=int, default=2, help="how many mutants at a time")
    asked = parser.parse_args()
    if not asked.report:
        _run(asked.names, asked.children)
    mutants, why = outcomes(ROOT, WORK), explanations(EXPLAINED)
    REPORT.write_text(page(mutants, why, version("mutmut")), "utf-8")
    left = unexplained(mutants, why)
    for mutant in left:
        print(f"{mutant.file}:{mutant.line} {mutant.function}\n  - {mutant.before}\n  + {mutant.after}")
    stale = why.keys() - {key(mutant) for mutant in lived(mutants)}
    for file, function, _, after in sorted(stale):
        print(f"explained, and not among the survivors: {file} {function}: {after}")
    print(f"{REPORT.relative_to(ROOT)}: {len(mutants)} mutants, {len(left)} survivors unexplained")
    return 1 if left or not mutants else 0


def _run(names: list[str], children: int) -> None:
    """mutmut, where it finds the copy; single threads, and no plugins that the tests do not ask for."""
    if not names:  # from the beginning: with other tests, old results say nothing
        shutil.rmtree(WORK, ignore_errors=True)
    prepare(ROOT, WORK)
    threads = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    here = {**os.environ, **threads, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "CI": "1"}
    here.pop("PYTHONPATH", None)
    command = [sys.executable, "-m", "mutmut", "run", "--max-children", str(children), *names]
    subprocess.run(command, cwd=WORK, env=here, check=True)


if __name__ == "__main__":
    sys.exit(main())
