"""Writes files atomically, and checks output paths before the work."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from parity.errors import UsageError
from parity.render.texts.message import Message


@contextmanager
def written_whole(path: Path) -> Iterator[Path]:
    """Context with a temporary path that replaces `path` on success and is removed on failure.

    What is no regular file, such as /dev/stderr or a pipe, is written into and not replaced.
    Raises UsageError if the folder or the file cannot be written to.
    """
    special = path.exists() and not path.is_file()
    try:
        handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=None if special else path.parent)
    except OSError as error:
        raise UsageError(Message("cannot_be_written", file=path, reason=error)) from None
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        if special:
            path.write_bytes(temporary.read_bytes())
            return
        umask = os.umask(0)
        os.umask(umask)
        temporary.chmod(
            0o666 & ~umask
        )  # mkstemp creates private files, but results should have normal permissions
        os.replace(temporary, path)
    except OSError as error:
        raise UsageError(Message("cannot_be_written", file=path, reason=error)) from None
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def stdout_to_stderr() -> Iterator[None]:
    """Whatever is printed meanwhile goes to stderr, other processes' output too: stdout is for a result."""
    sys.stdout.flush()
    kept = os.dup(1)
    os.dup2(2, 1)
    try:
        yield
    finally:
        sys.stdout.flush()
        os.dup2(kept, 1)
        os.close(kept)


def writable(path: str) -> None:
    """Check that a file can be written, before the work. Raises UsageError. `-` is stdout."""
    if path == "-":
        return
    target = Path(path)
    if target.is_dir():
        raise UsageError(Message("is_folder", file=path))
    if not target.parent.is_dir():
        raise UsageError(Message("no_folder", file=path, folder=target.parent))
    if not os.access(target.parent, os.W_OK):
        raise UsageError(Message("folder_readonly", file=path))


def writable_folder(path: Path) -> None:
    """Check that a folder can be created or written into, without creating it. Raises UsageError."""
    existing = next((place for place in (path, *path.absolute().parents) if place.exists()), path)
    if not existing.is_dir():
        raise UsageError(Message("not_folder", file=path, folder=existing))
    if not os.access(existing, os.W_OK):
        raise UsageError(Message("folder_readonly_at", file=path, folder=existing))


def make_folder(path: Path) -> None:
    """Create a folder if it does not exist. Raises UsageError."""
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(Message("cannot_be_made", file=path, reason=error)) from None


def write_folder(folder: Path, texts: Mapping[str, str]) -> list[Path]:
    """Write texts by their names into a folder, which is made where it is not. Raises UsageError."""
    make_folder(folder)
    for name, text in texts.items():
        write_text(str(folder / name), text)
    return [folder / name for name in texts]


def write_text(path: str, text: str) -> None:
    """Write a text atomically, with a final newline; `-` is stdout."""
    if path == "-":
        sys.stdout.write(text.rstrip("\n") + "\n")
        return
    with written_whole(Path(path)) as temporary:
        temporary.write_text(text.rstrip("\n") + "\n", encoding="utf-8")
