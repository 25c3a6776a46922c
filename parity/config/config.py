"""The config of a run: a TOML file, options that override it, and defaults."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, TypeAlias

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    JsonValue,
    ValidationError,
    field_validator,
    model_validator,
)

from parity.config.modules import module_rows
from parity.config.names import Named
from parity.errors import UsageError
from parity.render.texts.message import Message

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

MAX_UNITS, MAX_DEPTH, MAX_PARAMETERS, MAX_STEPS = 100_000, 1_000, 50_000_000, 10**9
"""Limits of a config, so that a typing error does not exhaust the machine's memory."""

Units: TypeAlias = Annotated[int, Field(ge=1, le=MAX_UNITS, strict=True)]
Number: TypeAlias = Annotated[float, Field(allow_inf_nan=False)]
NumberRow: TypeAlias = Annotated[list[Number], Field(min_length=1)]
OPTIONS = {"data.name": "data", "data.path": "data"}
"""Keys whose command-line option has a different name."""


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class NetworkTable(_Table):
    """The table `[network]`."""

    layers: Annotated[list[Units], Field(min_length=2, max_length=MAX_DEPTH)] | None = None
    activation: Named | list[Named] = "sigmoid"
    dtype: Literal["float32", "float64"] = "float32"
    initialiser: Named | None = None
    bias_initialiser: Named | None = None
    parameters: dict[str, list[NumberRow] | NumberRow] | None = None
    modules: Annotated[list[dict[str, JsonValue]], Field(min_length=1, max_length=MAX_DEPTH)] | None = None

    @field_validator("modules")
    @classmethod
    def _readable(cls, modules: list[dict[str, JsonValue]] | None) -> list[dict[str, JsonValue]] | None:
        module_rows(modules or [])
        return modules

    @model_validator(mode="after")
    def _alone(self) -> NetworkTable:
        fields = type(self).model_fields
        others = [
            key
            for key in sorted(self.model_fields_set - {"modules", "dtype"})
            if getattr(self, key) != fields[key].default
        ]
        if self.modules and others:
            raise ValueError(Message("modules_alone", key=others[0]))
        return self

    @model_validator(mode="after")
    def _bounded(self) -> NetworkTable:
        pairs = zip(self.layers or [], (self.layers or [])[1:], strict=False)
        if sum((fan_in + 1) * fan_out for fan_in, fan_out in pairs) > MAX_PARAMETERS:
            raise ValueError(Message("config_parameters", most=f"{MAX_PARAMETERS:,}"))
        return self


class DataTable(_Table):
    """The table `[data]`: a name, or a CSV file and its target column, or the rows themselves."""

    name: Literal["digits", "iris", "sonnets", "xor"] | None = None
    path: str | None = None
    target: str | None = None
    x: Annotated[list[NumberRow], Field(min_length=1)] | None = None
    y: Annotated[list[NumberRow], Field(min_length=1)] | None = None

    @model_validator(mode="after")
    def _one_source(self) -> DataTable:
        if (self.x is None) != (self.y is None):
            raise ValueError(Message("config_x_and_y"))
        sources = [key for key in ("name", "path", "x") if getattr(self, key) is not None]
        if len(sources) > 1:
            raise ValueError(Message("config_one_source", sources=", ".join(sources)))
        if self.target is not None and self.path is None:
            raise ValueError(Message("config_no_csv"))
        return self


class TrainingTable(_Table):
    """The table `[training]`; lr, steps and batch default to values that depend on the data."""

    loss: Named = "mse"
    optimizer: Named = "sgd"
    clip: Named | None = None
    lr: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = None
    steps: Annotated[int, Field(ge=1, le=MAX_STEPS)] | None = None
    batch: Annotated[int, Field(ge=0)] | None = None
    seed: Annotated[int, Field(ge=0, lt=2**63)] = 0
    accept: list[str] = []  # findings in PyTorch's numbers that are not counted


class Config(_Table):
    """A config: three tables, all optional."""

    network: NetworkTable = NetworkTable()
    data: DataTable = DataTable()
    training: TrainingTable = TrainingTable()

    def to_json(self) -> dict[str, JsonValue]:
        """The settings that were given, without defaults."""
        dumped: dict[str, JsonValue] = self.model_dump(mode="json", exclude_none=True)
        return dumped


def read(source: Path | Mapping[str, object] | None, options: Mapping[str, JsonValue]) -> Config:
    """Read a config from a file or from tables, overridden by options: {"training.lr": 0.5, …}.

    An option of None counts as not given. Raises UsageError with one line that names the file or the
    option, the key and the reason.
    """
    path = source if isinstance(source, Path) else None
    tables: dict[str, dict[str, JsonValue]] = _toml(path) if path else _tables(source)
    given = {key: value for key, value in options.items() if value is not None}
    if any(key.startswith("data.") and key != "data.target" for key in given):
        tables["data"] = {}  # a data option replaces the file's whole [data] table
    for key, value in given.items():
        table, _, name = key.partition(".")
        if not isinstance(tables.setdefault(table, {}), dict):
            raise UsageError(Message("config_table", file=path, table=table))
        tables[table][name] = value
    try:
        return Config.model_validate(tables)
    except ValidationError as error:
        raise UsageError(_one_line(error, path, given)) from None


def _tables(source: object) -> dict[str, dict[str, JsonValue]]:
    """Copies of tables given as a mapping, since options may change them."""
    given = source if isinstance(source, Mapping) else {}
    return {str(key): dict(table) if isinstance(table, Mapping) else table for key, table in given.items()}


def _toml(path: Path) -> dict[str, dict[str, JsonValue]]:
    try:
        with path.open("rb") as file:
            return tomllib.load(file)
    except OSError as error:
        raise UsageError(Message("file_failed", file=path, reason=error)) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(Message("not_toml", file=path, reason=toml_complaint(error, path))) from None


def toml_complaint(error: tomllib.TOMLDecodeError | UnicodeDecodeError, path: Path) -> Message:
    """Where a file stops being TOML, and the line that stands there."""
    place = re.search(r"\(at line (\d+), column (\d+)\)$", str(error))
    if isinstance(error, UnicodeDecodeError) or not place:
        return Message("toml_no_utf8" if isinstance(error, UnicodeDecodeError) else "toml_ends")
    line = path.read_text(encoding="utf-8").splitlines()[int(place[1]) - 1].strip()
    return Message("toml_at", line=place[1], column=place[2], text=line[:80])


def complaint(found: ErrorDetails) -> Message:
    """What pydantic complains of, as a message."""
    context = found.get("ctx", {})
    context |= {"expected": str(context.get("expected")).replace(" or ", ", ")}
    if isinstance(context.get("error"), ValueError):
        return Message.about(context["error"])
    named = Message.known(f"config_{found['type']}", context)
    return named or Message("own_words", failure=found["msg"])


def _one_line(error: ValidationError, path: Path | None, given: Mapping[str, JsonValue]) -> Message:
    """The first validation error as one line: where, which key, why."""
    first = error.errors()[0]
    keys = [part for part in first["loc"] if not _is_union_tag(part)]
    dotted = ".".join(str(key) for key in keys[:2])
    if dotted in given:
        where = f"--{OPTIONS.get(dotted, str(keys[1]))}"
    else:
        where = f"{path or 'config'}: {_key(keys)}"
    found = first["input"]
    reason = complaint(first)
    if dotted == "data.name":
        reason = Message("config_or_csv", reason=reason)
    if isinstance(found, str | int | float):
        reason = Message("config_not", reason=reason, found=repr(found))
    return Message("file_failed", file=where, reason=reason)


def _is_union_tag(part: str | int) -> bool:
    """Whether part of a location is a union member's tag ("list[int]", "constrained-str"), not a key."""
    return (isinstance(part, str) and not part.replace("_", "").isalnum()) or part in (
        "str",
        "float",
        "bool",
    )


def _key(parts: list[str | int]) -> str:
    """A key as written in messages: `network.layers[1]`."""
    text = ""
    for part in parts:
        text += f"[{part}]" if isinstance(part, int) else f".{part}"
    return text.lstrip(".") or "(top)"
