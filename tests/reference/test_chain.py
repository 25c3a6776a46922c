from __future__ import annotations

from dataclasses import replace

import flint
import numpy as np
import pytest

from parity.bounds import SLACK, exact
from parity.bounds.formats import arithmetic
from parity.certify.certificate import Certifier, Verdict
from reference import formulas
from reference.architecture import architecture
from reference.engine import Network
from reference.equations import step_equations
from reference.graph import Graph
from reference.operations.activations import ACTIVATIONS
from reference.operations.arithmetic import ADD, SQUARE, SUBTRACT
from reference.operations.linear import AFFINE
from reference.operations.reductions import MEAN
from reference.operations.rows import activation
from tests.reference.sweeps import Sweeps

SIZES = (3, 5, 2, 4, 3, 2)
DTYPES = (np.float32, np.float64)


def data(made_of, batch, seed=1):
    random = np.random.default_rng(seed)
    x, y = (random.normal(size=(made_of.layers[k], batch)).astype(made_of.dtype) for k in (0, -1))
    return x, y


def asked(name):
    """An activation by name, with options where it has no defaults."""
    f = ACTIVATIONS[name]
    return f.configured(threshold=0.1, value=-0.2) if name == "threshold" else f


def swept(made_of, parameters, x, y):
    graph = made_of.unfolded(Sweeps({"n": made_of.n(x.shape[1])}))
    graph.forward({**parameters, "x": x, "y": y})
    graph.backward("loss")
    return graph


def trace(graph):
    """What both sweeps left, under a trace's names."""
    given = ("x", "y", "r", "squares", "loss")
    found = {name: graph.value(name) for name in graph.values if name not in ("r", "squares")}
    return found | {
        node.gradient: graph.gradient(node.name) for node in graph.nodes if node.name not in given
    }


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("depth", [1, 2, 3, 4, 5])
@pytest.mark.parametrize("name", ACTIVATIONS)
def test_values_and_gradients_are_the_layered_formulas_bit_for_bit(name, depth, dtype):
    # 1/n, then 2·(1/n)·(y − ŷ), then the sign: doubling and negation are exact, so these are the
    # bits of (2/n)(ŷ − y). n below 2^24 is exact in float32, where 1/n is the same by either way.
    for batch in (1, 7):
        for reduction in ("mean", "sum"):
            made_of = architecture(SIZES[: depth + 1], asked(name), dtype, reduction)
            parameters = made_of.initial_parameters(depth)
            x, y = data(made_of, batch)
            found = trace(swept(made_of, parameters, x, y))
            expected = {**parameters, "x": x, "y": y}
            for equation in step_equations(made_of):
                constants = {"n": made_of.n(batch), "lr": 0.1}
                expected[equation.makes] = np.asarray(equation.of(expected, constants))
            assert found.keys() == {key for key in expected if not key.endswith("_next")}
            for key, tensor in found.items():
                assert tensor.dtype == dtype
                assert tensor.shape == expected[key].shape
                assert tensor.tobytes() == expected[key].tobytes(), key


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", ACTIVATIONS)
def test_a_graph_is_certified_like_any_other_side(name, dtype):
    made_of = architecture((4, 6, 3, 2), asked(name), dtype)
    parameters = made_of.initial_parameters(3)
    x, y = data(made_of, 5)
    found = trace(swept(made_of, parameters, x, y))
    for name in parameters:
        found[f"{name}_next"] = formulas.weight_update(found[name], found[f"d{name}"], 0.5)
    findings = list(Certifier(made_of).certify(found, {"n": made_of.n(5), "lr": 0.5}))
    assert len(findings) == len(step_equations(made_of))
    assert {finding.verdict for finding in findings} == {Verdict.MATCH}


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", ["identity", "relu"])
def test_where_arithmetic_is_exact_the_graph_and_the_network_have_the_same_numbers(name, dtype):
    # Small whole numbers and n = 8: no operation rounds, so the memory layout, and with it the
    # order in which BLAS sums, cannot show.
    made_of = architecture((3, 5, 4), name, dtype)
    random = np.random.default_rng(2)
    shapes = made_of.parameter_shapes()
    parameters = {key: random.integers(-3, 4, shape).astype(dtype) for key, shape in shapes.items()}
    x, y = (random.integers(-3, 4, (rows, 2)).astype(dtype) for rows in (3, 4))
    found = trace(swept(made_of, parameters, x, y))
    step = Network(made_of, parameters).step(x, y, 0.5)
    assert np.any(found["dW1"] != 0)
    for key, tensor in found.items():
        assert np.array_equal(tensor, step[key]), key


def test_names_and_columns_are_the_networks():
    graph = architecture((2, 3, 1), ("tanh", "sigmoid")).unfolded(Graph())
    assert [node.name for node in graph.nodes if not node.operation] == ["x", "W1", "b1", "W2", "b2", "y"]
    operations = {node.name: node.label for node in graph.nodes if node.operation}
    assert operations == {
        "z1": "W a + b",
        "a1": "tanh",
        "z2": "W a + b",
        "a2": "sigmoid",
        "r": "−",
        "squares": "( )²",
        "loss": "(1/n) Σ",
    }
    column = graph.columns()
    assert [column[name] for name in ("x", "z1", "a1", "z2", "a2", "r", "squares", "loss")] == list(
        range(8)
    )
    assert (column["W2"], column["y"]) == (column["a1"], column["a2"])


def test_a_trace_needs_both_sweeps():
    made_of = architecture((2, 2), "tanh")
    graph = made_of.unfolded(Sweeps())
    with pytest.raises(ValueError, match="x has no value: run forward first"):
        graph.value("x")
    x, y = data(made_of, 3)
    graph.forward({**made_of.initial_parameters(0), "x": x, "y": y})
    with pytest.raises(ValueError, match="W1 has no gradient: run backward first"):
        graph.gradient("W1")


@pytest.mark.parametrize("reduction", ["mean", "sum"])
def test_a_loss_in_one_node_gives_what_the_loss_taken_apart_gives(reduction):
    apart = architecture((3, 4, 2), "tanh", np.float64, reduction)
    whole = replace(apart, loss=replace(apart.loss, name="not taken apart"))
    x, y = data(apart, 3)
    parameters = apart.initial_parameters(0)
    graphs = swept(apart, parameters, x, y), swept(whole, parameters, x, y)
    assert [len(graph.nodes) for graph in graphs] == [13, 11]
    first, second = (trace(graph) for graph in graphs)
    assert all(first[key].tobytes() == second[key].tobytes() for key in first)
    leaves = {**parameters, "x": x, "y": y}
    for graph in graphs:  # and what stands above the loss reaches through it
        graph.add("above", SQUARE, "loss")
        graph.forward(leaves)
        graph.backward("above")
    above = [graph.gradient("a2") for graph in graphs]
    assert above[0].shape == above[1].shape
    assert not np.array_equal(above[1], second["s2"])
    judge = arithmetic(np.float64, "ball")
    with judge.precision():
        graphs[0].forward(
            {key: exact(judge, value) for key, value in {**parameters, "x": x, "y": y}.items()}
        )
        graphs[0].backward("above", exact(judge, 1.0))
        truth = graphs[0].gradient("a2")
        for gradient in above:
            error = judge.lower(np.abs(judge.lift(gradient) - truth.value))
            assert np.all(error <= truth.carried * SLACK)


def test_a_loss_in_one_node_wants_its_target_as_data():
    made_of = architecture((3, 2), "tanh")
    graph = replace(made_of, loss=replace(made_of.loss, name="other")).graph
    loss = graph.nodes[-1].operation
    assert loss is not None
    with pytest.raises(ValueError, match="'z1' is computed, 'other' wants data"):
        graph.add("loss2", loss, "a1", "z1")


# --- The witness that knows no chain rule ---------------------------------------------------------

PARAMETERS = {"W": (3, 3), "b1": (3, 1), "b2": (3, 1), "V": (2, 3), "c": (2, 1)}


def residual() -> Sweeps:
    """Two layers of one shared weight with a residual connection over the second, and an output."""
    graph = Sweeps()
    for leaf in ("x", "y", *PARAMETERS):
        graph.leaf(leaf)
    graph.add("z1", AFFINE, "W", "x", "b1")
    graph.add("a1", activation(ACTIVATIONS["tanh"]), "z1")
    graph.add("z2", AFFINE, "W", "a1", "b2")
    graph.add("h", ADD, "a1", "z2")
    graph.add("a2", activation(ACTIVATIONS["sigmoid"]), "h")
    graph.add("z3", AFFINE, "V", "a2", "c")
    graph.add("r", SUBTRACT, "y", "z3")
    graph.add("squares", SQUARE, "r")
    graph.add("loss", MEAN, "squares")
    return graph


def test_shared_and_residual_gradients_agree_with_differences_of_the_loss():
    """|gradient − ∂L/∂θ| ≤ the rounding bound, for every element of every parameter.

    The witness is (L(θ + h) − L(θ − h)) / 2h in 200-bit balls, which contain the rounding, plus
    the truncation h² max|L‴| / 6. L is analytic on the disc of radius ρ around θ, and bounded there
    by M, from one evaluation on a complex ball; so, by Cauchy's estimate around each point
    within h of θ, |L‴| ≤ 3! M / (ρ − h)³. The rounding bound is the graph's own, run on numbers
    that carry theirs.
    """
    random = np.random.default_rng(7)
    leaves = {"x": random.normal(size=(3, 2)), "y": random.normal(size=(2, 2))}
    leaves |= {name: random.normal(size=shape) for name, shape in PARAMETERS.items()}
    graph = residual()
    graph.forward(leaves)
    graph.backward("loss")
    floats = {name: graph.gradient(name) for name in PARAMETERS}
    judge = arithmetic(np.float64, "ball")
    with judge.precision():
        graph.forward({name: exact(judge, value) for name, value in leaves.items()})
        graph.backward("loss", exact(judge, 1.0))
        bounds = {name: graph.gradient(name).carried * SLACK for name in PARAMETERS}
    before, flint.ctx.prec = flint.ctx.prec, 200
    try:
        balls = {name: judge.lift(value) for name, value in leaves.items()}
        for name, shape in PARAMETERS.items():
            for index in np.ndindex(shape):
                slope = witness(graph, balls, name, index)
                error = abs(flint.arb(float(floats[name][index])) - slope)
                assert error <= flint.arb(float(bounds[name][index])), (name, index)
                assert abs(slope) > 1e6 * bounds[name][index], "a bound that could hide a mistake"
    finally:
        flint.ctx.prec = before


def witness(graph, balls, name, index):
    """∂L/∂θ of one parameter, as a ball that contains it."""
    h, rho = flint.arb(2) ** -60, flint.arb(2) ** -4

    def loss_at(theta):
        moved = balls[name].copy()
        moved[index] = theta
        graph.forward({**balls, name: moved})
        return graph.value("loss").item()

    theta = balls[name][index]
    disc = flint.acb(flint.arb(theta.mid(), rho), flint.arb(0, rho))
    bound = abs(loss_at(disc)).upper()  # M
    truncation = (h**2 * bound / (rho - h) ** 3).upper()
    assert truncation < flint.arb(2) ** -90
    return (loss_at(theta + h) - loss_at(theta - h)) / (2 * h) + flint.arb(0, truncation)
