"""Data to train on: four sets that ship with the package, and CSV files.

The README.md in this folder lists the data files, their sources and licences.
"""

from __future__ import annotations

import gzip
from dataclasses import replace
from importlib import resources
from pathlib import Path

import numpy as np

from parity.config.datasets.dataset import Dataset, accuracy, split
from parity.config.datasets.encoding import encode, one_hot, scaled
from parity.config.datasets.table import read_table, shown
from parity.errors import UsageError
from parity.render.texts.message import Message

__all__ = ["Dataset", "accuracy", "load", "split"]


def load(name: str, target: str | None = None) -> Dataset:
    """Data by name (digits, iris, sonnets, xor), or from a CSV file with its `target` column.

    Raises UsageError for an unknown name and for a file that cannot be used.
    """
    if name in SHIPPED:
        if target is not None:
            raise UsageError(Message("target_only_csv", target=repr(target), name=name))
        return SHIPPED[name]()
    if not name.lower().endswith(".csv"):
        raise UsageError(Message("data_unknown", name=repr(name), known=", ".join(SHIPPED)))
    return from_csv(Path(name), target)


def from_csv(path: Path, target: str | None = None) -> Dataset:
    """Data from a CSV file: features scaled to [0, 1]; the target as one-hot classes or as numbers.

    Text and a few distinct integers are classes; anything else is a regression.
    """
    table = read_table(path, target)
    try:
        y, classes = encode(table.texts, table.numbers, table.target)
    except UsageError as error:
        raise UsageError(Message("file_failed", file=shown(path), reason=error)) from None
    return Dataset(path.name, scaled(table.x), y, classes, table.features, str(path))


def digits() -> Dataset:
    """1,797 handwritten digits of 8 × 8 pixels: x (1797, 64), y (1797, 10)."""
    packed = resources.files(__name__) / "digits.csv.gz"
    with packed.open("rb") as raw, gzip.open(raw, "rt", encoding="utf-8") as file:
        header = file.readline().strip().split(",")
        values = np.loadtxt(file, delimiter=",", dtype=np.float64)
    classes = tuple(str(digit) for digit in range(10))
    return Dataset(
        "digits",
        values[:, :-1] / 16,  # the largest possible value of a pixel
        one_hot(values[:, -1].astype(np.int64), len(classes)),
        classes,
        tuple(header[:-1]),
        "E. Alpaydin, C. Kaynak (1998), Optical Recognition of Handwritten Digits, UCI, test set, "
        "https://doi.org/10.24432/C50P49, CC BY 4.0",
    )


def iris() -> Dataset:
    """150 iris flowers of three species: x (150, 4), y (150, 3)."""
    with resources.as_file(resources.files(__name__) / "iris.csv") as path:
        return replace(
            from_csv(path),
            name="iris",
            source="R. A. Fisher (1936), Iris, UCI, with Fisher's two values that differ there, "
            "https://doi.org/10.24432/C56C76, CC BY 4.0",
        )


CONTEXT = 16
"""Characters of the sonnets from which the next one is told."""


def sonnets() -> Dataset:
    """Five sonnets, character by character: x (samples, 16 K), y (samples, K), of K characters.

    A sample's x is the one-hot encoding of 16 characters that follow each other, y that of the next one.
    """
    text = (resources.files(__name__) / "sonnets.txt").read_text(encoding="utf-8").lower()
    characters = sorted(set(text))
    codes = one_hot(np.array([characters.index(character) for character in text]), len(characters))
    windows = np.lib.stride_tricks.sliding_window_view(codes, CONTEXT, axis=0)[:-1]
    classes = tuple({"\n": "newline", " ": "space"}.get(character, character) for character in characters)
    return Dataset(
        "sonnets",
        np.swapaxes(windows, 1, 2).reshape(len(windows), -1),
        codes[CONTEXT:],
        classes,
        tuple(f"{back} before: {name}" for back in range(CONTEXT, 0, -1) for name in classes),
        "W. Shakespeare (1609), Sonnets 18, 29, 73, 116 and 130, in modern spelling, public domain",
    )


def xor() -> Dataset:
    """Exclusive or, the smallest problem that needs a hidden layer: x (4, 2), y (4, 1)."""
    x = np.array([[0, 0], [0, 1], [1, 0], [1, 1]], dtype=np.float64)
    y = np.array([[0], [1], [1], [0]], dtype=np.float64)
    return Dataset("xor", x, y, None, ("p", "q"), "p ≠ q, all four cases")


SHIPPED = {"digits": digits, "iris": iris, "sonnets": sonnets, "xor": xor}
