"""What is tried of the vocabulary: each name, with the options it is tried with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias

from reference.operations.activations import ACTIVATIONS
from reference.operations.losses import LOSSES
from reference.optimizers import OPTIMIZERS

VocabularyKind: TypeAlias = Literal["activation", "loss", "optimizer"]
Options: TypeAlias = Mapping[str, object]

WEIGHTS = "one a class"
"""Stands for a tuple of random numbers, as many as the network has outputs."""

PROBABILITIES = "probabilities"
"""Not an option of PyTorch's: y holds probabilities of classes, and no indices."""


@dataclass(frozen=True)
class VocabularyEntry:
    """A name of the vocabulary, and the sets of options it is tried with."""

    kind: VocabularyKind
    name: str
    variants: tuple[Options, ...]

    def __str__(self) -> str:
        return self.name


DEFAULTS: tuple[Options, ...] = ({},)

ACTIVATION_VARIANTS: dict[str, tuple[Options, ...]] = {
    "leaky_relu": ({}, {"negative_slope": 0.3}, {"negative_slope": -0.5}),
    "prelu": ({}, {"init": -0.75}, {"num_parameters": WEIGHTS}),
    "hardtanh": ({}, {"min_val": -0.3, "max_val": 2.5}),
    "hardshrink": ({}, {"lambd": 0.1}, {"lambd": 0.0}),
    "softshrink": ({}, {"lambd": 0.1}, {"lambd": 0.0}),
    "threshold": ({"threshold": 0.1, "value": 0.0}, {"threshold": -0.5, "value": 20.0}),
    "elu": ({}, {"alpha": 0.3}, {"alpha": 2.5}),
    "celu": ({}, {"alpha": 0.3}, {"alpha": 2.5}),
    "softplus": ({}, {"beta": 3.0}, {"beta": 0.5, "threshold": 5.0}),
}

LOSS_VARIANTS: dict[str, tuple[Options, ...]] = {
    "smooth_l1": ({}, {"beta": 0.3}, {"beta": 3.0}),
    "huber": ({}, {"delta": 0.3}, {"delta": 3.0}),
    "bce_with_logits": ({}, {"pos_weight": WEIGHTS}),
    "cross_entropy": (
        {},
        {"weight": WEIGHTS},
        {"label_smoothing": 0.1},
        {"weight": WEIGHTS, "label_smoothing": 0.3, "ignore_index": 0.0},
        {PROBABILITIES: True},
        {PROBABILITIES: True, "weight": WEIGHTS, "label_smoothing": 0.1},
    ),
    "nll": ({}, {"weight": WEIGHTS}, {"weight": WEIGHTS, "ignore_index": 0.0}),
    "kl_div": ({}, {"log_target": True}),
    "poisson_nll": (
        {},
        {"full": True},
        {"log_input": False},
        {"log_input": False, "eps": 1e-3, "full": True},
    ),
    "gaussian_nll": ({}, {"var": 0.3, "full": True}, {"var": 1e-9, "eps": 1e-3}),
    "hinge_embedding": ({}, {"margin": 0.3}),
    "multi_margin": ({}, {"p": 2.0}, {"p": 2.0, "weight": WEIGHTS, "margin": 0.3}),
    "multilabel_soft_margin": ({}, {"weight": WEIGHTS}),
}

_DECAYS: tuple[Options, ...] = (
    {"weight_decay": 0.1},
    {"maximize": True},
    {"weight_decay": 0.1, "decoupled_weight_decay": True},
)

OPTIMIZER_VARIANTS: dict[str, tuple[Options, ...]] = {
    "sgd": (
        {},
        {"momentum": 0.9},
        {"momentum": 0.9, "dampening": 0.3},
        {"momentum": 0.9, "nesterov": True},
        {"momentum": 0.5, "weight_decay": 0.1, "maximize": True},
        {"weight_decay": 0.1},
        {"maximize": True},
    ),
    "asgd": (
        {},
        {"lambd": 0.1},
        {"alpha": 0.3, "lambd": 0.1, "weight_decay": 0.1},
        {"t0": 0.0},
        {"t0": 2.0, "maximize": True},
    ),
    "rprop": (
        {},
        {"etaminus": 0.3, "etaplus": 1.7},
        {"step_size_min": 0.01, "step_size_max": 0.02},
        {"maximize": True},
    ),
    "adam": ({}, {"beta1": 0.5, "beta2": 0.7, "eps": 1e-3}, {"amsgrad": True, "beta2": 0.5}, *_DECAYS),
    "adamw": ({}, {"beta1": 0.5, "beta2": 0.7, "eps": 1e-3}, {"amsgrad": True, "maximize": True}),
    "adamax": ({}, {"beta1": 0.5, "beta2": 0.7, "eps": 1e-3}, *_DECAYS[:2]),
    "nadam": ({}, {"beta1": 0.5, "momentum_decay": 0.1, "eps": 1e-3}, *_DECAYS),
    "radam": ({}, {"beta1": 0.5, "beta2": 0.9, "eps": 1e-3}, *_DECAYS),
    "adagrad": (
        {},
        {"lr_decay": 0.1},
        {"initial_accumulator_value": 0.5, "eps": 1e-3},
        {"weight_decay": 0.1, "maximize": True},
    ),
    "adadelta": ({}, {"rho": 0.5, "eps": 1e-3}, *_DECAYS[:2]),
    "rmsprop": (
        {},
        {"alpha": 0.5, "eps": 1e-3},
        {"momentum": 0.9},
        {"centered": True},
        {"centered": True, "momentum": 0.9, "weight_decay": 0.1, "maximize": True},
    ),
    "adafactor": (
        {},
        {"beta2_decay": -0.3, "weight_decay": 0.0},
        {"eps1": 1e-3, "eps2": 0.1},
        {"d": 3.0, "maximize": True},
    ),
    "muon": (
        {},
        {"nesterov": False},
        {"adjust_lr_fn": "match_rms_adamw", "weight_decay": 0.0},
        {"adjust_lr_fn": "original", "momentum": 0.5},
        {"ns_steps": 2.0},
    ),
}

ENTRIES: tuple[VocabularyEntry, ...] = (
    *(VocabularyEntry("activation", name, ACTIVATION_VARIANTS.get(name, DEFAULTS)) for name in ACTIVATIONS),
    *(VocabularyEntry("loss", name, LOSS_VARIANTS.get(name, DEFAULTS)) for name in LOSSES),
    *(VocabularyEntry("optimizer", name, OPTIMIZER_VARIANTS.get(name, DEFAULTS)) for name in OPTIMIZERS),
)
"""Everything there is: a name that is new is tried with its defaults, without an edit here."""

FINDINGS: dict[tuple[str, str], tuple[str, ...]] = {
    ("hardsigmoid", "float64"): ("hardsigmoid-float64",),
    ("celu", "float64"): ("celu-float64",),
    ("bce", "float64"): ("bce-epsilon-float64",),
    ("soft_margin", "float32"): ("soft-margin-overflow",),
    ("soft_margin", "float64"): ("soft-margin-overflow",),
    ("l1", "float32"): ("l1-nan",),
    ("l1", "float64"): ("l1-nan",),
    ("multi_margin", "float32"): ("margin-nan",),
    ("multi_margin", "float64"): ("margin-nan",),
    ("multilabel_margin", "float32"): ("margin-nan",),
    ("multilabel_margin", "float64"): ("margin-nan",),
    ("nadam", "float64"): ("nadam-float64",),
    ("asgd", "float64"): ("asgd-float64",),
    ("muon", "float32"): ("muon-bfloat16",),
    ("muon", "float64"): ("muon-bfloat16",),
}
"""The findings in PyTorch's numbers that are accepted, by name, in each format: no others."""
