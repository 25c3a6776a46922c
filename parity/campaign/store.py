"""A campaign's folder: one file a case and one an answer, each written whole."""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from parity.campaign.case import CampaignAnswer, CampaignCase
from parity.campaign.environment import differing, named
from parity.errors import UsageError
from parity.render.files import make_folder, writable_folder, write_text
from parity.render.texts.message import Message

SCHEMA = "parity-campaign-folder/1"
HEAD = "campaign.json"


@dataclass(frozen=True)
class Aside:
    """A case that was given up: how each of its tries ended, or what was raised beside its judgement."""

    digest: str
    kind: str
    name: str
    format: str
    regime: str
    endings: list[str]


@dataclass(frozen=True)
class Smallest:
    """The smallest case that still fails as another one does, and lines of torch that show it."""

    digest: str
    torch: str | None


class CampaignFolder:
    """The folder `cases/ answers/ aside/ smallest/` and, in `campaign.json`, what it was computed with."""

    def __init__(self, folder: Path) -> None:
        """Open a folder that is there. Raises UsageError for one that is no campaign's."""
        self.path = folder
        head = _read(folder / HEAD)
        if head.get("schema") != SCHEMA:
            raise UsageError(Message("campaign_other_folder", folder=folder))
        self.environments: dict[str, dict[str, Any]] = head["environments"]
        self.done = {*_digests(folder / "answers"), *_digests(folder / "aside")}

    @staticmethod
    def check(folder: Path) -> None:
        """Raise UsageError for a folder that cannot be written to, or is full of something else."""
        writable_folder(folder)
        if not (folder / HEAD).exists() and folder.exists() and any(folder.iterdir()):
            raise UsageError(Message("campaign_other_folder", folder=folder))

    @classmethod
    @contextmanager
    def opened(cls, folder: Path) -> Iterator[CampaignFolder]:
        """A context with a folder that no other campaign writes into; it is made where it is not.

        Raises UsageError for one that cannot be written to, is no campaign's, or is written into now.
        """
        cls.check(folder)
        make_folder(folder)
        handle = os.open(folder, os.O_RDONLY)
        try:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                raise UsageError(Message("campaign_busy", folder=folder)) from None
            if not (folder / HEAD).exists():
                _write(folder / HEAD, {"schema": SCHEMA, "environments": {}})
            for part in ("cases", "answers", "aside", "smallest"):
                make_folder(folder / part)
            yield cls(folder)
        finally:
            os.close(handle)

    def admit(self, environment: Mapping[str, Any]) -> str:
        """An environment's name, once it may stand beside those that are there. Raises UsageError."""
        name = named(environment)
        if name not in self.environments:
            for other in self.environments.values():
                facts = differing(other, environment)
                if facts:
                    raise UsageError(
                        Message(
                            "campaign_mixed",
                            folder=self.path,
                            fact=facts[0],
                            there=other.get(facts[0]),
                            here=environment.get(facts[0]),
                        )
                    )
            self.environments[name] = dict(environment)
            _write(self.path / HEAD, {"schema": SCHEMA, "environments": self.environments})
        return name

    def keep(self, case: CampaignCase, answer: Mapping[str, Any], environment: str) -> None:
        """A case and its answer."""
        self._case(case)
        _write(self.path / "answers" / f"{case.digest}.json", {"environment": environment, **answer})
        self.done.add(case.digest)

    def set_aside(self, case: CampaignCase, endings: list[str]) -> None:
        """A case that has no answer."""
        self._case(case)
        facts = {"kind": case.kind, "name": case.name, "format": case.format, "regime": case.regime}
        _write(
            self.path / "aside" / f"{case.digest}.json",
            {"digest": case.digest, **facts, "endings": endings},
        )
        self.done.add(case.digest)

    def keep_smallest(self, cause: str, case: CampaignCase, torch: str | None) -> None:
        """The smallest case that raises an alarm of a cause."""
        self._case(case)
        _write(self.path / "smallest" / f"{cause}.json", {"digest": case.digest, "torch": torch})

    def answers(self) -> Iterator[tuple[CampaignAnswer, str]]:
        """Every answer, in the order of digests, and the name of its environment. Raises UsageError."""
        for digest in sorted(_digests(self.path / "answers")):
            path = self.path / "answers" / f"{digest}.json"
            held = _read(path)
            try:
                environment = str(held.pop("environment"))
                yield CampaignAnswer.from_json(json.dumps(held)), environment
            except (KeyError, TypeError, ValueError):
                raise UsageError(Message("campaign_broken", file=path)) from None

    def aside(self) -> list[Aside]:
        """The cases that were given up, in the order of digests."""
        folder = self.path / "aside"
        return [Aside(**_read(folder / f"{digest}.json")) for digest in sorted(_digests(folder))]

    def smallest(self, cause: str) -> Smallest | None:
        """The smallest case of a cause, if it was looked for."""
        path = self.path / "smallest" / f"{cause}.json"
        return Smallest(**_read(path)) if path.exists() else None

    def case(self, digest: str) -> CampaignCase:
        """A case that is kept."""
        return CampaignCase.read(self.path / "cases" / f"{digest}.toml")

    def _case(self, case: CampaignCase) -> None:
        path = self.path / "cases" / f"{case.digest}.toml"
        if not path.exists():
            write_text(str(path), case.to_toml())


def _digests(folder: Path) -> Iterator[str]:
    """The names of whole files: what is half written begins with a dot."""
    if folder.is_dir():
        for entry in os.scandir(folder):
            stem, _, suffix = entry.name.rpartition(".")
            if suffix == "json" and not stem.startswith("."):
                yield stem


def _read(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(Message("file_failed", file=path, reason=error)) from None
    except ValueError:
        raise UsageError(Message("campaign_broken", file=path)) from None
    if not isinstance(found, dict):
        raise UsageError(Message("campaign_broken", file=path))
    return found


def _write(path: Path, facts: Mapping[str, Any]) -> None:
    write_text(str(path), json.dumps(facts, ensure_ascii=False))
