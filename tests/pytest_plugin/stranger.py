"""A stranger's repository, made by the README's own lines, from nothing; run this file.

As a program it makes a virtual environment and runs the workflow's installing lines in it as well; the
test uses what is installed. It needs nothing but the standard library.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[2]
HEADING = "## In your own project's CI"

NETWORK = '''"""A network in numpy, by hand, in rows: as it stood before anybody had heard of parity."""

import numpy as np

LAYOUT = "rows"


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


F = {
    "sigmoid": (sigmoid, lambda z: sigmoid(z) * (1 - sigmoid(z))),
    "tanh": (np.tanh, lambda z: 1 - np.tanh(z) ** 2),
    "relu": (lambda z: np.maximum(z, 0), lambda z: (z > 0) * 1.0),
    "identity": (lambda z: z, np.ones_like),
}


class Network:
    def __init__(self, W, b, activation):
        self.W, self.b, self.f = W, b, [F[name] for name in activation]

    def forward(self, x):
        self.a, self.z = [x], []
        for W, b, (f, _) in zip(self.W, self.b, self.f):
            self.z.append(self.a[-1] @ W + b)
            self.a.append(f(self.z[-1]))
        return self.a[-1]

    def backward(self, y):
        delta = 2 / y.size * (self.a[-1] - y) * self.f[-1][1](self.z[-1])
        self.dW, self.db = [], []
        for l in reversed(range(len(self.W))):
            self.dW.insert(0, self.a[l].T @ delta)
            self.db.insert(0, delta.sum(axis=0))
            if l:
                delta = (delta @ self.W[l].T) * self.f[l - 1][1](self.z[l - 1])

    def update(self, lr):
        self.W = [W - lr * dW for W, dW in zip(self.W, self.dW)]
        self.b = [b - lr * db for b, db in zip(self.b, self.db)]


def step(W, b, x, y, lr, activation):
    network = Network(W, b, activation)
    network.forward(x)
    network.backward(y)
    network.update(lr)
    shown = {"z": network.z, "a": network.a[1:], "dW": network.dW, "db": network.db}
    return {**shown, "W": network.W, "b": network.b}
'''

BUG = ("self.f[l - 1][1](self.z[l - 1])", "self.f[l - 1][1](self.a[l])")
"""f′ taken at a instead of z: training still works, a little worse."""


def blocks() -> dict[str, str]:
    """The files that the README's section shows, by the path that their first line names."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    section = text[text.index(HEADING) :].partition("\n## ")[0]
    shown = re.findall(r"^```(?:python|yaml)\n# (\S+)\n(.*?)^```$", section, re.S | re.M)
    return dict(shown)


def commands() -> tuple[list[str], list[str]]:
    """The workflow's `run:` lines: those that install, and the others."""
    workflow = next(text for path, text in blocks().items() if path.endswith(".yml"))
    lines = re.findall(r"^ *- run: (.*)$", workflow, re.M)
    installing = [line for line in lines if " pip install " in line]
    return installing, [line for line in lines if line not in installing]


def make(folder: Path) -> None:
    """The repository: a network, and what the README says to add."""
    for path, text in {"network.py": NETWORK, **blocks()}.items():
        file = folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")


def plant(folder: Path) -> None:
    """A bug, as one slips in."""
    right, wrong = BUG
    file = folder / "network.py"
    source = file.read_text(encoding="utf-8")
    assert source.count(right) == 1
    file.write_text(source.replace(right, wrong), encoding="utf-8")


def job(folder: Path, lines: list[str], python: Path) -> subprocess.CompletedProcess[str]:
    """Run a job's lines as GitHub runs them, one shell each, until one fails."""
    environment = {
        **os.environ,
        "PATH": f"{python.parent}{os.pathsep}{os.environ['PATH']}",
        "PARITY": ROOT.as_uri(),
        "CI": "true",
        "GITHUB_ACTIONS": "true",
        "GITHUB_WORKSPACE": str(folder),
        "GITHUB_STEP_SUMMARY": str(folder / "summary.md"),
    }
    environment.pop("PYTEST_ADDOPTS", None)
    (folder / "summary.md").unlink(missing_ok=True)
    done = subprocess.CompletedProcess("", 0, "", "")
    for line in lines:
        done = subprocess.run(
            ["bash", "-e", "-c", line],
            cwd=folder,
            env=environment,
            text=True,
            capture_output=True,
            check=False,
        )
        if done.returncode:
            break
    return done


def main() -> int:
    """From nothing to green, and to red."""
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place, "repository")
        folder.mkdir()
        make(folder)
        python = Path(place, "venv", "bin", "python")
        subprocess.run([sys.executable, "-m", "venv", python.parents[2]], check=True)
        installing, testing = commands()
        for what, lines, expected in (("green", installing + testing, 0), ("red", testing, 1)):
            done = job(folder, lines, python)
            sys.stdout.write(f"== {what}\n{done.stdout}{done.stderr}")
            if done.returncode != expected:
                sys.stdout.write(f"== expected exit code {expected}, found {done.returncode}\n")
                return 1
            plant(folder) if what == "green" else None
    return 0


if __name__ == "__main__":
    sys.exit(main())
