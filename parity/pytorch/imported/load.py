"""`module:name`: where a model, a function or anything else of somebody's program comes from."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType

import torch

from parity.errors import UsageError, quoted
from parity.render.texts.message import Message


def load(spec: str, seed: int) -> torch.nn.Module:
    """The model that `package.module:factory` or `file.py:factory` names, drawn with the seed.

    The factory is a function or class that needs no arguments, or a model that stands ready. Raises
    UsageError, in one line, for whatever goes wrong on the way.
    """
    torch.manual_seed(seed)
    (found,) = named({"--model": spec})
    if isinstance(found, torch.nn.Module):
        return found
    with _said("--model", spec):
        model = found()  # type: ignore[operator] # what cannot be called says so itself
    if not isinstance(model, torch.nn.Module):
        raise UsageError(Message("model_gave", spec=spec, kind=type(model).__name__))
    return model


def named(asked: Mapping[str, str]) -> list[object]:
    """What each `package.module:name` or `file.py:name` names, by the option that asks; a file runs once.

    Raises UsageError, in one line that begins with the option, for whatever goes wrong on the way.
    """
    modules: dict[str, ModuleType] = {}
    found = []
    for option, spec in asked.items():
        where, _, name = spec.rpartition(":")
        if not where or not name.isidentifier():
            kind = "factory" if option == "--model" else "name"
            raise UsageError(Message("load_expected", option=option, spec=spec, kind=kind))
        with _said(option, spec):
            modules[where] = modules.get(where) or _module(f"{option} {spec}", where)
            found.append(getattr(modules[where], name))
    return found


@contextmanager
def _said(option: str, spec: str) -> Iterator[None]:
    """What somebody's program raises, in one line."""
    try:
        yield
    except UsageError:
        raise
    except (Exception, SystemExit) as error:
        said = quoted(error)
        raise UsageError(
            Message("load_raised", option=option, spec=spec, kind=type(error).__name__, reason=said)
        ) from None


def _module(asked: str, where: str) -> ModuleType:
    """The module, from a file or from the folder one stands in."""
    if not where.endswith(".py"):
        sys.path.insert(0, str(Path.cwd()))
        return importlib.import_module(where)
    file = Path(where).resolve()
    if not file.is_file():
        raise UsageError(Message("load_no_file", asked=asked, file=where))
    sys.path.insert(0, str(file.parent))
    found = importlib.util.spec_from_file_location(file.stem, file)
    assert found is not None
    assert found.loader is not None
    module = importlib.util.module_from_spec(found)
    sys.modules[file.stem] = module
    found.loader.exec_module(module)
    return module
