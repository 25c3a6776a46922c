"""Options that several commands share. Names, precedence and meaning: one place."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pydantic import JsonValue

    from parity.config.config import Config
    from parity.lockstep.run import Peer

NETWORK, TRAINING, OUTPUT = "Network and data", "Training", "Output"

ConfigFile = Annotated[
    Path | None,
    typer.Option(
        "--config", metavar="FILE.toml", help="Read the case from a TOML file.", rich_help_panel=NETWORK
    ),
]
Data = Annotated[
    str | None,
    typer.Option(
        metavar="digits|iris|xor|FILE.csv",
        help="Data to train on (default: digits).",
        rich_help_panel=NETWORK,
    ),
]
Target = Annotated[
    str | None,
    typer.Option(
        metavar="COLUMN", help="Target column of a CSV (default: the last).", rich_help_panel=NETWORK
    ),
]
Layers = Annotated[
    str | None,
    typer.Option(metavar="64-32-10", help="Layer sizes, input first.", rich_help_panel=NETWORK),
]
Activation = Annotated[
    str | None,
    typer.Option(
        metavar="NAME[,NAME…]",
        help="One activation for all layers, or one a layer (default: sigmoid).",
        rich_help_panel=NETWORK,
    ),
]
Dtype = Annotated[
    str | None,
    typer.Option(
        metavar="float32|float64", help="Number format (default: float32).", rich_help_panel=NETWORK
    ),
]
Loss = Annotated[
    str | None, typer.Option(metavar="NAME", help="Loss (default: mse).", rich_help_panel=TRAINING)
]
Optimizer = Annotated[
    str | None, typer.Option(metavar="NAME", help="Optimizer (default: sgd).", rich_help_panel=TRAINING)
]
Lr = Annotated[
    float | None,
    typer.Option(metavar="ETA", help="Learning rate η (default: by data).", rich_help_panel=TRAINING),
]
Steps = Annotated[
    int | None,
    typer.Option(metavar="N", help="Training steps (default: by data).", rich_help_panel=TRAINING),
]
Batch = Annotated[
    int | None,
    typer.Option(
        metavar="N", help="Samples a step; 0 takes all (default: by data).", rich_help_panel=TRAINING
    ),
]
Seed = Annotated[
    int | None,
    typer.Option(
        metavar="N", help="Seed of weights, batches and split (default: 0).", rich_help_panel=TRAINING
    ),
]
Accept = Annotated[
    list[str] | None,
    typer.Option(
        metavar="FINDING",
        help="Do not count this finding in PyTorch's numbers (reports/findings.md); may be repeated.",
        rich_help_panel=TRAINING,
    ),
]
Json = Annotated[
    str | None,
    typer.Option("--json", metavar="FILE|-", help="Write the result as JSON.", rich_help_panel=OUTPUT),
]
Report = Annotated[
    Path | None,
    typer.Option(
        "--report",
        metavar="DIR",
        help="Write the side-by-side page (one offline HTML file, English and Spanish), Markdown and JSON.",
        rich_help_panel=OUTPUT,
    ),
]
Lang = Annotated[
    str, typer.Option(metavar="en|es", help="Language of what is printed.", rich_help_panel=OUTPUT)
]
Threads = Annotated[
    int,
    typer.Option(metavar="N", min=1, help="Threads of numpy and of torch, each.", rich_help_panel=OUTPUT),
]


def read_config(path: Path | None, given: Mapping[str, JsonValue]) -> Config:
    """The config of a file with the options over it. `given` has the options' own names."""
    from parity.config.case import parse_layers
    from parity.config.config import read

    data = given.get("data")
    layers, activation = given.get("layers"), given.get("activation")
    is_file = isinstance(data, str) and data.lower().endswith(".csv")
    options: dict[str, JsonValue] = {
        "network.layers": list(parse_layers(layers)) if isinstance(layers, str) else None,
        "network.activation": _names(activation) if isinstance(activation, str) else None,
        "network.dtype": given.get("dtype"),
        "data.path" if is_file else "data.name": data,
        "data.target": given.get("target"),
    }
    for name in ("loss", "optimizer", "lr", "steps", "batch", "seed", "accept"):
        options[f"training.{name}"] = given.get(name)
    return read(path, options)


def read_model(spec: str, config: Config) -> Peer:
    """The torch model that `--model` names. Raises UsageError, and EnvironmentUnfit without torch."""
    from parity.lockstep.environment import require_torch

    require_torch()
    from parity.pytorch.imported.case import ModelPeer
    from parity.pytorch.imported.load import load

    return ModelPeer(spec, load(spec, config.training.seed))


def _names(text: str) -> JsonValue:
    """One name for all layers, or names separated by commas."""
    names: list[JsonValue] = [name.strip() for name in text.split(",")]
    return names[0] if len(names) == 1 else names


def reproduction(command: str, path: Path | None, given: Mapping[str, JsonValue]) -> str:
    """The command line that asks the same question again."""
    import shlex

    words = ["parity", command, *(["--config", str(path)] if path else [])]
    for name, value in given.items():
        for one in value if isinstance(value, list) else [value]:
            if one is not None:
                words += [f"--{name.replace('_', '-')}", str(one)]
    return shlex.join(words)
