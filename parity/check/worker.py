"""Runs somebody's `step` in a process of its own: `worker.py FOLDER REQUEST`. Nothing here judges.

Reads `call0.safetensors`, … from FOLDER, calls `step` once for each and writes what it returned as
`answer0.safetensors`, …, or why not as `answer0.json`. It stands alone: the standard library and
numpy, whose functions it takes before the subject can exchange them. What it writes is only numbers;
the parent judges them, so nothing that happens in this process can turn a wrong number into a right one.
"""

import importlib
import importlib.util
import json
import os
import struct
import sys
import traceback
from collections.abc import Callable, Mapping
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

# Taken now: what the subject does to these modules later does not change these names.
asarray, frombuffer, contiguous = np.asarray, np.frombuffer, np.ascontiguousarray
ndarray, float64, int64 = np.ndarray, np.float64, np.int64
dump, load = json.dumps, json.loads

Tensors: TypeAlias = dict[str, NDArray[np.generic]]
Facts: TypeAlias = dict[str, str | int | bool | dict[str, str] | None]

FORMATS = {"F32": "<f4", "F64": "<f8"}
CODES = {"f2": "F16", "f4": "F32", "f8": "F64", "i4": "I32", "i8": "I64", "b1": "BOOL"}
PER_LAYER = ("z", "a", "delta", "dW", "db", "W", "b")
TURNED = ("W", "x", "y")


EMPTY = "nothing is filled in yet: {keys} are empty; write the formulas, and check again"


class UnusableError(Exception):
    """What `step` returned is not what the contract says: a text, and the facts that are inserted in it."""

    def __init__(self, text: str, /, **facts: object) -> None:
        super().__init__(text.format(**facts))
        self.text, self.facts = text, {name: str(fact) for name, fact in facts.items()}


def read(path: str) -> tuple[Tensors, dict[str, str]]:
    """The tensors of a safetensors file, and its metadata."""
    with open(path, "rb") as file:
        (size,) = struct.unpack("<Q", file.read(8))
        header, data = load(file.read(size)), file.read()
    facts = header.pop("__metadata__", {})
    tensors: Tensors = {}
    for name, entry in header.items():
        begin, end = entry["data_offsets"]
        flat = frombuffer(data[begin:end], dtype=FORMATS[entry["dtype"]])
        tensors[name] = flat.reshape(entry["shape"]).copy()
    return tensors, facts


def write(path: str, tensors: Tensors) -> None:
    """A safetensors file, whole or not at all."""
    header: dict[str, dict[str, object]] = {}
    blobs: list[bytes] = []
    offset = 0
    for name, tensor in tensors.items():
        blob = tensor.tobytes()
        header[name] = {
            "dtype": CODES[tensor.dtype.str[1:]],
            "shape": list(tensor.shape),
            "data_offsets": [offset, offset + len(blob)],
        }
        blobs.append(blob)
        offset += len(blob)
    text = dump(header).encode()
    text += b" " * (-len(text) % 8)
    with open(path + ".part", "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text + b"".join(blobs))
    os.replace(path + ".part", path)


def as_array(value: object, name: str, number_format: np.dtype[np.generic]) -> NDArray[np.generic]:
    """What a value holds: an array's, a tensor's, or (nested) lists' numbers, in this machine's byte order.

    Lists have no format of their own; what is finer than double precision is rounded to that. Raises
    UnusableError for what holds no numbers.
    """
    detach = getattr(value, "detach", None)  # a tensor of torch, which may be part of a graph
    held = detach().cpu() if callable(detach) else value
    lists = isinstance(held, (list, tuple, int, float)) and not hasattr(held, "__array__")
    if not (lists or hasattr(held, "__array__")):
        raise UnusableError(
            "{name} is {kind}, where an array belongs", name=name, kind=type(value).__name__
        )
    try:
        array = asarray(held)
        if array.dtype == object:
            array = array.astype(float64)
    except (TypeError, ValueError) as error:
        raise UnusableError("{name} holds no array of numbers: {error}", name=name, error=error) from None
    if array.dtype.kind not in "fiub":
        raise UnusableError("{name} holds {dtype}, which are not floats", name=name, dtype=array.dtype)
    if lists:
        array = array.astype(number_format)
    if array.dtype.str[1:] not in CODES:
        array = array.astype(float64 if array.dtype.kind == "f" else int64)
    return contiguous(array, array.dtype.newbyteorder("=")).reshape(array.shape)


def named(answer: object, depth: int, number_format: np.dtype[np.generic]) -> Tensors:
    """The tensors of what `step` returned, by their names in a trace. Raises UnusableError."""
    if not isinstance(answer, dict):
        raise UnusableError("step returned {kind}, where a dict belongs", kind=type(answer).__name__)
    lists = [value for value in answer.values() if isinstance(value, list)]
    if lists and all(part is None for value in lists for part in value):
        keys = ", ".join(answer)
        raise UnusableError(EMPTY, keys=keys)
    tensors: Tensors = {}
    for key, value in answer.items():
        if key == "loss":
            tensors["loss"] = as_array(value, "loss", number_format)
        elif key not in PER_LAYER:
            known = ", ".join(("loss", *PER_LAYER))
            raise UnusableError("step returned the key {key}; known: {known}", key=repr(key), known=known)
        elif not isinstance(value, (list, tuple, ndarray)) or getattr(value, "ndim", 1) == 0:
            raise UnusableError(
                "{key} is {kind}, where a list over the layers belongs", key=key, kind=type(value).__name__
            )
        elif len(value) != depth:
            raise UnusableError(
                "{key} has {found} entries for {depth} layers", key=key, found=len(value), depth=depth
            )
        else:
            after = "_next" if key in ("W", "b") else ""
            for layer, tensor in enumerate(value, 1):
                tensors[f"{key}{layer}{after}"] = as_array(tensor, f"{key}[{layer - 1}]", number_format)
    return tensors


def layout_of(module: object) -> str:
    """The layout a module says it works in. Raises UnusableError for one that there is not."""
    layout = getattr(module, "LAYOUT", "columns")
    if layout not in ("rows", "columns"):
        raise UnusableError('LAYOUT is {layout}; known: "columns", "rows"', layout=repr(layout))
    return str(layout)


def load_subject(request: Mapping[str, str]) -> tuple[Callable[..., object], str]:
    """The function, and the layout its module works in."""
    sys.path.insert(0, request["folder"])
    if request["file"]:
        spec = importlib.util.spec_from_file_location(request["module"], request["file"])
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules[request["module"]] = module
        spec.loader.exec_module(module)
    else:
        module = importlib.import_module(request["module"])
    layout = layout_of(module)
    function = getattr(module, request["function"], None)
    if not callable(function):
        raise UnusableError("there is no function {function} in it", function=repr(request["function"]))
    return function, layout


def call(function: Callable[..., object], layout: str, tensors: Tensors, activation: list[str]) -> Tensors:
    """One call; `tensors` (x, y, lr, W1, b1, …) are fresh, the subject may keep them. The answer."""
    lr = float(tensors["lr"])
    if layout == "rows":
        for name in tensors:
            if name[0] in TURNED:
                tensors[name] = tensors[name].T.copy()
            elif name[0] == "b":
                tensors[name] = tensors[name][:, 0].copy()
    depth = len(activation)
    W, b = ([tensors[f"{name}{layer}"] for layer in range(1, depth + 1)] for name in "Wb")
    number_format = tensors["x"].dtype
    return named(function(W, b, tensors["x"], tensors["y"], lr, activation), depth, number_format)


def reason(error: BaseException, file: str) -> Facts:
    """What was raised, with the last line of the subject's own code that it passed through."""
    if isinstance(error, UnusableError):
        return {"line": None, "error": str(error), "text": error.text, "facts": error.facts}
    if isinstance(error, SyntaxError):
        return {"line": error.lineno, "error": f"{type(error).__name__}: {error.msg}"}
    frames = traceback.extract_tb(error.__traceback__)
    own = [f.lineno for f in frames if f.filename == file or os.path.abspath(f.filename) == file]
    text = " ".join(str(error).split())[:500]
    return {"line": own[-1] if own else None, "error": f"{type(error).__name__}: {text}".rstrip(": ")}


def main(folder: str, request: Mapping[str, str]) -> None:
    """Every call there is; one that fails does not stop the next."""
    file = request["file"]
    try:
        function, layout = load_subject(request)
    except BaseException as error:
        report(f"{folder}/failed.json", reason(error, file))
        return
    file = file or str(sys.modules[request["module"]].__file__)
    declared = hasattr(sys.modules[request["module"]], "LAYOUT")
    layout = request["layout"] or layout
    report(f"{folder}/layout.json", {"layout": layout, "declared": declared})
    for number in range(int(request["calls"])):
        try:
            tensors, facts = read(f"{folder}/call{number}.safetensors")
            with np.errstate(all="ignore"):  # e^z overflows where σ is 0, and that is right
                shown = call(function, layout, tensors, facts["activation"].split(","))
            write(f"{folder}/answer{number}.safetensors", shown)
        except BaseException as error:
            report(f"{folder}/answer{number}.json", reason(error, file))


def report(path: str, facts: Facts) -> None:
    with open(path, "w", encoding="utf-8") as file:
        file.write(dump(facts))


if __name__ == "__main__":
    main(sys.argv[1], load(sys.argv[2]))
    sys.stdout.flush()
