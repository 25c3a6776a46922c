"""Two networks out of the table's operations: walked, certified, and held against PyTorch's autograd."""

from functools import partial

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from parity.bounds import SLACK, Bounded
from reference import walk
from reference.graph import Graph
from reference.operations import OPERATIONS
from tests.reference.operations.table import recorded

BATCH, TOKENS, WIDTH, HEADS, VOCABULARY = 3, 5, 8, 2, 11


def add(graph, node, operation, *parents, **options):
    graph.add(node, OPERATIONS[operation], *parents, **options)
    return node


# A small convolutional network, whose first kernel is used twice


def cnn_leaves(random):
    return {
        "x": random.standard_normal((4, 3, 6, 7)),
        "W": random.standard_normal((3, 3, 3, 3)) / 5,
        "b": random.standard_normal(3),
        "gain": random.uniform(0.5, 2, 3),
        "shift": random.standard_normal(3),
        "running_mean": random.standard_normal(3),
        "running_var": random.uniform(0.5, 2, 3),
        "V": random.standard_normal((5, 27)) / 5,
        "c": random.standard_normal(5),
        "target": random.integers(0, 5, 4),
    }


def cnn():
    graph = Graph()
    for name in cnn_leaves(np.random.default_rng(0)):
        graph.leaf(name, given=name in ("x", "running_mean", "running_var", "target"))
    same = {"padding": (1, 1), "transposed": False}
    add(graph, "conv1", "convolution", "x", "W", "b", **same)
    statistics = ("gain", "shift", "running_mean", "running_var")
    add(graph, "norm1", "batch_norm", "conv1", *statistics, training=True)
    add(graph, "relu1", "relu", "norm1")
    add(graph, "conv2", "convolution", "relu1", "W", "b", **same)
    add(graph, "sum2", "add", "conv2", "conv1")
    add(graph, "pool2", "max_pool2d", "sum2", kernel_size=(2, 2))
    add(graph, "flat2", "reshape", "pool2", shape=(4, 27))
    return head(graph, "flat2", "V", "c")


def head(graph, top, *weights):
    add(graph, "logits3", "linear", top, *weights)
    add(graph, "log3", "log_softmax", "logits3", dim=1)
    add(graph, "loss", "nll_loss", "log3", "target", None)
    return graph


def cnn_loss(v):
    conv = partial(F.conv2d, weight=v["W"], bias=v["b"], padding=1)
    first = conv(v["x"])
    means = v["running_mean"].clone(), v["running_var"].clone()
    h = F.relu(F.batch_norm(first, *means, v["gain"], v["shift"], training=True))
    pooled, indices = F.max_pool2d(conv(h) + first, 2, return_indices=True)
    loss = F.cross_entropy(F.linear(pooled.flatten(1), v["V"], v["c"]), v["target"])
    return loss, {"indices2": indices.numpy()}


# A small transformer block, whose embedding is its last layer's weight too


def transformer_leaves(random):
    def weight(*shape):
        return random.standard_normal(shape) / np.sqrt(shape[-1])

    hidden = np.where(np.tri(TOKENS, dtype=bool), 0.0, -np.inf)
    return {
        "tokens": random.integers(0, VOCABULARY, (BATCH, TOKENS)),
        "mask": np.broadcast_to(hidden, (BATCH * HEADS, TOKENS, TOKENS)),
        "target": random.integers(0, VOCABULARY, BATCH * TOKENS),
        "E": weight(VOCABULARY, WIDTH),
        "gain1": random.uniform(0.5, 2, WIDTH),
        "shift1": weight(WIDTH),
        **{f"W{name}": weight(WIDTH, WIDTH) for name in "qkvo"},
        "gain2": random.uniform(0.5, 2, WIDTH),
        "shift2": weight(WIDTH),
        "up": weight(3 * WIDTH, WIDTH),
        "up_b": weight(3 * WIDTH),
        "down": weight(WIDTH, 3 * WIDTH),
        "down_b": weight(WIDTH),
    }


def heads(graph, name, *, flat):
    """(batch, tokens, width) -> (batch, heads, tokens, width of a head), or batch and heads as one."""
    size = WIDTH // HEADS
    add(graph, f"{name}_parts1", "reshape", name, shape=(BATCH, TOKENS, HEADS, size))
    made = add(graph, f"{name}_heads1", "permute", f"{name}_parts1", dims=(0, 2, 1, 3))
    if not flat:
        return made
    return add(graph, f"{name}_flat1", "reshape", made, shape=(BATCH * HEADS, TOKENS, size))


def transformer(*, by_hand):
    graph = Graph()
    for name in transformer_leaves(np.random.default_rng(0)):
        graph.leaf(name, given=name in ("tokens", "mask", "target"))
    add(graph, "x1", "embedding", "E", "tokens")
    add(graph, "norm1", "layer_norm", "x1", "gain1", "shift1", normalized_shape=(WIDTH,))
    parts = {}
    for name in "qkv":
        add(graph, name, "linear", "norm1", f"W{name}", None)
        parts[name] = heads(graph, name, flat=by_hand)
    if by_hand:
        add(graph, "turned1", "transpose", parts["k"], dim0=1, dim1=2)
        add(graph, "scores1", "baddbmm", "mask", parts["q"], "turned1", alpha=(WIDTH // HEADS) ** -0.5)
        add(graph, "weights1", "softmax", "scores1", dim=2)
        add(graph, "mixed_flat1", "bmm", "weights1", parts["v"])
        shape = (BATCH, HEADS, TOKENS, WIDTH // HEADS)
        add(graph, "mixed1", "reshape", "mixed_flat1", shape=shape)
    else:
        add(graph, "mixed1", "attention", *parts.values(), None, is_causal=True)
    add(graph, "back1", "permute", "mixed1", dims=(0, 2, 1, 3))
    add(graph, "joined1", "reshape", "back1", shape=(BATCH, TOKENS, WIDTH))
    add(graph, "out1", "linear", "joined1", "Wo", None)
    add(graph, "x2", "add", "x1", "out1")
    add(graph, "norm2", "layer_norm", "x2", "gain2", "shift2", normalized_shape=(WIDTH,))
    add(graph, "up2", "linear", "norm2", "up", "up_b")
    add(graph, "gelu2", "gelu", "up2")
    add(graph, "down2", "linear", "gelu2", "down", "down_b")
    add(graph, "x3", "add", "x2", "down2")
    add(graph, "flat3", "reshape", "x3", shape=(BATCH * TOKENS, WIDTH))
    return head(graph, "flat3", "E", None)


def transformer_loss(v, *, by_hand):
    x = F.embedding(v["tokens"], v["E"])
    h = F.layer_norm(x, (WIDTH,), v["gain1"], v["shift1"])
    q, k, w = (F.linear(h, v[f"W{name}"]).view(BATCH, TOKENS, HEADS, -1).transpose(1, 2) for name in "qkv")
    if by_hand:
        scores = (q @ k.transpose(2, 3)) / (WIDTH // HEADS) ** 0.5
        mixed = torch.softmax(scores + v["mask"][0], -1) @ w
    else:
        mixed = F.scaled_dot_product_attention(q, k, w, is_causal=True)
    x = x + F.linear(mixed.transpose(1, 2).reshape(BATCH, TOKENS, WIDTH), v["Wo"])
    h = F.layer_norm(x, (WIDTH,), v["gain2"], v["shift2"])
    x = x + F.linear(F.gelu(F.linear(h, v["up"], v["up_b"])), v["down"], v["down_b"])
    return F.cross_entropy(F.linear(x, v["E"]).flatten(0, 1), v["target"]), {}


NETWORKS = {
    "cnn": (cnn, cnn_leaves, cnn_loss),
    "attention by hand": (
        partial(transformer, by_hand=True),
        transformer_leaves,
        partial(transformer_loss, by_hand=True),
    ),
    "attention": (
        partial(transformer, by_hand=False),
        transformer_leaves,
        partial(transformer_loss, by_hand=False),
    ),
}

every_network = pytest.mark.parametrize("name", NETWORKS)
both_formats = pytest.mark.parametrize("dtype", [np.float32, np.float64])


def equations_of(graph):
    return [*walk.forward(graph), *walk.backward(graph, "loss")]


def leaves_of(make, dtype, seed=7):
    found = make(np.random.default_rng(seed))
    return {name: v.astype(dtype) if v.dtype.kind == "f" else v for name, v in found.items()}


def run(equations, values):
    with np.errstate(all="ignore"):
        for equation in equations:
            values[equation.makes] = np.asarray(equation.of(values, {}))
    return values


def worst(observed, truth):
    """The largest share of the bound, among what the bound can tell, and how many it cannot."""
    bound = np.broadcast_to(truth.carried * SLACK, truth.shape)
    with np.errstate(all="ignore"):
        error = truth.arithmetic.lower(np.abs(truth.arithmetic.lift(observed) - truth.value))
        error = np.where(observed == truth.lowered(), 0.0, error)  # infinities
        share = np.where(error == 0, 0.0, error / bound)
    known = np.isfinite(bound)
    if truth.kink is not None:
        known = known & ~truth.kink
    assert not np.isnan(share[known]).any()
    return float(np.max(share, initial=0.0, where=known)), int(np.sum(~known))


@every_network
@both_formats
def test_every_equation_of_the_engine_is_certified(name, dtype):
    make, leaves, _ = NETWORKS[name]
    values = run(equations_of(make()), leaves_of(leaves, dtype))
    for equation in equations_of(make()):
        observed = values[equation.makes]
        if equation.check is not None:
            taken = (values[name] for name in equation.inputs)
            assert np.array_equal(equation.check(*taken, observed), observed)
            continue
        with np.errstate(all="ignore"):
            truth = equation.of({name: recorded(values[name]) for name in equation.inputs}, {})
        assert observed.dtype == dtype, equation.makes
        share, untold = worst(observed, truth)
        assert share <= 1, (equation.makes, share)
        assert untold == 0, equation.makes


def bounded_walk(graph, leaves, choices):
    """The whole step in bounded arithmetic, from the leaves; choices are those that were made."""
    values = {name: recorded(value) for name, value in leaves.items()} | choices
    for equation in equations_of(graph):
        if equation.makes not in choices:
            with np.errstate(all="ignore"):
                values[equation.makes] = equation.of(values, {})
    return values


@every_network
@both_formats
def test_autograd_is_inside_the_bound_of_the_whole_step(name, dtype):
    make, leaves, loss_of = NETWORKS[name]
    graph, start = make(), leaves_of(leaves, dtype)
    tensors = {key: torch.from_numpy(np.array(value)) for key, value in start.items()}
    learned = [node.name for node in graph.nodes if not node.operation and not node.given]
    for key in learned:
        tensors[key].requires_grad_()
    loss, choices = loss_of(tensors)
    gradients = torch.autograd.grad(loss, [tensors[key] for key in learned])
    bounded = bounded_walk(graph, start, choices)
    ours = run([e for e in equations_of(graph) if e.makes not in choices], {**start, **choices})
    assert worst(loss.detach().numpy(), bounded["loss"])[0] <= 1
    for key, gradient in zip(learned, gradients, strict=True):
        truth = bounded[graph[key].gradient]
        assert isinstance(truth, Bounded)
        for side, found in {"pytorch": gradient.numpy(), "engine": ours[graph[key].gradient]}.items():
            share, untold = worst(found, truth)
            assert share <= 1, (side, key, share)
            assert untold == 0, (side, key)
        if dtype == np.float64:  # of float32, the bound of a whole transformer says nothing
            scale = np.abs(truth.lowered()).max()
            assert np.median(np.broadcast_to(truth.carried, truth.shape)) < scale / 2**20, key


@every_network
def test_a_share_that_is_left_out_is_told(name):
    make, leaves, loss_of = NETWORKS[name]
    graph, start = make(), leaves_of(leaves, np.float64)
    tensors = {key: torch.from_numpy(np.array(value)) for key, value in start.items()}
    bounded = bounded_walk(graph, start, loss_of(tensors)[1])
    forks = [equation for equation in equations_of(graph) if equation.formula is walk.SUM]
    assert forks
    for equation in forks:
        for left_out in equation.inputs:
            rest = sum(bounded[k].lowered() for k in equation.inputs if k != left_out)
            assert worst(rest, bounded[equation.makes])[0] > 1, left_out
