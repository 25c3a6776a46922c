"""Subjects that misbehave: a clear verdict or exit 2, never a match, never our traceback."""

from __future__ import annotations

import json

import pytest

from tests.nightly import one_in

GOOD = """
import numpy as np

F = {
    "identity": (lambda z: z, lambda z, a: np.ones_like(z)),
    "sigmoid": (lambda z: 1 / (1 + np.exp(-z)), lambda z, a: a * (1 - a)),
    "tanh": (np.tanh, lambda z, a: 1 - a**2),
    "relu": (lambda z: np.maximum(z, 0), lambda z, a: (z > 0) * 1.0),
}


def step(W, b, x, y, lr, activation):
    L, z, a = len(W), [], [x]
    for l in range(L):
        z.append(W[l] @ a[-1] + b[l])
        a.append(F[activation[l]][0](z[-1]))
    d = [None] * L
    d[-1] = 2 / y.size * (a[-1] - y) * F[activation[-1]][1](z[-1], a[-1])
    for l in range(L - 2, -1, -1):
        d[l] = (W[l + 1].T @ d[l + 1]) * F[activation[l]][1](z[l], a[l + 1])
    dW = [d[l] @ a[l].T for l in range(L)]
    db = [d[l].sum(axis=1, keepdims=True) for l in range(L)]
    W = [W[l] - lr * dW[l] for l in range(L)]
    b = [b[l] - lr * db[l] for l in range(L)]
    loss = np.mean((y - a[-1]) ** 2)
    return {"z": z, "a": a[1:], "loss": loss, "delta": d, "dW": dW, "db": db, "W": W, "b": b}
"""

AFTER = "\ngood = step\n\n\ndef step(*args):\n    r = good(*args)\n"
"""What follows changes the right answer `r`."""

UNANSWERED = {
    "hangs": "def step(*args):\n    while True:\n        pass\n",
    "sleeps": "import time\n\n\ndef step(*args):\n    time.sleep(1000)\n",
    "allocates 100 GB": "import numpy\n\n\ndef step(*args):\n    return {'W': [numpy.ones(100 * 2**27)]}\n",
    "exits": "import os\n\n\ndef step(*args):\n    os._exit(0)\n",
    "exits politely": "import sys\n\n\ndef step(*args):\n    sys.exit(0)\n",
    "raises": "def step(*args):\n    raise ZeroDivisionError('no')\n",
    "does not parse": "def step(:\n",
    "has no step": "x = 1\n",
    "returns a list": GOOD + AFTER + "    return list(r.values())\n",
    "returns ragged lists": GOOD + AFTER + "    return r | {'dW': [[[1.0], [1.0, 2.0]]] * len(r['dW'])}\n",
    "returns nothing": "def step(*args):\n    return None\n",
    "shows nothing of it": GOOD + AFTER + "    return {'z': r['z']}\n",
    "extra keys": GOOD + AFTER + "    return r | {'grads': 1}\n",
    "fewer layers": GOOD + AFTER + "    return r | {'dW': r['dW'][1:]}\n",
    "text for numbers": GOOD + AFTER + "    return r | {'dW': [np.array(['a'])] * len(r['dW'])}\n",
}

WRONG = {
    "wrong shape": GOOD + AFTER + "    return r | {'db': [d[:, 0] for d in r['db']]}\n",
    "NaN": GOOD + AFTER + "    return r | {'dW': [d * float('nan') for d in r['dW']]}\n",
    "whole numbers": GOOD + AFTER + "    return r | {'dW': [d.astype(int) for d in r['dW']]}\n",
    "float32": GOOD + AFTER + "    return r | {'dW': [d.astype(np.float32) for d in r['dW']]}\n",
    "monkey-patched numpy": GOOD
    + "\nimport json\n\nnp.abs = np.asarray = lambda x: 0\nnp.all = np.array_equal = lambda *a, **k: True\n"
    + "np.less_equal = lambda *a: True\n"
    + AFTER
    + "    return r | {'dW': [2 * d for d in r['dW']]}\n",
}


@pytest.mark.parametrize("what", one_in(2, UNANSWERED))
def test_what_cannot_be_judged_is_a_wrong_question(ask, what, tmp_path):
    (tmp_path / "mine.py").write_text(UNANSWERED[what])
    done = ask("check", "mine.py", "--timeout", "2", folder=tmp_path)
    assert done.returncode == 2, done.stdout + done.stderr
    assert done.stdout == ""
    assert done.stderr.startswith("parity: mine.py: ")
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize("what", WRONG)
def test_what_is_wrong_in_form_is_a_mismatch(ask, what, tmp_path):
    (tmp_path / "mine.py").write_text(WRONG[what])
    done = ask("check", "mine.py", "--json", "result.json", folder=tmp_path)
    assert done.returncode == 1, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    result = json.loads((tmp_path / "result.json").read_text())
    assert result["verdict"] == "mismatch"
    assert result["first_divergence"]["side"] == "subject"
    assert result["wrong_formulas"]


def test_the_line_is_the_subjects_own(ask, tmp_path):
    (tmp_path / "mine.py").write_text("def step(*args):\n    return [][1]\n")
    assert "line 2: IndexError" in ask("check", "mine.py", folder=tmp_path).stderr


def test_a_million_lines_do_not_matter_and_are_cut(ask, tmp_path):
    (tmp_path / "mine.py").write_text(GOOD + "\nfor i in range(1000000):\n    print('line', i)\n")
    done = ask("check", "mine.py", folder=tmp_path)
    assert done.returncode == 0, done.stderr
    assert len(done.stderr) < 20_000


def test_inputs_are_copies(ask, tmp_path):
    scribble = (
        "\ngood = step\n\n\ndef step(W, *rest):\n    r = good(W, *rest)\n    [w.fill(0) for w in W]\n"
    )
    (tmp_path / "mine.py").write_text(GOOD + scribble + "    return r\n")
    assert ask("check", "mine.py", folder=tmp_path).returncode == 0


def test_a_folder_of_submissions(ask, tmp_path):
    folder = tmp_path / "submissions"
    folder.mkdir()
    (folder / "ana.py").write_text(GOOD)
    (folder / "bea.py").write_text(WRONG["wrong shape"])
    (folder / "cyd.py").write_text(UNANSWERED["hangs"])
    (folder / "dov.py").write_text(GOOD.replace("W[l + 1].T @", "W[l] @"))
    out = ("--json", "all.json", "--gradescope", "results.json", "--timeout", "2")
    done = ask("check", "submissions", *out, folder=tmp_path)
    assert done.returncode == 1, done.stderr
    entries = json.loads((tmp_path / "all.json").read_text())["submissions"]
    verdicts = {name: entry["verdict"] for name, entry in entries.items()}
    assert verdicts == {"ana.py": "match", "bea.py": "mismatch", "cyd.py": "error", "dov.py": "mismatch"}
    tests = json.loads((tmp_path / "results.json").read_text())["tests"]
    assert {t["score"] for t in tests if t["name"].startswith("ana.py")} == {1}
    assert 0 in {t["score"] for t in tests if t["name"].startswith("bea.py")}
    assert {t["score"] for t in tests if t["name"].startswith("cyd.py")} == {0}
