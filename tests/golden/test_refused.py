"""Files that nobody vouches for: old, truncated, huge, tampered with. One line, code 2, no memory taken."""

from __future__ import annotations

import json
import os
import struct
import tracemalloc

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from parity.__main__ import _run
from parity.errors import UsageError
from parity.golden import read, record, replay
from parity.golden.format import MAX_BYTES, MAX_HEADER
from parity.lockstep.tracefile import canonical
from tests.golden.helpers import config, facts, flipped, rewrite


@pytest.fixture(scope="module")
def golden(tmp_path_factory):
    path = tmp_path_factory.mktemp("golden") / "xor.safetensors"
    record(config(), path)
    return path


@pytest.fixture
def refused(capsys):
    def ask(path, *named: str) -> None:
        tracemalloc.start()
        code = _run(["replay", str(path)])
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        out, err = capsys.readouterr()
        assert (code, out) == (2, "")
        assert err.count("\n") == 1
        assert path.name in err
        for words in named:
            assert words in err
        assert peak < 16 * 2**20

    return ask


def header_of(path) -> tuple[dict, bytes]:
    data = path.read_bytes()
    (length,) = struct.unpack("<Q", data[:8])
    return json.loads(data[8 : 8 + length]), data[8 + length :]


def with_header(path, header: dict | bytes, body: bytes, length: int | None = None):
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text) if length is None else length) + text + body)
    return path


def test_truncated_anywhere(golden, tmp_path, refused):
    data = golden.read_bytes()
    short = tmp_path / "short.safetensors"
    header = struct.unpack("<Q", data[:8])[0] + 8
    for length in {0, 1, 7, 8, 9, header // 2, header - 1, header, header + 1, len(data) - 1}:
        short.write_bytes(data[:length])
        refused(short)


def test_padded(golden, tmp_path, refused):
    long = tmp_path / "long.safetensors"
    long.write_bytes(golden.read_bytes() + b"\0" * 8)
    refused(long, "padded")


@pytest.mark.parametrize(
    "schema", ["parity-golden/0", "parity-golden/2", "parity-trace/1", None, 1, "x" * 10**6]
)
def test_another_schema(golden, tmp_path, refused, schema):
    old = rewrite(
        golden, tmp_path / "old.safetensors", lambda known, _: known.update(schema=schema), reseal=True
    )
    refused(old, "parity-golden/1", "record it anew")


def test_a_trace_is_no_golden(tmp_path, refused, capsys):
    trace = tmp_path / "t.safetensors"
    _run(["run", "--data", "xor", "--steps", "1", "--trace", str(trace)])
    capsys.readouterr()
    refused(trace, "parity-trace/1")


def test_any_other_safetensors_file(tmp_path, refused):
    stranger = tmp_path / "s.safetensors"
    save_file({"0/torch/x": np.zeros((2, 2), np.float32)}, stranger)
    refused(stranger, "no golden")
    save_file({"weights": np.zeros((2, 2), np.float32)}, stranger)
    refused(stranger, "weights")
    save_file({"0/torch/x": np.zeros((2, 2), np.float16)}, stranger)
    refused(stranger, "float32")


@pytest.mark.parametrize(
    "text", [b"", b"no", b"\xff" * 100, b"[" * 10**5, b"{}" * 50, b"[]", b'{"a":1,"a":2}']
)
def test_no_safetensors_at_all(tmp_path, refused, text):
    file = tmp_path / "f.safetensors"
    file.write_bytes(text)
    refused(file)
    refused(with_header(file, text, b""))


def test_huge_files_are_not_read(tmp_path, refused):
    huge = tmp_path / "huge.safetensors"
    with huge.open("wb") as file:
        file.truncate(MAX_BYTES + 1)  # a hole: no disk is used either
    refused(huge, "at most")
    with huge.open("wb") as file:
        file.write(struct.pack("<Q", MAX_HEADER + 1))
        file.truncate(MAX_BYTES)
    refused(huge, "header")
    refused(with_header(huge, b"{}", b"", length=2**63), "truncated")


def test_tensors_that_claim_to_be_huge(golden, tmp_path, refused):
    header, body = header_of(golden)
    file = tmp_path / "claims.safetensors"
    for shape in ([2**40, 2**40], [10**30], [-1, -3], [True, 3], [3.0, 2], "3", [1] * 100):
        refused(with_header(file, header | {"0/torch/W1": header["0/torch/W1"] | {"shape": shape}}, body))
    for place in ([0, 2**40], [0], [24, 0], [-24, 0]):
        entry = header["0/torch/W1"] | {"data_offsets": place}
        refused(with_header(file, header | {"0/torch/W1": entry}, body))


def test_tensors_that_overlap(golden, tmp_path, refused):
    header, body = header_of(golden)
    header["0/torch/W1"] = header["0/reference/W1"]
    refused(with_header(tmp_path / "o.safetensors", header, body), "overlap")


def test_a_network_larger_than_the_file(golden, tmp_path, refused):
    """Tiny tensors, and a config whose parameters alone would take 200 MB."""

    def enlarge(known, _):
        known["config"]["network"]["layers"] = [2, 7000, 3500, 1]

    refused(rewrite(golden, tmp_path / "n.safetensors", enlarge, reseal=True), "layers")


def test_one_bit_of_any_tensor_is_refused_by_digest(golden, tmp_path):
    target = tmp_path / "flipped.safetensors"
    arrays, known = load_file(golden), facts(golden)
    random = np.random.default_rng(0)
    assert len(arrays) == 2 * 2 * 23
    for name, array in arrays.items():
        index, bit = int(random.integers(array.size)), int(random.integers(8 * array.itemsize))
        changed = arrays | {name: flipped(array, index, bit)}
        save_file(changed, target, metadata={"parity": canonical(known)})
        with pytest.raises(UsageError, match="digest"):
            replay(target, torch=False)


def _other_rate(known, _):
    known["config"]["training"]["lr"] = 0.25


def _other_numpy(known, _):
    known["environment"]["numpy"] = "1.0"


def _reshaped(_, arrays):
    arrays["0/torch/dW1"] = np.ascontiguousarray(arrays["0/torch/dW1"].reshape(2, 3))


def _renamed(_, arrays):
    arrays["0/torch/dW1"], arrays["1/torch/dW1"] = arrays["1/torch/dW1"], arrays["0/torch/dW1"]


def _left_out(_, arrays):
    del arrays["1/torch/dW1"]


@pytest.mark.parametrize("change", [_other_rate, _other_numpy, _reshaped, _renamed, _left_out])
def test_any_other_change_is_refused_by_digest(golden, tmp_path, refused, change):
    refused(rewrite(golden, tmp_path / "t.safetensors", change, reseal=False), "digest")


def _no_x(_, arrays):
    for name in [name for name in arrays if name.endswith("/x")]:
        del arrays[name]


def _half_a_side(_, arrays):
    for name in [name for name in arrays if name.startswith("1/torch/")]:
        del arrays[name]


def _extra(_, arrays):
    arrays["0/torch/momentum9"] = np.zeros((2, 2), np.float32)


def _a_step_more(known, _):
    known["steps"] += 1


def _other_dtype(_, arrays):
    arrays["0/torch/dW1"] = arrays["0/torch/dW1"].astype(np.float64)


def _nan_in_x(_, arrays):
    arrays["0/reference/x"][:] = np.nan


def _unknown_activation(known, _):
    known["config"]["network"]["activation"] = "nonesuch"


def _unknown_key(known, _):
    known["config"]["network"]["layerz"] = [1]


def _no_config(known, _):
    del known["config"]


@pytest.mark.parametrize(
    "change",
    [
        _reshaped,
        _left_out,
        _no_x,
        _half_a_side,
        _extra,
        _a_step_more,
        _other_dtype,
        _nan_in_x,
        _unknown_activation,
        _unknown_key,
        _no_config,
    ],
)
def test_incomplete_although_its_digest_was_recomputed(golden, tmp_path, refused, change):
    refused(rewrite(golden, tmp_path / "t.safetensors", change, reseal=True))


def test_a_sidecar_of_another_golden(golden, tmp_path, refused):
    mine, other = tmp_path / "g.safetensors", tmp_path / "other.safetensors"
    record(config(), mine)
    record(config(network={"activation": "tanh"}), other)
    other.with_suffix(".json").replace(mine.with_suffix(".json"))
    assert replay(other).verdict == "match"  # without a sidecar
    other.unlink()
    with pytest.raises(UsageError, match=r"g\.json: describes another golden"):
        read(mine)
    mine.with_suffix(".json").write_text("{")
    with pytest.raises(UsageError, match=r"g\.json"):
        read(mine)


def test_what_is_no_file(tmp_path, refused):
    pipe = tmp_path / "pipe.safetensors"
    if hasattr(os, "mkfifo"):
        os.mkfifo(pipe)
        refused(pipe, "not a file")


def test_in_a_folder_the_others_are_replayed(golden, tmp_path, ask):
    for name in ("a", "c"):
        (tmp_path / f"{name}.safetensors").write_bytes(golden.read_bytes())
    (tmp_path / "b.safetensors").write_bytes(golden.read_bytes()[:100])
    code, out, err = ask("replay", "--no-torch", tmp_path, "--json", tmp_path / "r.json")
    assert code == 2
    assert "b.safetensors: truncated" in err
    assert err.count("\n") == 1
    assert "2 of 3" in out
    found = json.loads((tmp_path / "r.json").read_text())
    assert [one["verdict"] for one in found["replays"]] == ["match", "match"]
    assert "b.safetensors" in found["unreadable"][0]
