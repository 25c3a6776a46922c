"""Activation functions, each with its derivative. A new one is one row of a table.

The rows are in `classic` (the four of every course), `piecewise`, `smooth` and `softmax`.
"""

from reference.operations.activations.activation import Activation, Form, Learned
from reference.operations.activations.classic import CLASSIC
from reference.operations.activations.piecewise import PIECEWISE
from reference.operations.activations.smooth import SMOOTH
from reference.operations.activations.softmax import MIXING

ACTIVATIONS: dict[str, Activation] = {
    entry.name: entry.with_defaults() for entry in (*CLASSIC, *PIECEWISE, *SMOOTH, *MIXING)
}
"""Every elementwise activation of `torch.nn`, and the three that mix components, by PyTorch's names."""

__all__ = ["ACTIVATIONS", "CLASSIC", "MIXING", "PIECEWISE", "SMOOTH", "Activation", "Form", "Learned"]
