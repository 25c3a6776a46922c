"""Mutates `reference/` with mutmut, and writes `reports/mutation.md`.

    python -m tests.reports.mutation             everything: hours
    python -m tests.reports.mutation --sample 1000   a thousand, drawn at random: half an hour
    python -m tests.reports.mutation 'reference.formulas*' …    these mutants only, after an earlier run
    python -m tests.reports.mutation --report    no run: the page, from what the last runs left

The work is done in `build/mutation`. Exit status 1 when a survivor is not explained in
`tests/reports/mutation/survivors.toml`: kill it by a better test, or say there why it cannot be told.
"""

from __future__ import annotations

import argparse
import json
import os
import random
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
NONE = "none.of.them"
"""Matches no mutant: mutmut makes them all and runs none."""
EXPLAINED = Path(__file__).with_name("survivors.toml")


def main() -> int:
    parser = argparse.ArgumentParser(
        "python -m tests.reports.mutation",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("names", nargs="*", help="mutants, with wildcards")
    parser.add_argument("--sample", type=int, metavar="N", help="N mutants, drawn at random from all")
    parser.add_argument("--seed", type=int, default=0, help="of the draw")
    parser.add_argument("--report", action="store_true", help="only write the page")
    parser.add_argument("--children", type=int, default=2, help="how many mutants at a time")
    asked = parser.parse_args()
    if not asked.report:
        names = asked.names
        if asked.sample:
            _run([NONE], asked.children, fresh=True)
            names = drawn(asked.sample, asked.seed)
        _run(names, asked.children, fresh=not names)
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


def drawn(count: int, seed: int) -> list[str]:
    """Names of mutants, drawn without replacement from all that mutmut has made."""
    metas = sorted((WORK / "mutants").rglob("reference/**/*.py.meta"))
    names = [name for meta in metas for name in json.loads(meta.read_text("utf-8"))["exit_code_by_key"]]
    return random.Random(seed).sample(names, min(count, len(names)))


def _run(names: list[str], children: int, *, fresh: bool) -> None:
    """mutmut, where it finds the copy; single threads, and no plugins that the tests do not ask for."""
    if fresh:  # with other tests, old results say nothing
        shutil.rmtree(WORK, ignore_errors=True)
    prepare(ROOT, WORK)
    threads = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    here = {**os.environ, **threads, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "CI": "1"}
    here.pop("PYTHONPATH", None)
    command = [sys.executable, "-m", "mutmut", "run", "--max-children", str(children), *names]
    subprocess.run(command, cwd=WORK, env=here, check=names != [NONE])


if __name__ == "__main__":
    sys.exit(main())
