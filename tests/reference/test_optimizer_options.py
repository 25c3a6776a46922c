"""Options of optimizers and clippings, and what their rules and states are called."""

from __future__ import annotations

import inspect
from types import SimpleNamespace

import numpy as np
import pytest

from reference.clipping import CLIPPINGS, total_norm
from reference.optimizers import GROUPS, OPTIMIZERS, SGD
from reference.optimizers.adam import _PRODUCTS, _rho, mu_product
from reference.optimizers.momentum import gradient
from reference.optimizers.rule import Derived, State
from tests.reference.agreement import offered, written


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_defaults_are_pytorchs(name):
    family = OPTIMIZERS[name]
    theirs = inspect.signature(offered(name)).parameters
    assert theirs["lr"].default == family.lr
    for option, value in family.options.items():
        if option == "decoupled_weight_decay":
            assert value is (name == "adamw")
            continue
        group = next((g for g, parts in GROUPS.items() if option in parts), None)
        if group and group in theirs and not isinstance(theirs[group].default, float):
            place = [part for part in GROUPS[group] if part in family.options].index(option)
            default = theirs[group].default[place]
        else:
            default = theirs[option].default
        assert default == value, option
        assert isinstance(value, bool) == isinstance(default, bool)


@pytest.mark.parametrize(
    ("name", "options", "words"),
    [
        ("sgd", {"beta": 1.0}, "sgd takes no 'beta'"),
        ("sgd", {"nesterov": 1.0}, "sgd: nesterov is true or false, not 1.0"),
        ("sgd", {"nesterov": True}, "sgd: nesterov needs a momentum, and no dampening"),
        (
            "sgd",
            {"nesterov": True, "momentum": 0.5, "dampening": 0.5},
            "sgd: nesterov needs a momentum, and no dampening",
        ),
        ("sgd", {"momentum": True}, "sgd: momentum is a number, not True"),
        ("sgd", {"momentum": "a"}, "sgd: momentum is a number, not 'a'"),
        ("adafactor", {"eps1": True}, "adafactor: eps1 is a number, not True"),
        ("adafactor", {"eps1": "a"}, "adafactor: eps1 is a number, not 'a'"),
        ("muon", {"adjust_lr_fn": "a"}, "muon: adjust_lr_fn is one of None, original, match_rms_adamw"),
    ],
)
def test_options_are_checked(name, options, words):
    with pytest.raises(ValueError, match=f"^{words}$"):
        OPTIMIZERS[name].configured(**options)


def test_what_configured_makes():
    assert OPTIMIZERS["sgd"].configured().plain is True
    assert SGD.name == "sgd"
    assert not OPTIMIZERS["sgd"].configured(momentum=0.5).plain
    assert not OPTIMIZERS["adam"].configured().plain
    for name, family in OPTIMIZERS.items():
        made = family.configured()
        assert (made.name, made.source, made.lr) == (name, family.source, family.lr)
        assert made.elementwise is family.elementwise
        assert made.derived is family.derived
        assert (made.others is None) == (family.others is None)
        assert made.options == family.options
        assert {rule.makes for rule in made.rules} == {"p", *made.states}
    integer = OPTIMIZERS["sgd"].configured(momentum=1)
    assert integer.numbers == {"momentum": 1.0, "dampening": 0.0, "weight_decay": 0.0}
    assert all(type(value) is float for value in integer.numbers.values())
    muon = OPTIMIZERS["muon"].configured()
    assert muon.of(matrix=True) is muon
    assert muon.of(matrix=False) is muon.others
    assert muon.of(matrix=False).name == "adamw"
    assert SGD.of(matrix=False) is SGD
    factor = OPTIMIZERS["adafactor"].configured(d=2.0).others
    assert (factor.name, factor.source, factor.lr) == ("adafactor", "torch.optim.Adafactor", 1e-2)
    assert factor.options["d"] == 2.0
    assert factor.elementwise is False
    assert factor.states["v"].key == "variance"
    hyper = OPTIMIZERS["nadam"].configured().hyper(0.5, 3)
    assert (hyper.lr, hyper.t, hyper.beta1) == (0.5, 3, 0.9)
    assert type(hyper.mu_product) is float
    assert SGD.derive(0.1, 1) == {}


KEYS = {
    "sgd": ({"momentum": 0.5}, {"v": "momentum_buffer"}),
    "adam": ({"amsgrad": True}, {"m": "exp_avg", "v": "exp_avg_sq", "V": "max_exp_avg_sq"}),
    "adamax": ({}, {"m": "exp_avg", "n": "exp_inf"}),
    "rmsprop": (
        {"centered": True, "momentum": 0.5},
        {"v": "square_avg", "m": "grad_avg", "b": "momentum_buffer"},
    ),
    "adagrad": ({}, {"S": "sum"}),
    "asgd": ({}, {"ax": "ax"}),
    "rprop": ({}, {"h": "step_size", "last": "prev"}),
    "adamw": ({}, {"m": "exp_avg", "v": "exp_avg_sq"}),
    "nadam": ({}, {"m": "exp_avg", "v": "exp_avg_sq"}),
    "radam": ({}, {"m": "exp_avg", "v": "exp_avg_sq"}),
    "adadelta": ({}, {"v": "square_avg", "n": "acc_delta"}),
    "adafactor": ({}, {"R": "row_var", "C": "col_var"}),
    "muon": ({}, {"B": "momentum_buffer"}),
}


@pytest.mark.parametrize("name", KEYS)
def test_states_are_called_as_pytorch_calls_them(name):
    options, keys = KEYS[name]
    made = OPTIMIZERS[name].configured(**options)
    assert {state: entry.key for state, entry in made.states.items()} == keys
    assert list(made.states) == list(keys)


RULES = {
    "sgd": ({"momentum": 0.5}, ["velocity", "update"]),
    "asgd": ({}, ["update", "average"]),
    "rprop": ({}, ["step_size", "last_gradient", "update"]),
    "adam": ({"amsgrad": True}, ["first_moment", "second_moment", "largest_moment", "update"]),
    "adamax": ({}, ["first_moment", "infinity_norm", "update"]),
    "nadam": ({}, ["first_moment", "second_moment", "update"]),
    "radam": ({}, ["first_moment", "second_moment", "update"]),
    "adagrad": ({}, ["sum_of_squares", "update"]),
    "adadelta": ({}, ["second_moment", "squared_changes", "update"]),
    "rmsprop": (
        {"centered": True, "momentum": 0.5},
        ["second_moment", "first_moment", "velocity", "update"],
    ),
    "adafactor": ({}, ["row_factor", "column_factor", "update"]),
    "muon": ({}, ["velocity", "update"]),
}


@pytest.mark.parametrize("name", RULES)
def test_rules_have_the_fields_words(name):
    options, words = RULES[name]
    rules = OPTIMIZERS[name].configured(**options).rules
    assert [rule.formula for rule in rules] == words
    for rule in (*rules, *OPTIMIZERS[name].configured().rules):
        written(rule)
    assert OPTIMIZERS["rmsprop"].configured().rules[-1].formula == "update"
    assert OPTIMIZERS["sgd"].configured(maximize=True).rules[0].formula == "update"
    for centered in (True, False):
        last = OPTIMIZERS["rmsprop"].configured(centered=centered).rules[-1]
        assert (r"\sqrt{v - m^2}" in last.latex) is centered
    sgd = OPTIMIZERS["sgd"].configured
    assert sgd().rules[0].latex == r"p \leftarrow p - \eta g"
    assert sgd(weight_decay=0.1).rules[0].latex == r"p \leftarrow p - \eta (g + \lambda p)"
    assert sgd(momentum=0.1).rules[1].latex == r"p \leftarrow p - \eta v"
    assert sgd(momentum=0.1, nesterov=True).rules[1].latex == r"p \leftarrow p - \eta (g + \mu v)"
    vector = OPTIMIZERS["adafactor"].configured().others
    for rule in vector.rules:
        written(rule)
    assert vector.rules[-1].latex.endswith("V = v")
    assert [rule.formula for rule in vector.rules] == ["second_moment", "update"]


def test_the_gradient_a_rule_sees():
    g, p, c = np.array([2.0]), np.array([3.0]), SimpleNamespace(weight_decay=0.5)
    assert gradient({}, g, p, c) == 2.0
    assert gradient({"maximize": True}, g, p, c) == -2.0
    assert gradient({"weight_decay": 0.5}, g, p, c) == 3.5
    assert gradient({"weight_decay": 0.5, "decoupled_weight_decay": True}, g, p, c) == 2.0
    assert gradient({"weight_decay": 0.5, "decoupled_weight_decay": False}, g, p, c) == 3.5


def test_derived_numbers():
    c = SimpleNamespace(beta1=0.9, momentum_decay=0.25, t=5)
    mu = [0.9 * (1 - 0.5 * 0.96 ** (t * 0.25)) for t in range(1, 8)]
    _PRODUCTS.clear()
    for t in (1, 5, 3, 6, 7, 7):  # backwards too
        found = mu_product(SimpleNamespace(**{**vars(c), "t": t}))["mu_product"]
        assert found == pytest.approx(np.prod(mu[:t]), rel=1e-14)
        assert (type(found), found.roundings) == (Derived, 16 * t)
    rates = OPTIMIZERS["asgd"].configured(t0=2.0, lambd=0.5, alpha=0.5).derive(0.1, 7)
    assert rates["eta"] == pytest.approx(0.1 / (1 + 0.5 * 0.1 * 6) ** 0.5)
    assert rates["mu"] == 0.25
    assert (rates["eta"].roundings, rates["mu"].roundings) == (16, 2)
    assert OPTIMIZERS["asgd"].configured(t0=6.0).derive(0.1, 7)["mu"] == 1.0
    assert _rho(0.9, 2) == pytest.approx((19.0, 19 - 4 * 0.81 / 0.19))


@pytest.mark.parametrize("t0", [-3.0, 0.0, 2.0])
def test_an_average_begins_as_a_copy_of_the_last_bit(t0):
    made = OPTIMIZERS["asgd"].configured(t0=t0)
    ax, p = np.random.default_rng(0).normal(size=(2, 500)) * [[1e3], [1.0]]
    for t in range(1, 8):
        found = made.rules[1].function(ax, p, made.hyper(0.1, t))
        if t == 1 or t <= t0 + 2:
            assert np.array_equal(found, p)
            assert found is not p
        else:
            np.testing.assert_allclose(found, ax + (p - ax) / (t - 1 - t0))


def test_states_start_in_their_shape():
    p = np.ones((2, 3), np.float32)
    assert State("key").start(p, 0.1).tolist() == np.zeros((2, 3)).tolist()
    assert State("key").start(p[0], 0.1).shape == (3,)
    narrow = State("key", lambda p, lr: p * lr, lambda rows, columns: (rows, 1))
    assert narrow.start(p, 0.5).tolist() == [[0.5], [0.5]]
    assert State("key").start(p, 0.1).dtype == np.float32


# --- Clipping -------------------------------------------------------------------------------------


def test_clippings_options():
    norm, value = CLIPPINGS["norm"], CLIPPINGS["value"]
    for way, options, words in (
        (norm, {}, "norm: max_norm must be given, and above 0"),
        (norm, {"max_norm": 0.0}, "norm: max_norm must be given, and above 0"),
        (value, {"max_norm": 1.0}, "value takes no 'max_norm'"),
    ):
        with pytest.raises(ValueError, match=f"^{words}$"):
            way.configured(**options)
    assert norm.configured(max_norm=0.5).options == {"max_norm": 0.5, "norm_type": 2.0}
    assert value.configured(clip_value=1).options == {"clip_value": 1}


def test_norms():
    parts = np.array([[3.0, -4.0]]), np.array([[-12.0]])
    for p, expected in ((2.0, 13.0), (1.0, 19.0), (np.inf, 12.0), (3.0, (27 + 64 + 1728) ** (1 / 3))):
        assert total_norm(*parts, max_norm=1.0, norm_type=p) == pytest.approx(expected)
