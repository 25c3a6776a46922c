"""Trace files and recordings are read as goldens are: no size in them is believed before it is checked."""

from __future__ import annotations

import json
import struct
import tracemalloc

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from parity.config.config import Config
from parity.errors import UsageError
from parity.explain.number import recorded
from parity.lockstep.run import run
from parity.lockstep.tracefile import TraceFileError, TraceRecorder, canonical, read, save
from parity.report.recorder import PageRecorder
from parity.report.recording import load
from reference.trace import Trace

CONFIG = Config.model_validate({"data": {"name": "xor"}, "training": {"steps": 3}})


@pytest.fixture(scope="module")
def trace(tmp_path_factory):
    """The trace of three steps of the engine and of PyTorch."""
    path, made = tmp_path_factory.mktemp("trace") / "t.safetensors", []

    def observers(case):
        made.append(TraceRecorder(path, case, sides=2))
        return [*made]

    result = run(CONFIG, observers)
    made[0].write({"config": result.config})
    return path


@pytest.fixture(scope="module")
def recording(tmp_path_factory):
    path, made = tmp_path_factory.mktemp("recording") / "r.safetensors", []

    def observers(case):
        made.append(PageRecorder.of(case))
        return [*made]

    result = run(CONFIG, observers, torch=False)
    made[0].recording().save(path, result)
    return path


def spoilt(path, to, change):
    """The file with another header."""
    data = path.read_bytes()
    (length,) = struct.unpack("<Q", data[:8])
    header = json.loads(data[8 : 8 + length])
    change(header)
    text = json.dumps(header).encode()
    to.write_bytes(struct.pack("<Q", len(text)) + text + data[8 + length :])
    return to


def _huge(header):
    header["0/reference/W1"]["shape"] = [2**40, 2**40]


def _beyond(header):
    header["0/reference/W1"]["data_offsets"] = [0, 2**40]


def _overlapping(header):
    header["0/reference/z1"] = header["0/reference/W1"]


def _unknown_format(header):
    header["0/reference/W1"]["dtype"] = "F3"


def _no_place(header):
    header["W1"] = header.pop("0/reference/W1")


def _no_facts(header):
    del header["__metadata__"]


def _facts_of_another_kind(header):
    header["__metadata__"]["parity"] = "[]"


CHANGES = [_huge, _beyond, _overlapping, _unknown_format, _no_place, _no_facts, _facts_of_another_kind]


@pytest.mark.parametrize("change", CHANGES)
def test_what_is_spoilt_is_refused_before_memory_is_taken(trace, recording, tmp_path, change):
    tracemalloc.start()
    with pytest.raises(UsageError, match="is no trace file"):
        recorded(spoilt(trace, tmp_path / "t.safetensors", change), 0)
    with pytest.raises(UsageError, match="not a recording: "):
        load(spoilt(recording, tmp_path / "r.safetensors", change))
    assert tracemalloc.get_traced_memory()[1] < 16 * 2**20
    tracemalloc.stop()


def test_truncated_anywhere(trace, recording, tmp_path):
    for path, opened in ((trace, lambda file: recorded(file, 0)), (recording, load)):
        data, short = path.read_bytes(), tmp_path / "short.safetensors"
        for length in (0, 1, 7, 8, 9, len(data) // 2, len(data) - 1):
            short.write_bytes(data[:length])
            with pytest.raises(UsageError, match=r"no trace file|not a recording"):
                opened(short)


def test_a_step_or_a_side_alone(trace):
    file = read(trace)
    assert {(place.step, place.side) for place in file.places} == {
        (step, side) for step in range(3) for side in ("reference", "torch")
    }
    assert {step: [*traces] for step, traces in file.steps(1).items()} == {1: ["reference", "torch"]}
    assert {step: [*traces] for step, traces in file.steps(side="torch").items()} == {
        step: ["torch"] for step in range(3)
    }
    every, arrays = file.steps(), load_file(trace)
    assert len(arrays) == len(file.places)
    for place in file.places:
        array = every[place.step][place.side][place.name]
        assert array.tobytes() == arrays[str(place)].tobytes()
        assert array.shape == arrays[str(place)].shape


def test_what_was_written_is_read(tmp_path):
    """Any format and number of axes, and a side of a golden's, with a slash in its name."""
    path = tmp_path / "f.safetensors"
    traces = {
        "golden/torch": Trace(x=np.arange(24, dtype=np.int16).reshape(2, 3, 4), loss=np.array(1.5)),
        "subject": Trace(x=np.zeros((0, 3), np.float32), z1=np.asfortranarray(np.eye(3, 2))),
    }
    save(path, {7: traces}, {"config": {"a": 1}})
    file = read(path)
    found = file.steps()
    assert [*found[7]] == ["golden/torch", "subject"]
    for side, trace in traces.items():
        assert found[7][side].keys() == trace.keys()
        for name, tensor in trace.items():
            np.testing.assert_array_equal(found[7][side][name], tensor, strict=True)
    assert file.table("config") == {"a": 1}
    with pytest.raises(TraceFileError, match="no table steps"):
        file.table("steps")


def test_a_number_of_a_step_that_is_not_there(trace, tmp_path):
    with pytest.raises(UsageError, match="holds steps 0 to 2, not step 3"):
        recorded(trace, 3)
    save_file({"0/torch/x": np.zeros((2, 2))}, tmp_path / "s", metadata={"parity": canonical({})})
    with pytest.raises(UsageError, match="is no trace file"):
        recorded(tmp_path / "s", 0)
