"""An equation opened up into its operands, so that one of them can be exchanged or put into numbers.

`reference.formulas` holds the deck's formulas as they are. Here each kind of equation shows its
parts by name (`left`, `right`, `slope`, …): a mistake is an exchange of one part, and an explanation
is the same parts with their numbers written in. `factor` and `sign` stand in front of everything and
are left out unless a mistake puts them there. That the parts make up the whole is tested: combined
as they are, they give the formula's own value.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Protocol, TypeAlias

import numpy as np

from parity.bounded import Bounded, constant, exact
from reference.activations import Activation
from reference.architecture import Architecture
from reference.arrays import Array
from reference.equations import Equation
from reference.losses import Loss

Index: TypeAlias = tuple[int, ...]


@dataclass(frozen=True)
class Operand:
    """A part of a formula: how it is written, what it is, and its number at an index worked out."""

    text: str
    value: Bounded
    work: Callable[[Index], str] | None = None

    def number(self, index: Index) -> str:
        """Its number at `index`, in brackets where a sign would stand next to another."""
        if self.work is not None:
            return self.work(index)
        array = self.value.arithmetic.lower(np.asarray(self.value.value))
        if array.ndim == 0:
            return short(float(array))
        clipped = tuple(min(i, n - 1) for i, n in zip(index, array.shape, strict=False))
        return short(float(array[clipped]))

    @property
    def T(self) -> Operand:
        return Operand(f"{self.text}ᵀ", self.value.T)


Operands: TypeAlias = dict[str, Operand | None]
"""By part; None where a part is left out."""


class Tensors(Protocol):
    """Whatever knows the tensors of a step."""

    def value(self, name: str) -> Bounded: ...

    @property
    def architecture(self) -> Architecture: ...

    def shows(self, name: str) -> bool: ...

    def slipped(self, equation: Equation) -> Operands: ...

    def equation(self, name: str) -> Equation: ...


@dataclass(frozen=True)
class Values:
    """A step's tensors and constants, as operands."""

    tensors: Tensors
    constants: Mapping[str, Bounded]

    def __getitem__(self, name: str) -> Operand:
        """A tensor as an operand. A hidden s, which nobody names, is written out as the product it is."""
        value = self.tensors.value(name)
        if name.startswith("s") and not self.tensors.shows(name):
            equation = self.tensors.equation(name)
            body, parts = anatomy(equation), self.tensors.slipped(equation)
            return Operand(f"({body.text(parts)})", value, lambda index: f"({body.work(parts, index)})")
        return Operand(symbol(name), value)

    def constant(self, name: str) -> Operand:
        return Operand({"lr": "η"}.get(name, name), self.constants[name])


@dataclass(frozen=True)
class Anatomy:
    """How one kind of equation is put together."""

    operands: Callable[[Equation, Values], Operands]
    combine: Callable[[Operands], Bounded]
    text: Callable[[Operands], str]
    work: Callable[[Operands, Index], str]


def kind(equation: Equation) -> str:
    """The formula's name; slide 5's first factor, an equation of its own, is `backpropagated`."""
    first_factor = equation.formula.name == "hidden_delta" and equation.quantity == "s"
    return "backpropagated" if first_factor else equation.formula.name


def anatomy(equation: Equation) -> Anatomy:
    return ANATOMIES[kind(equation)]


def symbol(name: str) -> str:
    """A tensor's name as the deck writes it, in plain text: `δ2` for delta2."""
    return name.replace("delta", "δ")


def short(number: float) -> str:
    """A number for reading, with brackets around a negative one."""
    text = f"{number:.6g}"
    return f"({text})" if text.startswith("-") else text


def slope(f: Activation, z: Bounded, a: Bounded) -> Bounded:
    """f′, with the bound of the widest of its admitted forms."""
    judge = z.arithmetic
    truth = f.derivative(z, a, None)  # type: ignore[arg-type]
    if not isinstance(truth, Bounded):
        return constant(judge, float(truth))
    bound = truth.carried
    for form in f.other_forms:
        other = form(z, a)  # type: ignore[arg-type]
        bound = np.maximum(bound, other.carried)  # type: ignore[union-attr]
    return Bounded(judge, truth.value, bound, kink=truth.kink)


def curve(f: Activation, z: Bounded) -> Bounded:
    """f(z), with the bound of the widest of its admitted forms."""
    truth: Bounded = f.function(z, None)  # type: ignore[arg-type, assignment]
    bound = truth.carried
    for form in f.other_functions:
        bound = np.maximum(bound, form(z).carried)  # type: ignore[arg-type, attr-defined]
    return Bounded(z.arithmetic, truth.value, bound)


def layer_function(tensors: Tensors, layer: int) -> Activation:
    return tensors.architecture.activations[layer - 1]


# --- sign and factor, in front of everything ------------------------------------------------------


def _scaled(operands: Operands, part: str) -> Bounded:
    """A part with sign and factor. They go to one part of a product, whose bound then covers every order."""
    operand = operands[part]
    assert operand is not None
    value = operand.value
    for front in ("sign", "factor"):
        front_operand = operands.get(front)
        if front_operand is not None:
            value = front_operand.value * value
    return value


def _front(operands: Operands) -> str:
    factor, sign = operands.get("factor"), operands.get("sign")
    return ("−" if sign else "") + (f"{factor.text} · " if factor else "")


def _front_number(operands: Operands) -> str:
    factor, sign = operands.get("factor"), operands.get("sign")
    return ("−" if sign else "") + (f"{factor.number(())}·" if factor else "")


def _part(operands: Operands, name: str) -> Operand:
    operand = operands[name]
    assert operand is not None
    return operand


# --- left · right (+ bias): affine, backpropagated, weight_gradient --------------------------------


def _product(operands: Operands) -> Bounded:
    left, right = _scaled(operands, "left"), _part(operands, "right").value
    product: Bounded = np.matmul(left, right)  # type: ignore[call-overload]
    return product + _scaled(operands, "bias") if operands.get("bias") else product


def _product_text(operands: Operands) -> str:
    bias = operands.get("bias")
    product = f"{_part(operands, 'left').text} {_part(operands, 'right').text}"
    if bias is None:
        return _front(operands) + product
    whole = f"{product} + {bias.text}"
    return f"{_front(operands)}({whole})" if _front(operands) else whole


def _product_work(operands: Operands, index: Index) -> str:
    left, right = _part(operands, "left"), _part(operands, "right")
    i, j = index
    terms = [f"{left.number((i, k))}·{right.number((k, j))}" for k in range(left.value.shape[-1])]
    bias = operands.get("bias")
    if bias is not None:
        terms.append(bias.number((i, j)))
    return _sum_of(terms, _front_number(operands))


def _sum_of(terms: list[str], front: str = "", most: int = 8) -> str:
    """Terms, added; the middle of a long sum is only counted."""
    if len(terms) > most:
        terms = [*terms[: most - 2], f"… ({len(terms) - most + 1} terms) …", terms[-1]]
    whole = " + ".join(terms)
    return f"{front}({whole})" if front and len(terms) > 1 else front + whole


def _affine_parts(equation: Equation, values: Values) -> Operands:
    W, a, b = equation.inputs
    return {"left": values[W], "right": values[a], "bias": values[b]}


def _backpropagated_parts(equation: Equation, values: Values) -> Operands:
    W, delta = equation.inputs
    return {"left": values[W].T, "right": values[delta]}


def _weight_gradient_parts(equation: Equation, values: Values) -> Operands:
    delta, a = equation.inputs
    return {"left": values[delta], "right": values[a].T}


# --- f(z) and s ⊙ f′(z) ---------------------------------------------------------------------------


def _activation_parts(equation: Equation, values: Values) -> Operands:
    f, z = layer_function(values.tensors, equation.layer), values[equation.inputs[0]]
    return {"f": applied(f, z)}


def applied(f: Activation, z: Operand) -> Operand:
    """f(z) as an operand."""
    return Operand(f"{f.name}({z.text})", curve(f, z.value), lambda index: f"{f.name}({z.number(index)})")


def _activation(operands: Operands) -> Bounded:
    return _scaled(operands, "f")


def _activation_text(operands: Operands) -> str:
    return _front(operands) + _part(operands, "f").text


def _activation_work(operands: Operands, index: Index) -> str:
    return _front_number(operands) + _part(operands, "f").number(index)


def _delta_parts(equation: Equation, values: Values) -> Operands:
    s, z, a = (values[name] for name in equation.inputs)
    f = layer_function(values.tensors, equation.layer)
    return {"s": s, "slope": Operand(f"f′({z.text})", slope(f, z.value, a.value))}


def _delta(operands: Operands) -> Bounded:
    s, f_prime = _scaled(operands, "s"), operands.get("slope")
    return s if f_prime is None else s * f_prime.value


def _delta_text(operands: Operands) -> str:
    f_prime = operands.get("slope")
    s = _part(operands, "s").text
    return _front(operands) + (s if f_prime is None else f"{s} ⊙ {f_prime.text}")


def _delta_work(operands: Operands, index: Index) -> str:
    f_prime = operands.get("slope")
    s = _front_number(operands) + _part(operands, "s").number(index)
    return s if f_prime is None else f"{s} · {f_prime.number(index)}"


# --- the loss and its gradient --------------------------------------------------------------------


def _loss_parts(equation: Equation, values: Values) -> Operands:
    y_hat, y = (values[name] for name in equation.inputs)
    return {"y_hat": y_hat, "y": y, "n": values.constant("n"), "of": _the_loss(values)}


def _the_loss(values: Values) -> Operand:
    """Not a number: which loss it is, so that its formula can be asked for."""
    loss = values.tensors.architecture.loss
    return _LossOperand(loss.name, values.constants["n"], None, loss)


@dataclass(frozen=True)
class _LossOperand(Operand):
    loss: Loss | None = None


def _loss_of(operands: Operands) -> Loss:
    operand = operands["of"]
    assert isinstance(operand, _LossOperand)
    assert operand.loss is not None
    return operand.loss


def _loss_arguments(operands: Operands) -> tuple[Array, Array, Array]:
    y_hat, y, n = (_part(operands, name).value for name in ("y_hat", "y", "n"))
    return y_hat, y, n  # type: ignore[return-value]


def _in_front(operands: Operands, value: Bounded) -> Bounded:
    return _scaled(operands | {"whole": Operand("", value)}, "whole")


def _loss(operands: Operands) -> Bounded:
    value: Bounded = _loss_of(operands).value(*_loss_arguments(operands))  # type: ignore[assignment]
    return _in_front(operands, value)


def _loss_gradient(operands: Operands) -> Bounded:
    value: Bounded = _loss_of(operands).gradient(*_loss_arguments(operands), None)  # type: ignore[assignment]
    return _in_front(operands, value)


def _loss_text(operands: Operands) -> str:
    y_hat, y, n = (_part(operands, name).text for name in ("y_hat", "y", "n"))
    if _loss_of(operands).name == "mse":
        return f"{_front(operands)}1/{n} Σ ({y} − {y_hat})²"
    return f"{_front(operands)}{_loss_of(operands).name}({y_hat}, {y})"


def _loss_gradient_text(operands: Operands) -> str:
    y_hat, y, n = (_part(operands, name).text for name in ("y_hat", "y", "n"))
    if _loss_of(operands).name == "mse":
        return f"{_front(operands)}2/{n} ({y_hat} − {y})"
    return f"{_front(operands)}∇{_loss_of(operands).name}({y_hat}, {y})"


def _loss_work(operands: Operands, index: Index) -> str:
    y_hat, y = _part(operands, "y_hat"), _part(operands, "y")
    n = _part(operands, "n").number(())
    if _loss_of(operands).name != "mse":
        return _loss_text(operands)
    places = np.ndindex(*y.value.shape)
    terms = [f"({y.number(place)} − {y_hat.number(place)})²" for place in places]
    return f"{_front_number(operands)}1/{n}·({_sum_of(terms)})"


def _loss_gradient_work(operands: Operands, index: Index) -> str:
    y_hat, y = (_part(operands, name).number(index) for name in ("y_hat", "y"))
    n = _part(operands, "n").number(())
    if _loss_of(operands).name != "mse":
        return f"{_front_number(operands)}∇{_loss_of(operands).name}({y_hat}, {y})"
    return f"{_front_number(operands)}2/{n}·({y_hat} − {y})"


# --- Σ δ ------------------------------------------------------------------------------------------


def _bias_gradient_parts(equation: Equation, values: Values) -> Operands:
    return {"delta": values[equation.inputs[0]], "axis": _axis("batch", values, 1)}


@dataclass(frozen=True)
class AxisOperand(Operand):
    """Not a number: which axis is summed. None sums over both, −1 over neither."""

    axis: int | None = 1


def _axis(text: str, values: Values, axis: int | None) -> AxisOperand:
    return AxisOperand(text, values.constants["n"], None, axis)


def summed_over(text: str, like: Operand | None, axis: int | None) -> Operand:
    """Another axis in the place of `like`."""
    assert like is not None
    return replace(like, text=text, axis=axis)  # type: ignore[call-arg]


def _bias_gradient(operands: Operands) -> Bounded:
    delta, axis = _scaled(operands, "delta"), _part(operands, "axis")
    assert isinstance(axis, AxisOperand)
    if axis.axis == -1:
        return delta
    total: Bounded = np.add.reduce(delta, axis=axis.axis, keepdims=True)  # type: ignore[call-overload]
    if axis.axis is None:  # one number for all units
        everywhere = (delta.shape[0], 1)
        value, bound = (np.broadcast_to(part, everywhere) for part in (total.value, total.carried))
        return Bounded(delta.arithmetic, value, bound)
    return total.T if axis.axis == 0 else total


def _bias_gradient_text(operands: Operands) -> str:
    axis, delta = _part(operands, "axis"), _part(operands, "delta")
    return (
        f"{_front(operands)}{delta.text}"
        if not axis.text
        else (f"{_front(operands)}Σ_{axis.text} {delta.text}")
    )


def _bias_gradient_work(operands: Operands, index: Index) -> str:
    axis, delta = _part(operands, "axis"), _part(operands, "delta")
    assert isinstance(axis, AxisOperand)
    rows, columns = delta.value.shape
    i = index[0]
    places = {
        1: [(i, k) for k in range(columns)],
        0: [(k, i) for k in range(rows)],
        None: list(np.ndindex(rows, columns)),
        -1: [index],
    }[axis.axis]
    return _sum_of([delta.number(place) for place in places], _front_number(operands))


# --- W − η dW -------------------------------------------------------------------------------------


def _update_parts(equation: Equation, values: Values) -> Operands:
    before, gradient = (values[name] for name in equation.inputs)
    return {"old": before, "lr": values.constant("lr"), "gradient": gradient}


def _update(operands: Operands) -> Bounded:
    """`sign` turns the step round; `reversed` turns the whole."""
    gradient, lr, old = _scaled(operands, "gradient"), operands.get("lr"), operands.get("old")
    step = gradient if lr is None else lr.value * gradient
    if operands.get("nothing"):
        return _part(operands, "old").value
    if operands.get("reversed"):
        return step - _part(operands, "old").value
    return -step if old is None else old.value - step


def _step_text(operands: Operands, write: Callable[[Operand], str]) -> str:
    gradient, lr, factor = _part(operands, "gradient"), operands.get("lr"), operands.get("factor")
    parts = [write(part) for part in (factor, lr, gradient) if part is not None]
    return " · ".join(parts)


def _update_written(operands: Operands, write: Callable[[Operand], str]) -> str:
    old, step = operands.get("old"), _step_text(operands, write)
    if operands.get("nothing"):
        return write(_part(operands, "old"))
    if operands.get("reversed"):
        return f"{step} − {write(_part(operands, 'old'))}"
    sign = "+" if operands.get("sign") else "−"
    return f"{sign}{step}" if old is None else f"{write(old)} {sign} {step}"


def _update_text(operands: Operands) -> str:
    return _update_written(operands, lambda part: part.text)


def _update_work(operands: Operands, index: Index) -> str:
    return _update_written(operands, lambda part: part.number(index))


ANATOMIES: dict[str, Anatomy] = {
    "affine": Anatomy(_affine_parts, _product, _product_text, _product_work),
    "activation": Anatomy(_activation_parts, _activation, _activation_text, _activation_work),
    "loss": Anatomy(_loss_parts, _loss, _loss_text, _loss_work),
    "loss_gradient": Anatomy(_loss_parts, _loss_gradient, _loss_gradient_text, _loss_gradient_work),
    "output_delta": Anatomy(_delta_parts, _delta, _delta_text, _delta_work),
    "backpropagated": Anatomy(_backpropagated_parts, _product, _product_text, _product_work),
    "hidden_delta": Anatomy(_delta_parts, _delta, _delta_text, _delta_work),
    "weight_gradient": Anatomy(_weight_gradient_parts, _product, _product_text, _product_work),
    "bias_gradient": Anatomy(
        _bias_gradient_parts, _bias_gradient, _bias_gradient_text, _bias_gradient_work
    ),
    "weight_update": Anatomy(_update_parts, _update, _update_text, _update_work),
    "bias_update": Anatomy(_update_parts, _update, _update_text, _update_work),
}

__all__ = ["ANATOMIES", "Anatomy", "Operand", "Operands", "Values", "anatomy", "exact", "kind", "slope"]
