"""The evidence for the vocabulary: `python -m tests.reports.vocabulary` writes its page in minutes.

Each name over random networks in every regime, and each optimizer over a thousand steps of iris and xor.
"""

from __future__ import annotations

import os

for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[variable] = "1"

from collections.abc import Iterator  # noqa: E402 - after the threads are set
from concurrent.futures import ProcessPoolExecutor  # noqa: E402
from pathlib import Path  # noqa: E402

from parity.campaign.drawn.entries import ENTRIES, VocabularyEntry  # noqa: E402
from parity.campaign.drawn.networks import REGIMES  # noqa: E402
from parity.campaign.drawn.vocabulary import case  # noqa: E402
from parity.config.case import Case, build  # noqa: E402
from parity.config.config import Config  # noqa: E402
from parity.lockstep.run import run  # noqa: E402
from parity.pytorch.deviations import DEVIATIONS  # noqa: E402
from reference.optimizers import OPTIMIZERS  # noqa: E402
from tests.reports.vocabulary.sweep import tally  # noqa: E402

ROUNDS = 25
"""Networks of each regime: 25 × 8 = 200."""
STEPS = 1000
DTYPES = ("float32", "float64")
PAGE = Path(__file__).parents[3] / "reports" / "vocabulary.md"
COLUMNS = (
    *("name", "options tried", "format", "numbers", "ours: worst", "undecided"),
    *("PyTorch: worst", "undecided", "complaints: ours, PyTorch's", "accepted"),
)
HEAD = f"""# The vocabulary, held against PyTorch

Every activation, loss and optimizer, with the options tried, over {ROUNDS * len(REGIMES)} random networks
a format in {len(REGIMES)} regimes ({", ".join(REGIMES)}): numbers compared; of the entry's own
formulas, on each side, the largest share of the bound that any number used, and the share undecided;
complaints about each side. Findings of PyTorch's that concern an entry are accepted and named
([findings](findings.md)); a complaint about *ours* would be a false alarm. Written by
`python -m tests.reports.vocabulary`.

| {" | ".join(COLUMNS)} |
|{"---|" * len(COLUMNS)}
"""
LONG = f"""
## {STEPS:,} steps

Each optimizer trains the data's usual network, state compared after every step.

| optimizer | data | format | numbers | undecided | verdict | accepted |
|---|---|---|---|---|---|---|
"""


def networks(entry: VocabularyEntry, dtype: str) -> Iterator[tuple[str, Case]]:
    """Every regime, every variant in turn."""
    for number in range(ROUNDS):
        for place, regime in enumerate(REGIMES):
            yield f"{regime} {number}", case(entry, number, dtype, regime, 1000 * number + place)


def row(job: tuple[VocabularyEntry, str]) -> str:
    """One line of the first table."""
    entry, dtype = job
    drawn = list(networks(entry, dtype))
    found = tally(entry, dtype, drawn)
    accepted = sorted({name for _, drew in drawn for name in drew.findings})
    options = "; ".join(
        ", ".join(f"{key}={value}" for key, value in variant.items()) or "defaults"
        for variant in entry.variants
    )
    cells = [f"`{entry.name}`", options, dtype, f"{found.numbers:,}"]
    for side in found.sides.values():
        cells += [f"{side.worst:.3f}", f"{side.undecided / max(1, side.numbers):.2%}"]
    cells += [", ".join(str(len(alarms)) for alarms in found.alarms.values()), ", ".join(accepted) or "–"]
    return f"| {' | '.join(cells)} |\n"


def long_row(job: tuple[str, str, str]) -> str:
    """One line of the second table."""
    optimizer, data, dtype = job
    tables = {"network": {"dtype": dtype}, "data": {"name": data}}
    training: dict[str, object] = {"optimizer": optimizer, "steps": STEPS}
    shape = build(Config.model_validate({**tables, "training": training})).architecture
    accepted = [finding.name for finding in DEVIATIONS.values() if finding.applies(shape)]
    result = run(Config.model_validate({**tables, "training": {**training, "accept": accepted}}))
    share = result.undecided / result.numbers_compared
    cells = [f"`{optimizer}`", data, dtype, f"{result.numbers_compared:,}", f"{share:.2%}"]
    return f"| {' | '.join([*cells, result.verdict, ', '.join(accepted) or '–'])} |\n"


def main() -> None:
    """Write the page, whole."""
    with ProcessPoolExecutor(2) as pool:
        rows = list(pool.map(row, [(entry, dtype) for entry in ENTRIES for dtype in DTYPES]))
        jobs = [(name, data, dtype) for name in OPTIMIZERS for data in ("iris", "xor") for dtype in DTYPES]
        long = list(pool.map(long_row, jobs))
    PAGE.write_text(HEAD + "".join(rows) + LONG + "".join(long), encoding="utf-8")


if __name__ == "__main__":
    main()
