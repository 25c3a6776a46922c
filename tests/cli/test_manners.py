"""A closed pipe is silent, a full disk one line, a device is written into, Ctrl-C says how far it was."""

from __future__ import annotations

import json
import os
import signal
import stat
import subprocess
import sys
import threading

import pytest

from parity.render.files import write_text
from tests.command import ROOT, parity
from tests.nightly import in_turn

ENVIRONMENT = dict(os.environ, PYTHONPATH=str(ROOT))


@pytest.fixture
def full(tmp_path):
    """A disk that is full: a device like /dev/full, of our own."""
    device = tmp_path / "full"
    try:
        os.mknod(device, stat.S_IFCHR | 0o666, os.makedev(1, 7))
        device.write_text("")
    except OSError as error:
        pytest.skip(f"no device can be made here: {error}")
    return device


def test_a_closed_pipe_is_silent():
    with subprocess.Popen(
        [sys.executable, "-m", "parity", "list"],
        env=ENVIRONMENT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as program:
        program.stdout.close()
        assert program.stderr.read() == ""
        assert program.wait() == 130


FULL = {"en": "No space left", "es": "no queda espacio"}


@pytest.mark.parametrize(
    ("words", "lang"), in_turn([("list",), ("schema",), ("run", "--help")], list(FULL))
)
def test_a_full_disk_is_one_line(full, words, lang):
    with full.open("w") as out:
        done = subprocess.run(
            [sys.executable, "-m", "parity", *words, "--lang", lang],
            env=ENVIRONMENT,
            stdout=out,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert (done.returncode, done.stderr.count("\n")) == (2, 1), done.stderr
    assert FULL[lang] in done.stderr


def test_a_result_for_a_full_disk_is_one_line(full, tmp_path):
    done = parity("list", "--json", full, folder=tmp_path, torch=False)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1), done.stderr
    assert stat.S_ISCHR(full.stat().st_mode), "a device is written into, never replaced"


def test_a_pipe_is_written_into_and_stays_one(tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    arrived: list[str] = []
    reader = threading.Thread(target=lambda: arrived.append(pipe.read_text()))
    reader.start()
    write_text(str(pipe), "a result")
    reader.join(10)
    assert arrived == ["a result\n"]
    assert stat.S_ISFIFO(pipe.stat().st_mode)


def test_ctrl_c_among_goldens_writes_what_was_asked_for_of_those_done(tmp_path):
    golden = ("record", "--data", "xor", "--steps", "1", "--no-torch", "-o")
    assert parity(*golden, tmp_path / "0.safetensors", folder=tmp_path).returncode == 0
    for number in range(1, 60):
        for suffix in (".safetensors", ".json"):
            (tmp_path / f"{number}{suffix}").write_bytes((tmp_path / f"0{suffix}").read_bytes())
    words = ["replay", ".", "--no-torch", "--json", "found.json"]
    with subprocess.Popen(
        [sys.executable, "-m", "parity", *words],
        env=ENVIRONMENT,
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as program:
        program.stdout.readline()  # the first one is done
        program.send_signal(signal.SIGINT)
        _, said = program.communicate(timeout=60)
    assert program.returncode in (0, 130), said
    if program.returncode:
        assert "of 60: all of the result is about these" in said
    found = json.loads((tmp_path / "found.json").read_text())["replays"]
    assert 1 <= len(found) <= 60


def test_accuracy_is_of_data_held_back_only_where_some_were(ask, tmp_path):
    one = ("run", "--steps", "1", "--lang")
    assert "none was held back" in ask(*one, "en", "--data", "xor", folder=tmp_path).stdout
    assert "no se apartó ninguno" in ask(*one, "es", "--data", "xor", folder=tmp_path).stdout
    assert "on data held back" in ask(*one, "en", "--data", "iris", folder=tmp_path).stdout
