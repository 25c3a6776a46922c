"""Every activation against `torch.nn`, at ordinary numbers, at its kinks, and far out."""

from __future__ import annotations

import math
import tracemalloc
from functools import partial

import numpy as np
import pytest
import torch

from parity.pytorch.modules import activation_module
from reference import formulas
from reference.operations.activations import ACTIVATIONS, CLASSIC
from reference.operations.activations.activation import Activation, into, no_derivative
from reference.operations.losses import LOSSES
from tests.reference.near import SINGLE, near

OTHER = {
    "leaky_relu": {"negative_slope": 0.3},
    "hardtanh": {"min_val": -0.5, "max_val": 2.0},
    "hardshrink": {"lambd": 0.75},
    "softshrink": {"lambd": 0.75},
    "threshold": {"threshold": 0.25, "value": -0.75},
    "elu": {"alpha": 1.5},
    "celu": {"alpha": 1.5},
    "softplus": {"beta": 2.0, "threshold": 3.0},
    "prelu": {"num_parameters": 6, "init": 0.4},
}
MIXES = "^this activation mixes the components of a sample: it has a Jacobian, and no f′$"
SMOOTH_ENOUGH = np.linspace(-6, 6, 49)  # a grid that meets every kink of the defaults
KINKS = [-0.5, 0.5, -0.75, 0.75, 0.25, 2.0, 1.5, 20.0, 20.5, -0.0, 0.1, -0.1, 6.0, 7.0]
FAR = [-40.0, 40.0, -700.0, 700.0, -800.0, 800.0]


def numbers(*more):
    values = np.concatenate([SMOOTH_ENOUGH, KINKS, [1e-3, -1e-3, math.pi], *more])
    return np.resize(values, (6, -(-len(values) // 6)))


def asked():
    for name, f in ACTIVATIONS.items():
        if name != "threshold":
            yield pytest.param(f, id=name)
        if name in OTHER:
            yield pytest.param(f.configured(**OTHER[name]), id=f"{name}-other")


def learned_of(f):
    if not f.learned:
        return ()
    count = int(f.options["num_parameters"])
    return (np.linspace(0.1, 0.4, count)[:, None],)


def pytorchs(f, z, s, learned):
    """a, δ, and the gradient of what f learns."""
    module = activation_module(f, torch.float64)
    if f.learned:
        module.weight.data = torch.from_numpy(learned[0][:, 0].copy())
    rows = torch.tensor(np.ascontiguousarray(z.T), requires_grad=True)
    a = module(rows)
    a.backward(torch.from_numpy(np.ascontiguousarray(s.T)))
    slope = module.weight.grad.numpy()[:, None] if f.learned else None
    return a.detach().numpy().T, rows.grad.numpy().T, slope


@pytest.mark.parametrize("f", list(asked()))
def test_function_and_slope(f):
    z = numbers() if f.jacobian else numbers(FAR)
    s = np.random.default_rng(0).normal(size=z.shape)
    learned, rtol = learned_of(f), SINGLE if f.name == "hardsigmoid" else 1e-10
    a, delta, slope = pytorchs(f, z, s, learned)
    with np.errstate(over="ignore", invalid="ignore"):
        ours = formulas.activation(f, z, *learned)
        near(ours, a, "f(z)")
        assert ours.dtype == np.float64
        out = np.empty_like(z)
        assert formulas.activation(f, z, *learned, out=out) is out
        near(out, a, "f(z) into out")
        near(formulas.through(f, s, z, ours, *learned), delta, "delta", rtol)
        room = np.empty_like(z)
        assert formulas.through(f, s, z, ours, *learned, f_prime=np.empty_like(z), out=room) is room
        near(room, delta, "delta into out", rtol)
    if learned:
        near(formulas.slope_gradient(f, s, z, *learned), slope, "dalpha")


@pytest.mark.parametrize("f", list(asked()))
def test_float32_stays_float32(f):
    z = numbers().astype(np.float32)
    learned = tuple(p.astype(np.float32) for p in learned_of(f))
    a = formulas.activation(f, z, *learned)
    assert a.dtype == np.float32
    delta = formulas.through(f, np.ones_like(z), z, a, *learned)
    assert delta.dtype == np.float32
    theirs = pytorchs(f, z.astype(float), np.ones(z.shape), tuple(p.astype(float) for p in learned))
    np.testing.assert_allclose(a, theirs[0], rtol=2e-5, atol=2e-6)


@pytest.mark.parametrize("f", list(asked()))
def test_other_forms_are_the_same_function(f):
    z = np.linspace(-5, 5, 40).reshape(4, 10)
    learned = learned_of(f) and (np.array([[0.3]]),)
    if learned:
        return  # PReLU has one form
    a, delta, _ = pytorchs(f, z, np.ones_like(z), ())
    for form in f.other_functions:
        np.testing.assert_allclose(form(z), a, rtol=1e-9, atol=1e-11)
    for form in f.other_forms:
        np.testing.assert_allclose(form(z, a) * np.ones_like(z), delta, rtol=1e-9, atol=1e-11)
    if f.torch_form:
        s = np.random.default_rng(1).normal(size=z.shape)
        near(f.torch_form(s, z, a), pytorchs(f, z, s, ())[1], "as PyTorch computes it")


def test_buffers_of_the_first_four():
    z = np.linspace(-2, 2, 12).reshape(3, 4)
    for name in ("sigmoid", "tanh", "relu"):
        f = ACTIVATIONS[name]
        before = z.copy()
        a, slope = np.empty_like(z), np.empty_like(z)
        f.function(z, a)
        kept = a.copy()
        found = f.derivative(z, a, slope)
        near(slope, found, name)
        near(slope, pytorchs(f, z, np.ones_like(z), ())[1], name)
        near(slope, f.derivative(z, a), name)
        assert np.array_equal(z, before)
        assert np.array_equal(a, kept)
    assert ACTIVATIONS["identity"].derivative(z, z) == 1.0
    out = np.empty_like(z)
    assert ACTIVATIONS["identity"].function(z, out) is out
    assert np.array_equal(out, z)
    assert ACTIVATIONS["identity"].function(z) is not z


def peak(call):
    """The most that a call allocates, in bytes."""
    call()
    tracemalloc.start()
    try:
        call()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_with_buffers_nothing_is_allocated():
    z, a, out = (np.full((100, 1000), 0.5) for _ in range(3))
    calls = {"mse": lambda: formulas.loss_gradient(LOSSES["mse"], z, a, 2, out=out)}
    for f in CLASSIC:
        calls[f.name] = lambda f=f: formulas.activation(f, z, out=out)
        calls[f"{f.name}'"] = lambda f=f: f.derivative(z, a, out)
    calls["update"] = lambda: formulas.weight_update(z, a, 0.1, out=out)
    calls["bias"] = lambda: formulas.bias_update(z, a, 0.1, out=out)
    calls["delta"] = lambda: formulas.output_delta(z, a, out=out)
    for name, call in calls.items():
        assert peak(call) < z.nbytes / 2, name


def test_slopes_without_a_batch_or_with_one_unit():
    """One α for all, or one a unit; z of one unit sums over its row."""
    prelu = ACTIVATIONS["prelu"]
    for units, count in ((1, 1), (3, 1), (3, 3)):
        z, s = np.random.default_rng(units).normal(size=(2, units, 5))
        alpha = np.linspace(0.1, 0.2, count)[:, None]
        f = prelu.configured(num_parameters=count)
        slope = formulas.slope_gradient(f, s, z, alpha)
        near(slope, pytorchs(f, z, s, (alpha,))[2], f"{units} units")
        assert slope.shape == alpha.shape


def test_defaults_are_pytorchs():
    for name, f in ACTIVATIONS.items():
        module = getattr(torch.nn, f.source.removeprefix("torch.nn."))
        if name == "threshold":
            assert all(value != value for value in f.options.values())
            continue
        made = module(**f.torch_options) if name != "prelu" else module()
        for option, value in f.options.items():
            theirs = {"init": 0.25}.get(option) or getattr(made, option)
            assert theirs == value, (name, option)


def test_options_are_checked():
    elu, threshold = ACTIVATIONS["elu"], ACTIVATIONS["threshold"]
    with pytest.raises(ValueError, match=r"^elu takes no 'beta'$"):
        elu.configured(beta=1.0)
    with pytest.raises(ValueError, match=r"^threshold: value must be given$"):
        threshold.configured(threshold=1.0)
    assert threshold.with_defaults() is threshold
    bare = Activation("bare", np.positive, np.positive, "", "", "", options={"b": 1.0})
    made = bare.with_defaults()
    assert isinstance(made.function, partial)
    assert made.options == {"b": 1.0}
    kept = ACTIVATIONS["relu"].configured()
    assert kept.function is ACTIVATIONS["relu"].function
    asked = bare.configured(b=2.0)
    assert (asked.function.keywords, asked.derivative.keywords) == ({"b": 2.0}, {"b": 2.0})
    assert asked.options == {"b": 2.0}
    assert ACTIVATIONS["prelu"].configured(init=0.5).function is ACTIVATIONS["prelu"].function
    assert ACTIVATIONS["prelu"].configured(init=0.5).options["init"] == 0.5
    formed = Activation(
        "g",
        np.positive,
        np.positive,
        "",
        "",
        "",
        (lambda z, b: z + b,),
        (lambda z, a, b: b,),
        {"b": 3.0},
        torch_form=lambda s, z, a, b: s + b,
    ).configured()
    assert formed.other_functions[0](1.0) == 4.0
    assert formed.other_forms[0](1.0, 1.0) == 3.0
    assert formed.torch_form is not None
    assert formed.torch_form(1.0, 1.0, 1.0) == 4.0
    assert asked.torch_form is None


def test_into_copies_and_passes_everything_on():
    def doubled(z, *learned, plus=0.0):
        """Doc."""
        return 2 * z + sum(learned) + plus

    f = into(doubled)
    z, out = np.ones(3), np.empty(3)
    assert f.__name__ == "doubled"
    assert f.__doc__ == "Doc."
    assert np.array_equal(f(z), [2, 2, 2])
    assert f(z, out, 5.0, plus=1.0) is out
    assert np.array_equal(out, [8, 8, 8])


def test_what_mixes_has_no_slope():
    with pytest.raises(TypeError, match=MIXES):
        no_derivative(np.ones(1), np.ones(1))


def test_softmax_of_large_numbers():
    z = np.array([[1000.0, -1000.0], [1001.0, 0.0], [999.0, 1.0]])
    for name in ("softmax", "log_softmax", "softmin"):
        near(ACTIVATIONS[name].function(z), pytorchs(ACTIVATIONS[name], z, z, ())[0], name)
