"""Which alarms are known deviations of PyTorch's: each by the facts that its description gives, no more."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

from parity.campaign.case import Alarm

HALF = 2.0**127
"""Half the largest number of float32, but for a rounding."""

ELUS = ("elu", "celu", "selu")
DELTAS = ("output_delta", "hidden_delta")
ATTENTION = "_scaled_dot_product_flash_attention_for_cpu"


def known(alarm: Alarm) -> str | None:
    """The deviation that an alarm is; None where it is none, and so may be our own fault."""
    if alarm.side != "pytorch" or alarm.found is None or alarm.expected is None:
        return None
    return next((name for name, fits in LISTED.items() if fits(alarm)), None)


def _at(operation: str, *places: str) -> Callable[[Alarm], bool]:
    return lambda alarm: alarm.operation == operation and alarm.formula in places


def _nan(number: float | None) -> bool:
    return number is not None and math.isnan(number)


def _sixth(alarm: Alarm) -> bool:
    """1/6 as a float32: relatively 3e−8 off."""
    assert alarm.found is not None
    assert alarm.expected is not None
    single = 1.1102230246251565e-16 + 2.9802322387695312e-8
    return abs(alarm.found - alarm.expected) <= 2 * single * abs(alarm.expected)


def _smaller(alarm: Alarm) -> bool:
    """A share k/(k + 1) of what was expected: one number too many was counted."""
    assert alarm.found is not None
    assert alarm.expected is not None
    if not alarm.found or not math.isfinite(alarm.expected):
        return False
    parts = 1 / (1 - alarm.found / alarm.expected) if alarm.found != alarm.expected else 0.0
    return parts >= 2 and abs(parts - round(parts)) < parts**2 * 2.0**-20


def _epsilon(alarm: Alarm) -> bool:
    """A quotient by the float32 nearest to 1e−12 instead of by 1e−12."""
    assert alarm.found is not None
    assert alarm.expected is not None
    single = 9.999999960041972e-13
    return abs(alarm.found * single - alarm.expected * 1e-12) <= 1e-14 * abs(alarm.found * single)


def _further(alarm: Alarm) -> bool:
    """Of the same sign as what was expected, and larger."""
    assert alarm.found is not None
    assert alarm.expected is not None
    return alarm.found * alarm.expected > 0 and abs(alarm.found) > abs(alarm.expected)


def _step_without(alarm: Alarm, optimizer: str) -> bool:
    """An update that is a number where the rule makes it NaN."""
    update = _at(optimizer, "weight_update", "bias_update")(alarm)
    return update and not _nan(alarm.found) and _nan(alarm.expected)


LISTED: Mapping[str, Callable[[Alarm], bool]] = {
    "attention-nan": lambda a: (
        _nan(a.expected)
        and (
            (_at(ATTENTION, "forward y", "forward logsumexp")(a) and a.found == 0)
            or (_at(ATTENTION, "vjp q", "vjp k", "vjp v")(a) and not _nan(a.found))
        )
    ),
    "hardsigmoid-float64": lambda a: _at("hardsigmoid", "vjp x")(a) and _sixth(a),
    "gelu-infinity": lambda a: (
        _at("gelu", "activation", "forward")(a) and _nan(a.found) and a.expected == math.inf
    ),
    "gelu-large": lambda a: (
        _at("gelu", "activation", "forward")(a)
        and a.found == math.inf
        and a.expected is not None
        and HALF < a.expected < 2 * HALF
    ),
    "sign-nan": lambda a: (
        (_at("sign", "forward")(a) or _at("sgn", "forward")(a) or _at("abs", "vjp x")(a))
        and a.found == 0
        and _nan(a.expected)
    ),
    "elu-nan": lambda a: (
        (_at("elu", "vjp x")(a) or (a.operation in ELUS and a.formula in DELTAS))
        and not _nan(a.found)
        and _nan(a.expected)
    ),
    "soft-margin-overflow": lambda a: (
        _at("soft_margin_loss", "vjp x")(a) and _nan(a.found) and not _nan(a.expected)
    ),
    "bce-epsilon-float64": lambda a: _at("binary_cross_entropy", "vjp x")(a) and _epsilon(a),
    "bce-target-unclamped": lambda a: _at("binary_cross_entropy", "vjp target")(a) and _further(a),
    "scatter-reduce-self": lambda a: _at("scatter_reduce", "vjp src")(a) and _smaller(a),
    "rprop-nan": lambda a: _step_without(a, "rprop"),
    "adafactor-nan": lambda a: _step_without(a, "adafactor"),
    "gaussian-nll-overflow": lambda a: (
        _at("gaussian_nll", "loss_gradient")(a)
        and a.found is not None
        and math.isinf(a.found)
        and not _nan(a.expected)
    ),
    "label-smoothing-overflow": lambda a: (
        _at("cross_entropy", "loss")(a)
        and a.found == math.inf
        and a.expected is not None
        and math.isfinite(a.expected)
        and a.expected > 2.0**115
    ),
}
