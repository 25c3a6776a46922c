"""`module:factory`: where a model comes from."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import torch

from parity.errors import UsageError


def load(spec: str, seed: int) -> torch.nn.Module:
    """The model that `package.module:factory` or `file.py:factory` names, drawn with the seed.

    The factory is a function or class that needs no arguments, or a model that stands ready. Raises
    UsageError, in one line, for whatever goes wrong on the way.
    """
    where, _, name = spec.rpartition(":")
    if not where or not name.isidentifier():
        raise UsageError(f"--model {spec}: expected module:factory or file.py:factory")
    torch.manual_seed(seed)
    try:
        found = getattr(_module(spec, where), name)
        model = found if isinstance(found, torch.nn.Module) else found()
    except UsageError:
        raise
    except (Exception, SystemExit) as error:
        said = " ".join(str(error).split())[:300]
        raise UsageError(f"--model {spec}: {type(error).__name__}: {said}") from None
    if not isinstance(model, torch.nn.Module):
        raise UsageError(f"--model {spec}: gave {type(model).__name__}, no torch.nn.Module")
    return model


def _module(spec: str, where: str) -> ModuleType:
    """The module, from a file or from the folder one stands in."""
    if not where.endswith(".py"):
        sys.path.insert(0, str(Path.cwd()))
        return importlib.import_module(where)
    file = Path(where).resolve()
    if not file.is_file():
        raise UsageError(f"--model {spec}: there is no file {where}")
    sys.path.insert(0, str(file.parent))
    found = importlib.util.spec_from_file_location(file.stem, file)
    assert found is not None
    assert found.loader is not None
    module = importlib.util.module_from_spec(found)
    sys.modules[file.stem] = module
    found.loader.exec_module(module)
    return module
