"""What edits put in a formula: tensors, functions and constants, and how they are written."""

from __future__ import annotations

from collections.abc import Mapping

SHIFTS = ("+0", "-1", "+1", "-2", "+2", "top", "first", "-1w", "-2w", "-1x", "-2x")
QUANTITIES = ("W", "b", "z", "a", "delta", "dW", "db", "W_next", "b_next", "s", "slope")
EARLIER = ("W", "b", "z", "a", "delta", "dW", "db")
COUNTS = ("n", "batch", "outputs", "units", "inputs", "lr")

TRANSFORMS: Mapping[str, str] = {
    "neg": "sign-flipped",
    "T": "transposed",
    "abs": "absolute-value",
    "sign": "sign-of",
    "square": "wrong-operator",
    "sqrt": "wrong-operator",
    "exp": "wrong-operator",
    "tanh": "wrong-operator",
    "rounded": "rounded",
    "rounded_2": "rounded",
    "truncated": "rounded",
    "float32": "lower-precision",
    "float16": "lower-precision",
    "sorted": "samples-permuted",
    "samples_reversed": "samples-permuted",
    "units_reversed": "wrong-index",
    "both_reversed": "wrong-index",
    "next_sample": "samples-permuted",
    "previous_sample": "samples-permuted",
    "next_unit": "wrong-index",
    "previous_unit": "wrong-index",
    "first_sample": "wrong-index",
    "last_sample": "wrong-index",
    "first_unit": "wrong-index",
    "last_unit": "wrong-index",
    "only_first_sample": "last-sample-only",
    "only_last_sample": "last-sample-only",
    "only_first_unit": "wrong-index",
    "only_last_unit": "wrong-index",
    "not_first_sample": "wrong-index",
    "not_last_sample": "wrong-index",
    "not_first_unit": "wrong-index",
    "not_last_unit": "wrong-index",
    "sum_everywhere": "sum-over-wrong-axis",
    "sum_of_batch_everywhere": "sum-over-wrong-axis",
    "sum_of_units_everywhere": "sum-over-wrong-axis",
    "over_its_norm": "normalised-gradient",
}
"""What is done to a tensor or a part of a formula, and what that is called."""

REDUCTIONS = (
    *("over_batch", "over_units", "over_units_lying", "sum_everywhere", "largest_of_batch"),
    *("smallest_of_batch", "product_of_batch", "mean", "sum_kept", "sum", "largest", "smallest"),
)
FUNCTIONS = (
    "sin",
    "arctan",
    "sinh",
    "exp",
    "expm1",
    "cosh",
    "sqrt",
    "square",
    "abs",
    "tanh",
    "sigmoid",
    "relu",
    "log",
)
CONNECTIVES = ("+", "-", "*", "/", "@")
COMPARISONS = (">", ">=", "<", "<=", "==", "!=")
PAIRS = ("maximum", "minimum")
TRIED = (
    *("0", "1", "-1", "3", "4", "-2", "0.5", "-0.5", "1.5", "2.5", "1.9", "2.1", "2.2", "1.99", "2.01"),
    *("0.1", "-0.1", "0.05", "-0.05", "0.01", "-0.01", "1e-07", "1e-08", "6", "-3"),
)
"""Exponents and thresholds."""
CURVED = ("exp", "expm1", "cosh", "power", "tanh", "sqrt", "log", "abs", "maximum")
FACTORS = ("-1", "2", "0.5", "0.9", "1.1", "0.1", "0.01", "3", "1.01")
ADDED = ("1", "-1", "1e-07", "1e-08", "1e-06", "0.01", "0.1", "0.5")
"""Inside a function, where a constant cannot be solved for."""

OTHERS = {"+1": "l+1", "-1": "l−1", "top": "L", "first": "1"}
"""Layers that f may be taken from."""

SPELT: Mapping[str, str] = {
    "over_batch": "Σ_batch {}",
    "over_units": "Σ_units {}",
    "over_units_lying": "Σ_units {}",
    "sum_everywhere": "Σ_units,batch {}",
    "sum_of_batch_everywhere": "Σ_batch {}",
    "sum_of_units_everywhere": "Σ_units {}",
    "sum": "Σ {}",
    "mean": "mean({})",
    "sum_kept": "Σ_units,batch {}",
    "product_of_batch": "Π_batch {}",
    "largest": "max {}",
    "smallest": "min {}",
    "largest_of_batch": "max_batch {}",
    "smallest_of_batch": "min_batch {}",
    "abs": "|{}|",
    "sqrt": "√({})",
    "exp": "e^({})",
    "over_its_norm": "{}/‖{}‖",
    "norm": "‖{}‖",
    "norm_of_gradients": "‖dW, db‖",
    "norm_of_weight_gradients": "‖dW‖",
    "standardised": "({} − mean)/√(var + ε)",
    "rounded_2": "round({}, 2)",
    "rounded": "round({})",
    "truncated": "int({})",
    "samples_reversed": "{}[:, ::−1]",
    "units_reversed": "{}[::−1]",
    "both_reversed": "{}[::−1, ::−1]",
    "next_sample": "roll({}, −1)",
    "previous_sample": "roll({}, 1)",
    "next_unit": "roll({}, −1, axis=0)",
    "previous_unit": "roll({}, 1, axis=0)",
    "first_sample": "{}[:, 0]",
    "last_sample": "{}[:, −1]",
    "first_unit": "{}[0]",
    "last_unit": "{}[−1]",
    "only_first_sample": "{}[:, 0]",
    "only_last_sample": "{}[:, −1]",
    "only_first_unit": "{}[0]",
    "only_last_unit": "{}[−1]",
    "not_first_sample": "{}[:, 1:]",
    "not_last_sample": "{}[:, :−1]",
    "not_first_unit": "{}[1:]",
    "not_last_unit": "{}[:−1]",
    **{f"f@{where}": f"f({layer})" for where, layer in OTHERS.items()},
    **{f"f@{where}'": f"f({layer})′" for where, layer in OTHERS.items()},
    "maximum": "max",
    "minimum": "min",
}
"""How operations are written; `{}` is the operand."""
