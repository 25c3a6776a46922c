"""The committed goldens, by one command: `python -m tests.goldens`.

A tiny network for each activation and both formats, two steps of XOR. Goldens that are inside their
bounds are left as they are, to the byte; new activations get theirs.
"""

from __future__ import annotations

import sys
from itertools import product
from pathlib import Path

from pydantic import JsonValue

from parity.lockstep import openblas as kernel

if __name__ == "__main__":
    kernel.choose()  # as the command line does, before numpy is imported

from parity.config.config import Config
from parity.golden import RecordedGolden, update
from parity.lockstep.run import run
from parity.pytorch.deviations import DEVIATIONS
from reference.operations.activations import ACTIVATIONS

FOLDER = Path(__file__).parent
DTYPES = ("float32", "float64")
WITHOUT_DEFAULTS = {"threshold": {"threshold": 0.1, "value": 0.0}}
"""Activations whose parameters PyTorch has no defaults for."""


def config(activation: str, dtype: str, seed: int, *, throughout: bool = True) -> Config:
    """2-3-1 on XOR: every formula of the deck, in two layers, in a file of a few kilobytes."""
    named: JsonValue = activation
    if activation in WITHOUT_DEFAULTS:
        named = {"name": activation, **WITHOUT_DEFAULTS[activation]}
    accept = [name for name in DEVIATIONS if name == f"{activation}-{dtype}"]
    if not throughout:
        named = [named, "sigmoid"]
    tables = {
        "network": {"layers": [2, 3, 1], "activation": named, "dtype": dtype},
        "data": {"name": "xor"},
        "training": {"lr": 0.5, "steps": 2, "batch": 0, "seed": seed, "accept": accept},
    }
    return Config.model_validate(tables)


def telling(activation: str, dtype: str) -> Config:
    """The first seed with which every formula could have failed: no unit is dead in all samples.

    What cannot be told of one output alone, as of softmax's, stands in the hidden layer only.
    """
    for throughout, seed in product((True, False), range(100)):
        asked = config(activation, dtype, seed, throughout=throughout)
        result = run(asked, torch=False)
        if result.verdict == "match" and not any(row.vacuous for row in result.formulas):
            return asked
    raise ValueError(f"{activation}: with every seed some formula is vacuous")


def golden(activation: str, dtype: str) -> RecordedGolden:
    """Make it, or change it if it is outside its bounds."""
    path = FOLDER / f"{activation}-{dtype}.safetensors"
    return update(path, None if path.exists() else telling(activation, dtype))


def main() -> int:
    made = [golden(activation, dtype) for activation in ACTIVATIONS for dtype in DTYPES]
    for recorded in made:
        print(f"{recorded.path.name}: {recorded.outcome}")
    return max(recorded.exit_code for recorded in made)


if __name__ == "__main__":
    sys.exit(main())
