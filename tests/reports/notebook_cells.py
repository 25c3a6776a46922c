"""The cells of the worked notebooks: a student's, a data scientist's, and one for a browser."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Cell:
    """A cell: Python, or Markdown."""

    text: str
    is_code: bool


def code(text: str) -> Cell:
    return Cell(text.strip("\n"), True)


def words(text: str) -> Cell:
    return Cell(text.strip("\n"), False)


STUDENT = (
    words("""
# Is my backpropagation right?

A network by hand in numpy: one function, one step of training. `W` and `b` are lists over the layers, a
column of `x` is a sample. It runs, and the loss falls; but is every formula right?
"""),
    code("""
import numpy as np


def step(W, b, x, y, lr, activation):
    a, z = [x], []
    for l in range(len(W)):
        z.append(W[l] @ a[l] + b[l])
        a.append(1 / (1 + np.exp(-z[l])))
    slope = [a_l * (1 - a_l) for a_l in a[1:]]
    delta = [None] * len(W)
    delta[-1] = 2 / y.size * (a[-1] - y) * slope[-1]
    for l in reversed(range(len(W) - 1)):
        delta[l] = W[l + 1].T @ delta[l + 1]
    dW = [delta[l] @ a[l].T for l in range(len(W))]
    db = [delta[l].sum(axis=1, keepdims=True) for l in range(len(W))]
    W = [W[l] - lr * dW[l] for l in range(len(W))]
    b = [b[l] - lr * db[l] for l in range(len(b))]
    return {"z": z, "a": a[1:], "delta": delta, "dW": dW, "db": db, "W": W, "b": b}
"""),
    words("""
Five lines, from the import to the mistake by its name, with its formula. Each formula is held against a
bound on what rounding can do to it; nobody chose a tolerance. What merely follows from a wrong number is
not held against you.
"""),
    code("""
import parity

found = parity.check(step, activation="sigmoid")
print(found.verdict, found.wrong[0].mistake)
print(*found.wrong[0].lines, sep="\\n")
"""),
    words("The whole answer as a table: what holds, and how much of its bound each number used."),
    code("found"),
    words("One number of that formula worked out by hand, in another network, with the numbers put in:"),
    code('print(parity.explain("delta1[0,0]", data="xor"))'),
    words("The slope belongs there, `⊙ f′(z)`. One line is mended, and the check asked again:"),
    code("""
import inspect

source = inspect.getsource(step).replace(
    "delta[l] = W[l + 1].T @ delta[l + 1]", "delta[l] = (W[l + 1].T @ delta[l + 1]) * slope[l]"
)
exec(source)
parity.check(step, activation="sigmoid").verdict
"""),
    words("And the deck's engine beside PyTorch, step by step, on the same task:"),
    code('parity.run(data="xor", steps=20)'),
)

SCIENTIST = (
    words("""
# A training loop of your own, certified

Any PyTorch model, in its own loop. Every operation of the steps inside the `with` block, forward, backward
and update, is held to its formula on PyTorch's own numbers. The loop computes what it computes without
this, bit for bit.
"""),
    code("""
import torch

import parity

torch.manual_seed(0)
model = torch.nn.Sequential(
    torch.nn.Conv2d(1, 4, 3),
    torch.nn.ReLU(),
    torch.nn.Flatten(),
    torch.nn.LayerNorm(144),
    torch.nn.Linear(144, 3),
)
optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
x, y = torch.randn(8, 1, 8, 8), torch.randint(0, 3, (8,))

with parity.watch(model) as watched:
    for _ in range(2):
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(model(x), y).backward()
        optimizer.step()

watched.result
"""),
    words(
        "A function with a backward of its own cannot be looked into; it is held to its definition instead."
    ),
    code("""
class Swish(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x * torch.sigmoid(x)

    @staticmethod
    def backward(ctx, g):
        (x,) = ctx.saved_tensors
        s = torch.sigmoid(x)
        return g * s * (1 + x * (1 - x))  # a slip: it is 1 + x (1 - s)


parity.kernel(Swish.apply, torch.nn.functional.silu, torch.randn(4, 5))
"""),
    words("The same model, mirrored by an engine in plain numpy and trained in lockstep with it:"),
    code("""
plain = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.Tanh(), torch.nn.Linear(4, 2))
inputs, targets = torch.randn(5, 3), torch.randn(5, 2)
parity.model(plain, inputs, targets, optimizer="adam", lr=0.01, steps=3).verify().verdict
"""),
    words("Two saved runs, as of two machines: where they differ first, and whether rounding explains it."),
    code("""
parity.run(data="xor", steps=3, trace="a.safetensors")
parity.run(data="xor", steps=3, trace="b.safetensors", certify="last")
parity.diff("a.safetensors", "b.safetensors")
"""),
)

NOTEBOOKS = {"student": STUDENT, "training": SCIENTIST}

BROWSER = (
    words("""
# Backpropagation in your browser, certified

Nothing is installed and nothing is sent anywhere: Python itself runs in this page, with numpy and without
PyTorch. The first cell fetches what it needs, some 20 MB, and takes a minute.
"""),
    code("""
import sys

if sys.platform == "emscripten":
    import piplite

    needs = "numpy rich pydantic safetensors python-flint threadpoolctl jinja2 latex2mathml markupsafe"
    await piplite.install(needs.split())
    await piplite.install("backprop-parity", deps=False)  # without PyTorch, and without the command line
"""),
    words("""
The extended precision that judges float64 on a PC is emulated here, by a library that may compute in double
precision. It is refused as a judge; ball arithmetic of 128 bits takes its place.
"""),
    code("""
from parity.lockstep.environment import refused_longdouble

print(refused_longdouble() or "longdouble judges float64 here")
"""),
    words("""
The deck's engine, formula by formula in numpy: two inputs, three hidden neurons, one output, exclusive or.
"""),
    code("""
import numpy as np

from reference.architecture import Architecture
from reference.engine import Network
from reference.operations.activations import ACTIVATIONS
from reference.training import batches, train

shape = Architecture((2, 3, 1), (ACTIVATIONS["sigmoid"],) * 2, dtype="float64")
x, y = np.array([[0, 0, 1, 1], [0, 1, 0, 1.0]]), np.array([[0, 1, 1, 0.0]])
network = Network(shape, shape.initial_parameters(seed=1))
for step, trace in zip(range(4001), train(network, batches(x, y, 0, 0), lr=2.0)):
    if step % 1000 == 0:
        print(f"step {step}: loss {float(trace['loss']):.4f}, outputs {trace['a2'].round(2)[0]}")
"""),
    words("Now one of your own. Write your step of training here, or leave the one that stands there:"),
    *STUDENT[1:6],
    *STUDENT[6:8],
    words("The slope belongs there, `⊙ f′(z)`. Mend it above and run that again, or let this cell do it:"),
    code("""
import inspect

source = inspect.getsource(step)
wrong = "delta[l] = W[l + 1].T @ delta[l + 1]"
exec(source.replace(wrong, "delta[l] = (W[l + 1].T @ delta[l + 1]) * slope[l]"))
parity.check(step, activation="sigmoid").verdict
"""),
)
