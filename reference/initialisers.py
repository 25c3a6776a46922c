"""Weight initialisers: the formulas of `torch.nn.init`, applied to numpy's random numbers.

Each one scales a standard draw, uniform in [0, 1) or normal, by a formula of `fan_in` and `fan_out`,
the number of columns and rows of W. Only the formulas agree with PyTorch; the random numbers differ.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Literal, TypeAlias

import numpy as np
import numpy.typing as npt

from reference.refusal import ONE_OF, OptionError

Floats: TypeAlias = npt.NDArray[np.float64]
Option: TypeAlias = float | str

GAINS = {
    "linear": 1.0,
    "sigmoid": 1.0,
    "tanh": 5 / 3,
    "relu": math.sqrt(2),
    "selu": 3 / 4,
}
"""Gain by nonlinearity, as in `torch.nn.init.calculate_gain`; leaky_relu's depends on its slope."""


@dataclass(frozen=True)
class Initialiser:
    """An initialiser: scale(draw, fan_in, fan_out, **options) -> W (fan_out, fan_in)."""

    name: str
    draws: Literal["uniform", "normal", "none"]
    scale: Callable[..., Floats]
    latex: str
    source: str
    options: Mapping[str, Option] = field(default_factory=dict, hash=False)
    needs_matrix: bool = True  # it needs both fans, which a bias does not have

    def configured(self, **options: Option) -> Initialiser:
        """The same initialiser with these options. Raises ValueError for an unknown option or value."""
        for option, value in options.items():
            if option not in self.options:
                raise OptionError("{name} takes no {option}", name=self.name, option=repr(option))
            if isinstance(value, str) != isinstance(self.options[option], str):
                raise OptionError(
                    "{name}: {option} cannot be {value}", name=self.name, option=option, value=repr(value)
                )
        chosen = {**self.options, **options}
        if chosen.get("mode", "fan_in") not in ("fan_in", "fan_out"):
            raise OptionError(ONE_OF, name=self.name, option="mode", known="fan_in, fan_out")
        known = (*GAINS, "leaky_relu")
        if chosen.get("nonlinearity", "linear") not in known:
            raise OptionError(ONE_OF, name=self.name, option="nonlinearity", known=", ".join(known))
        return replace(self, options=chosen)

    def __call__(self, random: np.random.Generator, shape: tuple[int, ...]) -> Floats:
        """Initial values of a parameter of this shape, (out, in)."""
        draw: Floats = np.zeros(shape)
        if self.draws != "none":
            draw = random.random(shape) if self.draws == "uniform" else random.standard_normal(shape)
        return self.scale(draw, shape[1], shape[0], **self.options)


def gain(nonlinearity: str, a: float) -> float:
    """The factor by which weights compensate for the shrinking of a nonlinearity's output."""
    return math.sqrt(2 / (1 + a * a)) if nonlinearity == "leaky_relu" else GAINS[nonlinearity]


def uniform(draw: Floats, fan_in: int, fan_out: int, *, a: float, b: float) -> Floats:
    return draw * (b - a) + a


def normal(draw: Floats, fan_in: int, fan_out: int, *, mean: float, std: float) -> Floats:
    return draw * std + mean


def constant(draw: Floats, fan_in: int, fan_out: int, *, val: float) -> Floats:
    return np.full_like(draw, val)


def eye(draw: Floats, fan_in: int, fan_out: int) -> Floats:
    return np.eye(fan_out, fan_in)


def xavier_uniform(draw: Floats, fan_in: int, fan_out: int, *, gain: float) -> Floats:
    bound = gain * math.sqrt(2 / (fan_in + fan_out)) * math.sqrt(3)
    return uniform(draw, fan_in, fan_out, a=-bound, b=bound)


def xavier_normal(draw: Floats, fan_in: int, fan_out: int, *, gain: float) -> Floats:
    return draw * (gain * math.sqrt(2 / (fan_in + fan_out)))


def kaiming_uniform(
    draw: Floats, fan_in: int, fan_out: int, *, a: float, mode: str, nonlinearity: str
) -> Floats:
    std = gain(nonlinearity, a) / math.sqrt(fan_in if mode == "fan_in" else fan_out)
    return uniform(draw, fan_in, fan_out, a=-math.sqrt(3) * std, b=math.sqrt(3) * std)


def kaiming_normal(
    draw: Floats, fan_in: int, fan_out: int, *, a: float, mode: str, nonlinearity: str
) -> Floats:
    return draw * (gain(nonlinearity, a) / math.sqrt(fan_in if mode == "fan_in" else fan_out))


def orthogonal(draw: Floats, fan_in: int, fan_out: int, *, gain: float) -> Floats:
    """Q of the draw's QR decomposition, with R's diagonal made positive so that Q is unique."""
    wide = fan_in > fan_out
    q, r = np.linalg.qr(draw.T if wide else draw)
    q = q * np.sign(np.diag(r))
    return gain * (q.T if wide else q)


KAIMING: dict[str, Option] = {"a": 0.0, "mode": "fan_in", "nonlinearity": "leaky_relu"}

INITIALISERS: dict[str, Initialiser] = {
    entry.name: entry
    for entry in (
        Initialiser(
            "uniform",
            "uniform",
            uniform,
            r"U(a, b)",
            "torch.nn.init.uniform_",
            {"a": 0.0, "b": 1.0},
            needs_matrix=False,
        ),
        Initialiser(
            "normal",
            "normal",
            normal,
            r"N(\mu, \sigma^2)",
            "torch.nn.init.normal_",
            {"mean": 0.0, "std": 1.0},
            needs_matrix=False,
        ),
        Initialiser(
            "constant",
            "none",
            constant,
            r"v",
            "torch.nn.init.constant_",
            {"val": 0.0},
            needs_matrix=False,
        ),
        Initialiser("eye", "none", eye, r"[i = j]", "torch.nn.init.eye_"),
        Initialiser(
            "xavier_uniform",
            "uniform",
            xavier_uniform,
            r"U(-a, a), \; a = g \sqrt{6 / (n_{in} + n_{out})}",
            "torch.nn.init.xavier_uniform_",
            {"gain": 1.0},
        ),
        Initialiser(
            "xavier_normal",
            "normal",
            xavier_normal,
            r"N(0, \sigma^2), \; \sigma = g \sqrt{2 / (n_{in} + n_{out})}",
            "torch.nn.init.xavier_normal_",
            {"gain": 1.0},
        ),
        Initialiser(
            "kaiming_uniform",
            "uniform",
            kaiming_uniform,
            r"U(-a, a), \; a = g \sqrt{3 / n}",
            "torch.nn.init.kaiming_uniform_",
            KAIMING,
        ),
        Initialiser(
            "kaiming_normal",
            "normal",
            kaiming_normal,
            r"N(0, \sigma^2), \; \sigma = g / \sqrt{n}",
            "torch.nn.init.kaiming_normal_",
            KAIMING,
        ),
        Initialiser(
            "orthogonal",
            "normal",
            orthogonal,
            r"g\, Q, \; Q R = Z, \; R_{ii} > 0",
            "torch.nn.init.orthogonal_",
            {"gain": 1.0},
        ),
    )
}
"""Initialisers by PyTorch's names, without the trailing underscore."""
