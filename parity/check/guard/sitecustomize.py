"""Keeps the verifier's own mathematics out of a subject's process, and of every Python that it starts.

Python imports `sitecustomize` before anything else, and `parity.check.process` puts this folder first
on PYTHONPATH. An audit hook, which cannot be taken out again, refuses to open a file of `reference` or
`parity`, however it is asked for: by an import, `importlib`, `runpy` or a plain `open`.
"""

import importlib
import os
import sys


def _refuse_to_open(package: str, others: frozenset[str]) -> None:
    """Close a package's folder, and that of `reference` beside it; `others` may be read all the same.

    What decides is held in a closure: nothing that a subject does to this module changes it.
    """
    closed = (package + os.sep, os.path.join(os.path.dirname(package), "reference") + os.sep)
    realpath, decoded = os.path.realpath, os.fsdecode

    def refuse(event: str, arguments: tuple[str | bytes | int, ...]) -> None:
        if event != "open":
            return
        path = arguments[0]
        if isinstance(path, int) or path is None:
            return
        place = realpath(decoded(path))
        if place.startswith(closed) and place not in others:
            raise ImportError("a subject may not use the verifier's own mathematics")

    sys.addaudithook(refuse)


_here = os.path.dirname(os.path.realpath(__file__))
_check = os.path.dirname(_here)
sys.path[:] = [entry for entry in sys.path if os.path.realpath(entry or ".") != _here]
# What runs the subject, and this file, which a traceback may quote: nothing in them judges.
_runs = (os.path.join(_check, name) for name in ("worker.py", "tracer.py"))
_refuse_to_open(os.path.dirname(_check), frozenset((*_runs, os.path.realpath(__file__))))
_own = sys.modules.pop(__name__)
try:
    importlib.import_module(__name__)  # the environment's own, which this one stands before
except ImportError:
    sys.modules[__name__] = _own
