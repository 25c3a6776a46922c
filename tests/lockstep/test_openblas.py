"""Kernels are chosen only where OpenBLAS would overlook AVX-512, and never over the user's head."""

from __future__ import annotations

import pytest

from parity.lockstep import openblas as kernel

FLAGS = "fpu avx2 avx512f avx512dq avx512bw avx512vl"


@pytest.fixture
def cpu(tmp_path, monkeypatch):
    monkeypatch.delenv(kernel.VARIABLE, raising=False)
    monkeypatch.setattr(kernel, "_chosen", False)

    def write(vendor: str, flags: str, family: str = "26"):
        file = tmp_path / "cpuinfo"
        facts = {"processor": "0", "vendor_id": vendor, "cpu family": family, "flags": flags}
        file.write_text(
            "".join(f"{name}\t: {fact}\n" for name, fact in facts.items()) + "\nprocessor\t: 1\n"
        )
        return file

    return write


@pytest.mark.parametrize(
    ("vendor", "flags", "family", "expected"),
    [
        ("AuthenticAMD", FLAGS, "26", "parity"),  # Zen 5
        ("AuthenticAMD", FLAGS, "25", "OpenBLAS"),  # Zen 4: AVX-512 in two halves gains nothing
        ("AuthenticAMD", FLAGS, "unknown", "OpenBLAS"),
        ("AuthenticAMD", "fpu avx2", "26", "OpenBLAS"),
        ("AuthenticAMD", FLAGS.replace(" avx512vl", ""), "26", "OpenBLAS"),
        ("GenuineIntel", FLAGS, "26", "OpenBLAS"),
    ],
)
def test_who_chooses(cpu, vendor, flags, family, expected):
    kernel.choose(cpu(vendor, flags, family))
    assert kernel.chosen_by() == expected


def test_the_user_has_the_last_word(cpu, monkeypatch):
    monkeypatch.setenv(kernel.VARIABLE, "Haswell")
    kernel.choose(cpu("AuthenticAMD", FLAGS))
    assert kernel.chosen_by() == "user"


def test_no_cpuinfo_no_choice(cpu, tmp_path):
    kernel.choose(tmp_path / "nothing")
    assert kernel.chosen_by() == "OpenBLAS"
