"""Is this gradient right? Backpropagation by hand and PyTorch's, certified number by number.

    run(config=None, **options)          the deck's engine and PyTorch in lockstep
    check(subject, **options)            somebody's own backpropagation: the first wrong formula
    model(module, x, y, **options)       any layered torch model, mirrored and trained in lockstep
    watch(*modules, **options)           a context: any training, every operation of it certified
    kernel(candidate, definition, *inputs)   opaque code held to its plain definition, with gradients
    defines(function)                    registers the definition of an autograd.Function for `watch`
    explain(number, **options)           one number worked out by hand
    record(output, **options)            freeze a run into a golden
    replay(*files, **options)            hold goldens against here and now
    diff(a, b, **options)                where two saved runs first differ, beyond rounding

Each does what the command of its name does, with the command's options. A result has `verdict`
("match", "mismatch", "undecided", "incomplete"), `verify()` (itself, or raises Mismatch, an
AssertionError), `to_json()`, `report(folder)`; as a `str` it is what a terminal shows, and in a notebook
a table. A question that is wrong raises UsageError, a ValueError. `help(parity.run)` says more.

A first look:

    >>> import parity
    >>> def step(W, b, x, y, lr, activation):  # your backpropagation; `parity new` writes a template
    ...     ...
    >>> found = parity.check(step)
    >>> found.verdict
    >>> print(found)                           # the first wrong formula, and the mistake by its name
    >>> print(parity.explain("delta1[0,0]", data="xor"))   # a number, worked out by hand

Importing this costs nothing: neither numpy nor PyTorch is imported before a function is first used.
"""

from __future__ import annotations

import sys
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING

from parity.errors import Mismatch, UsageError

if TYPE_CHECKING:
    from parity.public import check, defines, diff, explain, kernel, model, record, replay, run, watch

__version__ = "0.1.0"
__all__ = [
    "run", "check", "model", "watch", "kernel", "defines", "explain", "record", "replay", "diff",
    "Mismatch", "UsageError",
]  # fmt: skip


class _Face(ModuleType):
    """The module itself; what its `__all__` names is loaded when first asked for.

    `parity.check`, `explain`, `kernel` and `watch` are packages too. Whoever imports such a package
    first, Python makes it an attribute here; there it learns to be called as the function of its name.
    """

    def __getattr__(self, name: str) -> object:
        if name not in __all__:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        found = getattr(import_module("parity.public"), name)
        return self.__dict__.setdefault(name, found)  # a package of that name is there by now

    def __setattr__(self, name: str, value: object) -> None:
        if name in __all__ and isinstance(value, ModuleType):
            value.__class__ = _CallablePackage
        super().__setattr__(name, value)

    def __dir__(self) -> list[str]:
        return sorted({*super().__dir__(), *__all__})


class _CallablePackage(ModuleType):
    """A package that is called as the public function of its name."""

    def __call__(self, *arguments: object, **options: object) -> object:
        function = getattr(import_module("parity.public"), self.__name__.rpartition(".")[2])
        return function(*arguments, **options)


sys.modules[__name__].__class__ = _Face
