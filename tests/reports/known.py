"""Which alarms of a watched program are findings in PyTorch: by operation, check and operand."""

from __future__ import annotations

from parity.pytorch.deviations import DEVIATIONS

ATTENTION = "_scaled_dot_product_flash_attention_for_cpu"
KNOWN = {
    "hardsigmoid vjp x": "hardsigmoid-float64",
    f"{ATTENTION} forward logsumexp": "attention-nan",
    f"{ATTENTION} forward y": "attention-nan",
}


def finding(alarm: str) -> str | None:
    """The finding that an alarm's first words are; None where it is none, and so may be our own fault."""
    name = KNOWN.get(" ".join(alarm.split()[:3]))
    assert name is None or name in DEVIATIONS
    return name


def told(alarm: str) -> str:
    """An alarm with what it is."""
    name = finding(alarm)
    return f"{alarm} (finding `{name}`)" if name else f"{alarm} (**no finding**)"
