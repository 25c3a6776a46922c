"""The rounding contract: the rounding behaviour that a correct implementation may have."""

from __future__ import annotations

from parity.bounds.formats import ULP, Arithmetic


def contract(judge: Arithmetic) -> dict[str, str | int | float | bool | None]:
    """The contract of a number format as stated in every result."""
    return {
        "number_format": judge.storage.name,
        "unit_roundoff": judge.storage.u,
        "largest": judge.storage.largest,
        "rounding": "to nearest",
        "summation": "any order, any blocking, fused multiply-add or not",
        "subnormals": "flushed to zero" if judge.flushes else "kept or flushed gradually",
        "elementary_functions": ", ".join(f"{name} {ulp} ulp" for name, (ulp, _) in ULP.items()),
        "derivatives": "of the recorded activation: a(1 − a), 1 − a², [z > 0]; other forms are named so",
        "truth": judge.truth,
        "appeal": "ball arithmetic, 128 bits" if judge.truth == "longdouble" else None,
    }
