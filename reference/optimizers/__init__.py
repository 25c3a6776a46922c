"""Optimizers: slide 6 and all first-order ones of `torch.optim`. A new one is one row of a table."""

from reference.optimizers.adam import ADAM
from reference.optimizers.matrix import MATRIX
from reference.optimizers.momentum import MOMENTUM
from reference.optimizers.rule import GROUPS, Derived, Hyper, Optimizer, OptimizerFamily, Rule, State
from reference.optimizers.scaled import SCALED

OPTIMIZERS: dict[str, OptimizerFamily] = {
    entry.name: entry for entry in (*MOMENTUM, *ADAM, *SCALED, *MATRIX)
}
"""Optimizers by PyTorch's class names in lower case."""

SGD = OPTIMIZERS["sgd"].configured()
"""Plain gradient descent, exactly slide 6."""

__all__ = [
    "GROUPS",
    "OPTIMIZERS",
    "SGD",
    "Derived",
    "Hyper",
    "Optimizer",
    "OptimizerFamily",
    "Rule",
    "State",
]
