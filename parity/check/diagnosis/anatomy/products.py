"""z = W a + b, s = Wᵀ δ, dW = δ aᵀ; a = f(z) and δ = s ⊙ f′(z)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from parity.bounds import Bounded, exact
from parity.check.diagnosis.anatomy.operand import (
    Index,
    Operand,
    Operands,
    Values,
    applied,
    front,
    front_number,
    layer_function,
    part_of,
    scaled,
    short,
    slope,
    sum_of,
)
from reference.equations import Equation
from reference.operations.activations import Activation

# --- left · right (+ bias): affine, backpropagated, weight_gradient --------------------------------


def product(operands: Operands) -> Bounded:
    left, right = scaled(operands, "left"), part_of(operands, "right").value
    product: Bounded = np.matmul(left, right)  # type: ignore[call-overload]
    return product + scaled(operands, "bias") if operands.get("bias") else product


def product_text(operands: Operands) -> str:
    bias = operands.get("bias")
    product = f"{part_of(operands, 'left').text} {part_of(operands, 'right').text}"
    if bias is None:
        return front(operands) + product
    whole = f"{product} + {bias.text}"
    return f"{front(operands)}({whole})" if front(operands) else whole


def product_work(operands: Operands, index: Index) -> str:
    left, right = part_of(operands, "left"), part_of(operands, "right")
    i, j = index
    terms = [f"{left.number((i, k))}·{right.number((k, j))}" for k in range(left.value.shape[-1])]
    bias = operands.get("bias")
    if bias is not None:
        terms.append(bias.number((i, j)))
    return sum_of(terms, front_number(operands))


def affine_parts(equation: Equation, values: Values) -> Operands:
    W, a, b = equation.inputs
    return {"left": values[W], "right": values[a], "bias": values[b]}


def backpropagated_parts(equation: Equation, values: Values) -> Operands:
    W, delta = equation.inputs
    return {"left": values[W].T, "right": values[delta]}


def weight_gradient_parts(equation: Equation, values: Values) -> Operands:
    delta, a = equation.inputs
    return {"left": values[delta], "right": values[a].T}


# --- f(z) and s ⊙ f′(z) ---------------------------------------------------------------------------


def activation_parts(equation: Equation, values: Values) -> Operands:
    z, *learned = (values[name] for name in equation.inputs)
    return {"f": applied(layer_function(values.tensors, equation.layer), z, *learned)}


def activation(operands: Operands) -> Bounded:
    return scaled(operands, "f")


def activation_text(operands: Operands) -> str:
    return front(operands) + part_of(operands, "f").text


def activation_work(operands: Operands, index: Index) -> str:
    return front_number(operands) + part_of(operands, "f").number(index)


def delta_parts(equation: Equation, values: Values) -> Operands:
    s, z, a, *learned = (values[name] for name in equation.inputs)
    f = layer_function(values.tensors, equation.layer)
    if f.jacobian:
        return {"s": s, "slope": jacobian(f, s, z, a)}
    f_prime = slope(f, z.value, a.value, *(part.value for part in learned))
    return {"s": s, "slope": Operand(f"f′({z.text})", f_prime)}


@dataclass(frozen=True)
class JacobianOperand(Operand):
    """Of a function that mixes the components of a sample: Jᵀ s stands where s ⊙ f′(z) does."""

    times: Callable[[Bounded], Bounded] = lambda s: s


def jacobian(f: Activation, s: Operand, z: Operand, a: Operand) -> JacobianOperand:
    """J_ki = ∂a_k/∂z_i, to be taken times s: δ_i = Σ_k s_k J_ki."""

    def times(s: Bounded) -> Bounded:
        assert f.jacobian is not None
        product: Bounded = f.jacobian(s, z.value, a.value)  # type: ignore[arg-type, assignment]
        return product

    def work(index: Index) -> str:
        terms = []
        for k in range(s.value.shape[0]):
            unit = np.zeros(s.value.shape)
            unit[k] = 1
            J_ki = times(exact(s.value.arithmetic, unit)).lowered()[index]
            terms.append(f"{s.number((k, index[1]))}·{short(float(J_ki))}")
        return sum_of(terms)

    return JacobianOperand(f"J({z.text})ᵀ", z.value, work, times)


def delta(operands: Operands) -> Bounded:
    s, f_prime = scaled(operands, "s"), operands.get("slope")
    if isinstance(f_prime, JacobianOperand):
        return f_prime.times(s)
    return s if f_prime is None else s * f_prime.value


def delta_text(operands: Operands) -> str:
    f_prime, s = operands.get("slope"), part_of(operands, "s").text
    if isinstance(f_prime, JacobianOperand):
        return f"{front(operands)}{f_prime.text} {s}"
    return front(operands) + (s if f_prime is None else f"{s} ⊙ {f_prime.text}")


def delta_work(operands: Operands, index: Index) -> str:
    f_prime = operands.get("slope")
    if isinstance(f_prime, JacobianOperand):
        return f"{front_number(operands)}({f_prime.number(index)})"
    s = front_number(operands) + part_of(operands, "s").number(index)
    return s if f_prime is None else f"{s} · {f_prime.number(index)}"
