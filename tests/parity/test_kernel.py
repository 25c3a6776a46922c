"""Kernels are chosen only where OpenBLAS would overlook AVX-512, and never over the user's head."""

from __future__ import annotations

import pytest

from parity import kernel

FLAGS = "fpu avx2 avx512f avx512dq avx512bw avx512vl"


@pytest.fixture
def cpu(tmp_path, monkeypatch):
    monkeypatch.delenv(kernel.VARIABLE, raising=False)
    monkeypatch.setattr(kernel, "_chosen", False)

    def write(vendor: str, flags: str):
        file = tmp_path / "cpuinfo"
        file.write_text(f"processor\t: 0\nvendor_id\t: {vendor}\nflags\t\t: {flags}\n\nprocessor\t: 1\n")
        return file

    return write


@pytest.mark.parametrize(
    ("vendor", "flags", "expected"),
    [
        ("AuthenticAMD", FLAGS, "parity"),
        ("AuthenticAMD", "fpu avx2", "OpenBLAS"),
        ("AuthenticAMD", FLAGS.replace(" avx512vl", ""), "OpenBLAS"),
        ("GenuineIntel", FLAGS, "OpenBLAS"),
    ],
)
def test_who_chooses(cpu, vendor, flags, expected):
    kernel.choose(cpu(vendor, flags))
    assert kernel.chosen_by() == expected


def test_the_user_has_the_last_word(cpu, monkeypatch):
    monkeypatch.setenv(kernel.VARIABLE, "Haswell")
    kernel.choose(cpu("AuthenticAMD", FLAGS))
    assert kernel.chosen_by() == "user"


def test_no_cpuinfo_no_choice(cpu, tmp_path):
    kernel.choose(tmp_path / "nothing")
    assert kernel.chosen_by() == "OpenBLAS"
