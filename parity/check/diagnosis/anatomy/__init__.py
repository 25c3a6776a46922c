"""An equation opened up into its operands, so that one of them can be exchanged or put into numbers.

`reference.formulas` holds the deck's formulas as they are. Here each kind of equation shows its
parts by name (`left`, `right`, `slope`, …): a mistake is an exchange of one part, and an explanation
is the same parts with their numbers written in. `factor` and `sign` stand in front of everything and
are left out unless a mistake puts them there. That the parts make up the whole is tested: combined
as they are, they give the formula's own value.
"""

from __future__ import annotations

from parity.check.diagnosis.anatomy import losses, products, updates, whole
from parity.check.diagnosis.anatomy.operand import (
    ANATOMIES,
    Anatomy,
    Index,
    Operand,
    Operands,
    Values,
    anatomy,
    applied,
    curve,
    layer_function,
    short,
    slope,
    symbol,
)
from parity.check.diagnosis.anatomy.updates import summed_over
from reference.equations import kind

ANATOMIES.update(
    {
        "affine": Anatomy(
            products.affine_parts, products.product, products.product_text, products.product_work
        ),
        "activation": Anatomy(
            products.activation_parts,
            products.activation,
            products.activation_text,
            products.activation_work,
        ),
        "loss": Anatomy(losses.loss_parts, losses.loss, losses.loss_text, losses.loss_work),
        "loss_gradient": Anatomy(
            losses.loss_parts, losses.loss_gradient, losses.loss_gradient_text, losses.loss_gradient_work
        ),
        "output_delta": Anatomy(
            products.delta_parts, products.delta, products.delta_text, products.delta_work
        ),
        "backpropagated": Anatomy(
            products.backpropagated_parts, products.product, products.product_text, products.product_work
        ),
        "hidden_delta": Anatomy(
            products.delta_parts, products.delta, products.delta_text, products.delta_work
        ),
        "weight_gradient": Anatomy(
            products.weight_gradient_parts, products.product, products.product_text, products.product_work
        ),
        "bias_gradient": Anatomy(
            updates.bias_gradient_parts,
            updates.bias_gradient,
            updates.bias_gradient_text,
            updates.bias_gradient_work,
        ),
        "weight_update": Anatomy(
            updates.update_parts, updates.update, updates.update_text, updates.update_work
        ),
        "bias_update": Anatomy(
            updates.update_parts, updates.update, updates.update_text, updates.update_work
        ),
        "whole": Anatomy(whole.whole_parts, whole.whole, whole.whole_text, whole.whole_work),
    }
)

__all__ = [
    "ANATOMIES",
    "Anatomy",
    "Index",
    "Operand",
    "Operands",
    "Values",
    "anatomy",
    "applied",
    "curve",
    "kind",
    "layer_function",
    "short",
    "slope",
    "summed_over",
    "symbol",
]
