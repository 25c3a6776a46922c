"""Loss functions, each with its gradient ∇_ŷ L. A new one is one row of a table."""

from reference.operations.losses.classification import CLASSES
from reference.operations.losses.loss import REDUCTIONS, Loss, Option
from reference.operations.losses.regression import ELEMENTWISE

LOSSES: dict[str, Loss] = {entry.name: entry.configured() for entry in (*ELEMENTWISE, *CLASSES)}
"""Every loss of `torch.nn` that takes an output and a target, by PyTorch's names in snake case."""

__all__ = ["LOSSES", "REDUCTIONS", "Loss", "Option"]
