"""Goldens of watched scripts: every recorded operation, certified again from the file alone."""

from __future__ import annotations

import errno
import json
import random
from dataclasses import replace

import numpy as np
import pytest

from parity.errors import UsageError
from parity.golden import format as contents
from parity.golden import read, replay, script
from parity.golden.result import Replay
from parity.golden.script import record_script
from parity.pytorch.recorder.data import Call
from parity.pytorch.recorder.frozen import stretch
from parity.pytorch.recorder.thawed import laid
from reference.operations import OPERATIONS
from tests.command import parity
from tests.golden.helpers import facts, rewrite

SCRIPT = """
import sys
import torch
from torch import nn

torch.manual_seed(0)
convolution = nn.Conv1d(2, 3, 3, padding=1)
model = nn.Sequential(convolution, nn.BatchNorm1d(3), nn.Tanh(), nn.Flatten(), nn.Linear(15, 2))
data, labels = torch.randn(40, 2, 5), torch.randn(40, 2)
optimizer = torch.optim.Adam(model.parameters(), lr=float(sys.argv[1]))
for step in range(4):
    rows = torch.randperm(40)[:6]
    optimizer.zero_grad()
    loss = nn.functional.mse_loss(model(data[rows]), labels[rows])
    loss.backward()
    optimizer.step()
print("never printed")
"""


@pytest.fixture(scope="module")
def train(tmp_path_factory):
    path = tmp_path_factory.mktemp("script") / "train.py"
    path.write_text(SCRIPT, encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def golden(train):
    path = train.with_name("g.safetensors")
    assert record_script(train, ["0.01"], path, steps=2).outcome == "recorded"
    return path


def test_recorded_on_the_command_line(ask, train, tmp_path):
    """The script gets its arguments, and ends after its recorded step."""
    path = tmp_path / "g.safetensors"
    code, out, _ = ask("record", "--watch", train, "-o", path, "--", "0.5")
    assert code == 0
    assert "never printed" not in out
    known = facts(path)
    assert (known["script"], known["steps"], known["sides"]) == ("train.py", 1, ["torch"])
    assert "MiB" in out
    lines = json.loads(path.with_suffix(".json").read_text())["operations"]
    assert any(line.startswith("aten.native_batch_norm") and "train.py:14" in line for line in lines)


def test_everything_is_certified_again(golden):
    found = replay(golden, bitwise=True)
    assert (found.verdict, found.differing, found.exit_code) == ("match", 0, 0)
    assert {row.check for row in found.operations.rows} == {"forward", "vjp", "sum", "grad", "update"}
    assert {row.operation for row in found.operations_again.rows} >= {"convolution", "tanh", "addmm"}
    assert found.operations.coverage.not_certified == []
    assert found.numbers_compared == sum(
        part.numbers_compared for part in (found.operations, found.operations_again)
    )


def test_numpy_alone_certifies_it(golden):
    done = parity("replay", "--no-torch", "--json", "-", golden, torch=False)
    assert done.returncode == 0, done.stderr
    found = Replay.model_validate(json.loads(done.stdout)["replays"][0])
    assert found.operations.operations > 30
    assert found.operations_again is None


def test_data_are_left_out_and_tensors_stored_once(golden):
    """Neither the 40 samples nor the draws among them; a weight and its transpose are the same numbers."""
    held = read(golden)
    tensors = [array for sides in held.steps for array in sides["torch"].values()]
    assert all(array.size != 40 * 2 * 5 for array in tensors)
    bits = [(array.dtype.name, array.tobytes()) for array in tensors]
    assert len(set(bits)) == len(bits)
    assert sum(array.size == 30 for array in held.steps[0]["torch"].values()) < 12


@pytest.mark.parametrize(
    ("shape", "strides"),
    [
        ((3, 4), (4, 1)),
        ((3, 4), (1, 3)),
        ((3, 4), (0, 1)),
        ((2, 3), (0, 0)),
        ((), ()),
        ((0, 3), (3, 1)),
    ],
)
def test_numbers_in_the_order_of_memory(shape, strides):
    memory = np.arange(40.0)
    view = np.lib.stride_tricks.as_strided(memory, shape, [8 * s for s in strides])
    flat = stretch(view, strides)
    assert flat.size == int(np.prod([n for n, s in zip(shape, strides, strict=True) if s]))
    assert np.array_equal(laid(flat, shape, strides), view)
    with pytest.raises(ValueError, match="reshape"):
        laid(np.arange(7.0), shape, strides)


def result_of(golden, operation: str) -> str:
    """The stored name of what the first call of an operation makes."""
    tables = facts(golden)["recording"]
    call = next(call for call in tables["calls"] if call["operation"].startswith(operation))
    return tables["tensors"][call["results"][0]["tensor"]][0]


def test_one_number_changed_is_told_in_its_operation(ask, golden, tmp_path):
    name = result_of(golden, "aten.tanh")

    def change(_, arrays):
        arrays[f"0/torch/{name}"][7] += 0.01

    bad = rewrite(golden, tmp_path / "bad.safetensors", change, reseal=True)
    found = replay(bad, torch=False)
    side, first, _ = found.first_wrong
    assert (found.exit_code, side) == (1, "golden/torch")
    assert (first.operation, first.module) == ("tanh", "Sequential.2")
    assert first.error > 0.009
    code, out, _ = ask("replay", bad)
    assert code == 1
    assert "tanh" in out
    assert "train.py:14" in out
    unsealed = rewrite(golden, tmp_path / "unsealed.safetensors", change, reseal=False)
    with pytest.raises(UsageError, match="digest"):
        replay(unsealed, torch=False)


def test_a_formula_that_was_changed_since_is_a_regression(golden, monkeypatch):
    known = OPERATIONS["tanh"]
    right = known.vjps["x"]
    wrong = replace(right, function=lambda g, y: g * (1 - y), takes=("g", "y"), other_forms=(), also=())
    monkeypatch.setitem(OPERATIONS, "tanh", replace(known, vjps={"x": wrong}))
    found = replay(golden, torch=False)
    assert found.exit_code == 1
    assert {(one.operation, one.check) for one in found.operations.wrong} == {("tanh", "vjp")}


def test_an_operation_that_torch_computes_otherwise_today_is_told(golden, monkeypatch):
    from parity.pytorch import again

    right = again.run_again

    def other(name, arguments):
        found = right(name, arguments)
        return (found[0] * 1.0001,) if name == "aten.tanh.default" else found

    monkeypatch.setattr(again, "run_again", other)
    found = replay(golden)
    side, first, _ = found.first_wrong
    assert (found.exit_code, side, first.operation) == (1, "torch", "tanh")
    assert found.operations.verdict == "match"
    assert found.first_difference.quantity.startswith("tanh")


def test_other_bits_are_a_mismatch_only_if_asked(golden, monkeypatch):
    from parity.pytorch import again

    right = again.run_again

    def other(name, arguments):
        found = right(name, arguments)
        if name == "aten.addmm.default":
            found[0].view(-1)[0:1].nextafter_(found[0].new_full((1,), 9.0))
        return found

    monkeypatch.setattr(again, "run_again", other)
    found = replay(golden)
    assert (found.verdict, found.differing) == ("match", 2)
    assert replay(golden, bitwise=True).exit_code == 1
    with pytest.raises(UsageError, match="--bitwise"):
        replay(golden, bitwise=True, torch=False)


def test_what_does_not_fit_is_refused_with_its_size(ask, train, tmp_path, monkeypatch):
    monkeypatch.setattr(script, "MAX_BYTES", 2**12)
    code, out, err = ask("record", "--watch", train, "-o", tmp_path / "g.safetensors", "--", "0.1")
    assert (code, out) == (2, "")
    assert "MiB of tensors" in err
    assert err.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def _writes(tmp_path, text: str):
    file = tmp_path / "s.py"
    file.write_text(text, encoding="utf-8")
    return file


PLAIN = "import torch\nw = torch.ones(3, requires_grad=True)\n"


@pytest.mark.parametrize(
    ("text", "code", "named"),
    [
        ("import torch\n", 2, "no backward pass"),
        ("raise ValueError('own fault')\n", 2, "nothing was written"),
        ("import os, signal\nos.kill(os.getpid(), signal.SIGINT)\n", 130, ""),
        (PLAIN + "torch.lgamma(w).igamma(w.detach()).sum().backward()\n", 2, "nothing was written"),
        ("x = (\n", 2, "s.py"),
    ],
)
def test_a_script_of_which_there_is_nothing_to_freeze(ask, tmp_path, text, code, named):
    file = _writes(tmp_path, text)
    found, out, err = ask("record", "--watch", file, "-o", tmp_path / "g.safetensors")
    assert (found, out) == (code, "")
    assert named in err
    assert [path.name for path in tmp_path.iterdir() if path.suffix != ".py"] == []


OPAQUE = (
    "import torch\n"
    "class Own(torch.autograd.Function):\n"
    "    @staticmethod\n"
    "    def forward(ctx, x):\n"
    "        return x * 2\n"
    "    @staticmethod\n"
    "    def backward(ctx, g):\n"
    "        return g * 2\n"
    "w = torch.ones(3, requires_grad=True)\n"
    "(Own.apply(w) * w).sum().backward()\n"
)


def test_what_is_not_certified_is_recorded_only_if_accepted(ask, tmp_path):
    file, path = _writes(tmp_path, OPAQUE), tmp_path / "g.safetensors"
    code, out, _ = ask("record", "--watch", file, "-o", path)
    assert code == 5
    assert "Own" in out
    assert not path.exists()
    assert ask("record", "--watch", file, "-o", path, "--accept", "opaque")[0] == 0
    assert replay(path).verdict == "match"


@pytest.mark.parametrize("fails", [KeyboardInterrupt, OSError(errno.ENOSPC, "No space left on device")])
def test_no_half_file_is_left(ask, train, tmp_path, monkeypatch, fails):
    right = contents.put

    def fail(*arguments):
        right(*arguments)
        raise fails

    monkeypatch.setattr(contents, "put", fail)
    code, out, err = ask("record", "--watch", train, "-o", tmp_path / "g.safetensors", "--", "0.1")
    assert (code, out) == (130 if fails is KeyboardInterrupt else 2, "")
    assert "Traceback" not in err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "words", [["--update"], ["--no-torch"], ["--model", "a:b"], ["--lr", "0.1"], ["--data", "xor"]]
)
def test_options_that_a_script_does_not_have(ask, train, tmp_path, words):
    code, out, err = ask("record", "--watch", train, "-o", tmp_path / "g.safetensors", *words)
    assert (code, out) == (2, "")
    assert "--watch" in err
    assert ask("record", "--watch", train)[0] == 2


def test_update_leaves_it_alone_or_asks_for_its_script(ask, golden, tmp_path):
    assert "left as it is" in ask("record", "--update", "--no-torch", golden)[1]
    name = result_of(golden, "aten.tanh")

    def change(_, arrays):
        arrays[f"0/torch/{name}"][0] += 1

    bad = rewrite(golden, tmp_path / "bad.safetensors", change, reseal=True)
    code, _, err = ask("record", "--update", "--no-torch", bad)
    assert code == 2
    assert "--watch" in err


def _no_tables(known, _):
    known["recording"] = 3


def _no_tensor(known, arrays):
    del arrays["0/torch/t0"]


def _longer(known, _):
    known["recording"]["tensors"][0][2] = [10**9, 10**9]


def _negative(known, _):
    known["recording"]["tensors"][0][3] = [-1] * len(known["recording"]["tensors"][0][2])


def _no_such_call(known, _):
    known["recording"]["events"][0] = ["call", 10**6]


def _no_such_node(known, _):
    place, event = next((i, e) for i, e in enumerate(known["recording"]["events"]) if e[0] == "node")
    known["recording"]["events"][place] = [*event[:2], 10**6]


def _other_kind(known, _):
    known["recording"]["calls"][0]["operation"] = 3


def _another_field(known, _):
    known["recording"]["calls"][0]["nonesuch"] = 3


def _a_step_less(known, _):
    known["recording"]["events"] = [e for e in known["recording"]["events"] if e[0] != "step"]


@pytest.mark.parametrize(
    "change",
    [
        _no_tables,
        _no_tensor,
        _longer,
        _negative,
        _no_such_call,
        _no_such_node,
        _other_kind,
        _another_field,
        _a_step_less,
    ],
)
def test_a_damaged_recording_is_one_line_and_code_2(ask, golden, tmp_path, change):
    bad = rewrite(golden, tmp_path / "d.safetensors", change, reseal=True)
    code, out, err = ask("replay", "--no-torch", bad)
    assert (code, out) == (2, "")
    assert err.count("\n") == 1
    assert "d.safetensors" in err


STRANGE = [
    None,
    True,
    -1,
    0,
    10**18,
    1.5,
    "x",
    [],
    {},
    [1],
    {"tensor": 0},
    {"map": []},
    {"call": 0},
    [[1, 2]],
]


def _places(value, found, parent=None, key=None):
    found.append((parent, key))
    if isinstance(value, dict | list):
        for name, part in list(value.items() if isinstance(value, dict) else enumerate(value)):
            _places(part, found, value, name)
    return found


@pytest.mark.parametrize("seed", range(20))
def test_whatever_stands_in_the_tables_there_is_a_verdict_or_one_line(golden, tmp_path, seed):
    drawn = random.Random(seed)

    def change(known, _):
        parent, key = drawn.choice(_places(known["recording"], [])[1:])
        parent[key] = drawn.choice(STRANGE)

    bad = rewrite(golden, tmp_path / "f.safetensors", change, reseal=True)
    try:
        verdict = replay(bad, torch=False).verdict
    except UsageError as error:
        verdict = str(error)
        assert "f.safetensors" in verdict
    assert verdict


def test_the_events_are_what_the_recorder_gave(golden):
    calls = [event for event in read(golden).events if isinstance(event, Call)]
    assert [call.index for call in calls] == sorted(call.index for call in calls)
    assert {call.phase for call in calls} <= {"forward", "update", "no_grad"}
    updates = [call for call in calls if call.phase == "update"]
    assert updates
    with pytest.raises(ValueError, match="not kept"):
        next(updates[0].tensors()).array  # noqa: B018 - the numbers are asked for
