from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reference.operations.activations import ACTIVATIONS, Activation
from reference.operations.arithmetic import ADD, SQUARE, SUBTRACT
from reference.operations.linear import AFFINE, MATMUL
from reference.operations.reductions import MEAN, TOTAL
from reference.operations.rows import activation
from tests.reference.sweeps import Sweeps


class Dual:
    """p + q ε with ε² = 0, over the rationals: q is the derivative along one direction, exactly.

    Forward-mode differentiation, which shares nothing with the reverse sweep it is held against.
    """

    def __init__(self, p, q=0):
        self.p, self.q = Fraction(p), Fraction(q)

    @staticmethod
    def of(value):
        return value if isinstance(value, Dual) else Dual(value)

    def __add__(self, other):
        other = Dual.of(other)
        return Dual(self.p + other.p, self.q + other.q)

    def __sub__(self, other):
        other = Dual.of(other)
        return Dual(self.p - other.p, self.q - other.q)

    def __mul__(self, other):
        other = Dual.of(other)
        return Dual(self.p * other.p, self.p * other.q + self.q * other.p)

    def __truediv__(self, number):
        return Dual(self.p / number, self.q / number)

    __radd__, __rmul__ = __add__, __mul__

    def __pos__(self):
        return self


CUBE = Activation(
    "cube", lambda z, out: z * z * z, lambda z, a, out: 3 * z * z, "z^3", "3 z^2", "rational, unlike tanh"
)


def rationals(random, shape):
    """Whole and half numbers without zeros: every operation on them is exact."""
    return np.vectorize(lambda k: Fraction(int(k) or 7, 2), otypes=[object])(random.integers(-5, 6, shape))


def random_graph(random, operations):
    """An acyclic graph that nobody drew: any operation on any nodes before it, some of them unused."""
    graph, leaves, size = Sweeps(), {}, 3
    for k in range(3):
        leaves[f"p{k}"] = rationals(random, (size, size))
        leaves[f"b{k}"] = rationals(random, (size, 1))
        graph.leaf(f"p{k}")
        graph.leaf(f"b{k}")
    matrices = ["p0", "p1", "p2"]
    for k in range(operations):
        operation = (AFFINE, MATMUL, ADD, SUBTRACT, SQUARE, activation(CUBE))[random.integers(6)]
        parents = [matrices[random.integers(len(matrices))] for _ in range(len(operation.operands))]
        if operation is AFFINE:
            parents[2] = f"b{random.integers(3)}"
        graph.add(f"n{k}", operation, *parents)
        matrices.append(f"n{k}")
    graph.add("loss", (MEAN, TOTAL)[random.integers(2)], matrices[-1])
    return graph, leaves


@settings(deadline=None, max_examples=60)
@given(seed=st.integers(0, 2**32 - 1), operations=st.integers(1, 7))
def test_reverse_sweep_agrees_exactly_with_forward_mode_on_any_acyclic_graph(seed, operations):
    random = np.random.default_rng(seed)
    graph, leaves = random_graph(random, operations)
    used = {parent.name for node in graph.nodes for parent in node.parents}
    graph.forward(leaves)
    graph.backward("loss")
    gradients = {name: graph.gradient(name) for name in leaves}
    directions = {name: rationals(random, value.shape) for name, value in leaves.items()}
    inner = sum((gradients[name] * directions[name]).sum() for name in leaves)
    graph.forward(
        {
            name: np.vectorize(Dual, otypes=[object])(leaves[name], directions[name])
            for name in used & set(leaves)
        }
    )
    assert graph.value("loss").item().q == inner


def leaves_of(shapes, dtype=np.float64, seed=0):
    random = np.random.default_rng(seed)
    return {name: random.normal(size=shape).astype(dtype) for name, shape in shapes.items()}


def build(leaves, *nodes):
    graph = Sweeps()
    for leaf in leaves:
        graph.leaf(leaf)
    for name, operation, *parents in nodes:
        graph.add(name, operation, *parents)
    return graph


def test_one_node_used_twice_by_the_same_operation_gets_both_shares():
    leaves = leaves_of({"p": (2, 3)})
    graph = build(leaves, ("sum", ADD, "p", "p"), ("none", SUBTRACT, "p", "p"), ("q", ADD, "sum", "none"))
    graph.forward(leaves)
    seed = leaves_of({"seed": (2, 3)}, seed=1)["seed"]
    graph.backward("q", seed)
    assert np.array_equal(graph.gradient("p"), 2 * seed)
    assert np.array_equal(graph.gradient("q"), seed)


def test_diamond_adds_what_comes_back_along_both_sides():
    # p -> p², p -> 3p - p², both into their sum: exactly 3p.
    leaves = {"p": np.array([[1.0, -2.0, 0.5]])}
    graph = build(
        leaves,
        ("left", SQUARE, "p"),
        ("twice", ADD, "p", "p"),
        ("thrice", ADD, "twice", "p"),
        ("right", SUBTRACT, "thrice", "left"),
        ("sum", ADD, "left", "right"),
        ("loss", TOTAL, "sum"),
    )
    graph.forward(leaves)
    graph.backward("loss")
    assert np.array_equal(graph.value("loss"), 3 * leaves["p"].sum())
    assert np.array_equal(graph.gradient("p"), np.full((1, 3), 3.0))


def test_tied_weight_gets_the_sum_of_what_two_untied_ones_get():
    shapes = {"x": (3, 2), "W": (3, 3), "b": (3, 1), "seed": (3, 2)}
    leaves = leaves_of(shapes)
    seed = leaves.pop("seed")
    f = activation(ACTIVATIONS["tanh"])

    def two_layers(first, second, names):
        nodes = ("z1", AFFINE, first, "x", "b"), ("a1", f, "z1"), ("z2", AFFINE, second, "a1", "b")
        graph = build(names, *nodes)
        graph.forward({name: leaves[name[0]] for name in names})
        graph.backward("z2", seed)
        return graph

    tied = two_layers("W", "W", ("x", "W", "b"))
    untied = two_layers("W_1", "W_2", ("x", "W_1", "W_2", "b"))
    assert np.array_equal(tied.gradient("W"), untied.gradient("W_1") + untied.gradient("W_2"))
    assert np.array_equal(tied.gradient("b"), untied.gradient("b"))
    assert not np.array_equal(tied.gradient("W"), untied.gradient("W_2"))


def test_matmul_and_broadcast_free_add_are_affine():
    leaves = leaves_of({"W": (2, 3), "x": (3, 4), "b": (2, 1), "B": (2, 4), "seed": (2, 4)})
    seed = leaves.pop("seed")
    leaves["B"] = np.repeat(leaves["b"], 4, axis=1)
    graph = build(
        leaves, ("product", MATMUL, "W", "x"), ("apart", ADD, "product", "B"), ("z", AFFINE, "W", "x", "b")
    )
    graph.forward(leaves)
    assert np.array_equal(graph.value("apart"), graph.value("z"))
    graph.backward("apart", seed)
    apart = graph.gradients
    graph.backward("z", seed)
    assert np.array_equal(apart["W"], graph.gradient("W"))
    assert np.array_equal(apart["x"], graph.gradient("x"))
    assert np.array_equal(np.add.reduce(apart["B"], axis=1, keepdims=True), graph.gradient("b"))


def test_sweeps_leave_the_leaves_and_the_seed_alone_and_can_be_repeated():
    leaves = leaves_of({"p": (2, 3), "q": (2, 3), "seed": (2, 3)})
    seed = leaves.pop("seed")
    before = {name: value.copy() for name, value in leaves.items()} | {"seed": seed.copy()}
    graph = build(leaves, ("s", ADD, "p", "q"), ("t", ADD, "s", "p"), ("u", SUBTRACT, "t", "q"))
    graph.forward(leaves)
    graph.backward("u", seed)
    first = {name: value.copy() for name, value in graph.gradients.items()}
    graph.backward("u", seed)
    assert all(np.array_equal(first[name], graph.gradient(name)) for name in first)
    assert np.array_equal(first["p"], 2 * seed)
    assert np.array_equal(first["q"], 0 * seed)
    for name, value in {**leaves, "seed": seed}.items():
        assert np.array_equal(value, before[name])


def test_what_the_loss_does_not_depend_on_has_gradient_zero():
    leaves = leaves_of({"p": (2, 3), "aside": (4, 1)}, np.float32)
    graph = build(
        (*leaves, "idle"), ("dead end", SQUARE, "aside"), ("loss", MEAN, "p"), ("after", SQUARE, "loss")
    )
    graph.forward(leaves)  # "idle" is used by nothing: it needs no value
    graph.backward("loss")
    for name in ("aside", "dead end"):
        assert graph.gradient(name).dtype == np.float32
        assert np.array_equal(graph.gradient(name), np.zeros((4, 1)))
    assert np.array_equal(graph.gradient("after"), np.zeros(()))
    assert np.array_equal(graph.gradient("p"), np.full((2, 3), np.float32(1) / 6))
    assert "idle" not in graph.gradients


def test_a_later_node_forgets_what_earlier_sweeps_left():
    graph = build(("p",), ("loss", TOTAL, "p"))
    graph.forward({"p": np.ones((2, 2))})
    graph.backward("loss")
    graph.leaf("q")
    with pytest.raises(ValueError, match="loss has no gradient: run backward first"):
        graph.gradient("loss")


def test_errors_of_building_say_which_node_and_why():
    graph = build(("p",), ("q", SQUARE, "p"))
    with pytest.raises(ValueError, match="r: its parent 's' is not in the graph yet"):
        graph.add("r", ADD, "p", "s")
    with pytest.raises(ValueError, match="r: its parent 'r' is not in the graph yet"):
        graph.add("r", ADD, "p", "r")  # the shortest cycle
    with pytest.raises(ValueError, match="q: there is a node of this name already"):
        graph.add("q", ADD, "p", "q")  # closing one over a name that is taken
    with pytest.raises(ValueError, match="r: '\\+' takes 2, not 1"):
        graph.add("r", ADD, "p")
    assert [node.name for node in graph.nodes] == ["p", "q"]


def test_errors_of_sweeping_say_which_node_and_why():
    leaves = leaves_of({"W": (2, 3), "x": (3, 4), "b": (2, 1)})
    graph = build(leaves, ("z", AFFINE, "W", "x", "b"), ("loss", MEAN, "z"))
    with pytest.raises(ValueError, match="loss has no value: run forward first"):
        graph.backward("loss")
    with pytest.raises(ValueError, match="forward: no value for 'W'"):
        graph.forward({"x": leaves["x"], "b": leaves["b"]})
    with pytest.raises(ValueError, match="forward: 'z' is no leaf"):
        graph.forward({**leaves, "z": leaves["x"]})
    with pytest.raises(
        ValueError, match=r"z: affine: shapes \(2, 3\) and \(3, 4\) and \(2, 4\) do not fit"
    ):
        graph.forward({**leaves, "b": np.ones((2, 4))})
    with pytest.raises(ValueError, match=r"z: affine: shapes \(2, 3\) and \(2, 4\)"):
        graph.forward({**leaves, "x": np.ones((2, 4))})
    assert not graph.values  # a forward that failed leaves nothing half done
    graph.forward(leaves)
    with pytest.raises(ValueError, match="W has no gradient: run backward first"):
        graph.gradient("W")
    with pytest.raises(ValueError, match=r"backward: z has shape \(2, 4\), give a seed"):
        graph.backward("z")
    with pytest.raises(ValueError, match=r"backward: z has shape \(2, 4\), its seed \(4, 2\)"):
        graph.backward("z", np.ones((4, 2)))
    with pytest.raises(ValueError, match="'lost' is not in the graph"):
        graph.backward("lost")
    for operation in (ADD, SUBTRACT):
        wrong = build(leaves, ("z", operation, "x", "b"))
        with pytest.raises(ValueError, match=r"z: .* shapes \(3, 4\) and \(2, 1\) do not fit"):
            wrong.forward(leaves)
    with pytest.raises(ValueError, match=r"m: average: shapes \(0, 3\) do not fit"):
        build(("p",), ("m", MEAN, "p")).forward({"p": np.ones((0, 3))})


def test_a_graph_can_be_looked_at_before_and_after_its_sweeps():
    leaves = leaves_of({"W": (2, 2), "x": (2, 3), "b": (2, 1)})
    graph = build(leaves, ("z", AFFINE, "W", "x", "b"), ("h", ADD, "z", "x"), ("loss", MEAN, "h"))
    assert [node.name for node in graph.nodes] == ["W", "x", "b", "z", "h", "loss"]
    assert [node.label for node in graph.nodes] == ["W", "x", "b", "W a + b", "+", "(1/n) Σ"]
    assert [parent.name for parent in graph.nodes[4].parents] == ["z", "x"]
    assert graph.columns() == {"W": 0, "x": 0, "b": 0, "z": 1, "h": 2, "loss": 3}
    assert not graph.values
    assert not graph.gradients
    graph.forward(leaves)
    assert graph.values.keys() == {node.name for node in graph.nodes}
    assert not graph.gradients
    graph.backward("loss")
    assert {name: g.shape for name, g in graph.gradients.items()} == {
        name: value.shape for name, value in graph.values.items()
    }


def test_columns_put_children_right_of_parents_and_leaves_next_to_their_use():
    random = np.random.default_rng(4)
    for _ in range(20):
        graph, _ = random_graph(random, 9)
        column = graph.columns()
        for node in graph.nodes:
            assert all(column[parent.name] < column[node.name] for parent in node.parents)
            uses = [column[child.name] for child in graph.nodes if node in child.parents]
            if node.operation is None and uses:
                assert column[node.name] == min(uses) - 1
