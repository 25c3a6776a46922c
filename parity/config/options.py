"""The options of a case, listed once for the command line, Python and the pytest plugin."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from parity.errors import UsageError
from parity.render.texts.message import Message, unknown

if TYPE_CHECKING:
    from pydantic import JsonValue

    from parity.config.config import Config

NETWORK, TRAINING = "network", "training"


def parse_layers(text: str) -> list[int]:
    """Layer sizes from text like `64-32-10`. Raises UsageError for anything else."""
    try:
        return [int(part) for part in text.split("-")]
    except ValueError:
        raise UsageError(Message("layers_text", text=text)) from None


def parse_names(text: str) -> list[str] | str:
    """A single name for all layers, or a list from names separated by commas."""
    names = [name.strip() for name in text.split(",")]
    return names if len(names) > 1 else names[0]


@dataclass(frozen=True)
class CaseOption:
    """An option of a case.

    `key` is its key in a config, `kind` its type on the command line, and `read` parses its text.
    """

    name: str
    key: str
    metavar: str
    panel: str
    kind: object = str
    read: Callable[[str], object] = str


CASE_OPTIONS = {
    option.name: option
    for option in (
        CaseOption(
            "data",
            "data.name",
            "digits|iris|sonnets|xor|FILE.csv",
            NETWORK,
        ),
        CaseOption("target", "data.target", "COLUMN", NETWORK),
        CaseOption("layers", "network.layers", "64-32-10", NETWORK, read=parse_layers),
        CaseOption(
            "activation",
            "network.activation",
            "NAME[,NAME…]",
            NETWORK,
            read=parse_names,
        ),
        CaseOption("dtype", "network.dtype", "float32|float64", NETWORK),
        CaseOption("loss", "training.loss", "NAME", TRAINING),
        CaseOption("optimizer", "training.optimizer", "NAME", TRAINING),
        CaseOption("lr", "training.lr", "ETA", TRAINING, float),
        CaseOption("steps", "training.steps", "N", TRAINING, int),
        CaseOption("batch", "training.batch", "N", TRAINING, int),
        CaseOption("seed", "training.seed", "N", TRAINING, int),
        CaseOption(
            "accept",
            "training.accept",
            "FINDING",
            TRAINING,
            list[str],
        ),
    )
}


def read_config(source: Path | Mapping[str, object] | None, given: Mapping[str, object]) -> Config:
    """Read a config from a file or from tables, overridden by options, by name; None: not given.

    Raises UsageError for an unknown option, and like `parity.config.config.read`.
    """
    from parity.config.config import read

    wrong = [name for name in given if name not in CASE_OPTIONS]
    if wrong:
        raise unknown("option", wrong[0], CASE_OPTIONS)
    overlay: dict[str, JsonValue] = {}
    for name, value in given.items():
        option = CASE_OPTIONS[name]
        text = isinstance(value, str | Path)
        overlay[option.key] = option.read(str(value)) if text else value  # type: ignore[assignment] # see read
    if str(overlay.get("data.name", "")).lower().endswith(".csv"):
        overlay["data.path"] = overlay.pop("data.name")
    return read(source, overlay)
