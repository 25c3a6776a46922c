"""Pictures of graphs: every operand has its arrow, every error its way back, all inside the frame."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from dataclasses import dataclass

import numpy as np
import pytest

from parity.render.graph import svg, text
from parity.render.graph.drawing import DrawnGraph, drawing
from parity.render.graph.layout import layout
from parity.render.texts import catalogue
from reference.architecture import architecture
from reference.graph import Graph
from reference.model import Model
from reference.operations import OPERATIONS
from reference.operations.activations import ACTIVATIONS
from reference.operations.arithmetic import ADD, SQUARE, SUBTRACT
from reference.operations.linear import AFFINE
from reference.operations.reductions import MEAN
from reference.operations.rows import activation
from reference.optimizers import SGD

GIVEN = ("x", "y")


def residual() -> Graph:
    """W and b are used twice, and a1 goes around a layer."""
    graph = Graph()
    graph.leaf("x", given=True)
    graph.leaf("W")
    graph.leaf("b")
    graph.add("z1", AFFINE, "W", "x", "b")
    graph.add("a1", activation(ACTIVATIONS["tanh"]), "z1")
    graph.add("z2", AFFINE, "W", "a1", "b")
    graph.add("a2", activation(ACTIVATIONS["tanh"]), "z2")
    graph.add("sum", ADD, "a2", "a1")
    graph.leaf("y", given=True)
    graph.add("r", SUBTRACT, "y", "sum")
    graph.add("squares", SQUARE, "r")
    graph.add("loss", MEAN, "squares")
    return graph


def deep() -> Graph:
    return architecture((3, 4, 5, 2), ("relu", "tanh", "sigmoid")).unfolded(Graph())


@pytest.mark.parametrize("graph", [residual(), deep()], ids=["residual", "deep"])
def test_no_two_nodes_share_a_place_and_data_goes_right(graph):
    plan = layout(graph)
    assert len(set(plan.places.values())) == len(graph.nodes)
    assert all(plan.places[e.parent.name].column < plan.places[e.child.name].column for e in plan.edges)


@pytest.mark.parametrize("graph", [residual(), deep()], ids=["residual", "deep"])
def test_every_operand_has_an_arrow_and_every_learnt_one_its_error(graph):
    operands = [(p.name, node.name) for node in graph.nodes for p in node.parents]
    plan = layout(graph)
    assert [(e.parent.name, e.child.name) for e in plan.edges] == operands
    assert [e.learns for e in plan.edges] == [parent not in GIVEN for parent, _ in operands]
    drawn = text.mermaid(DrawnGraph(graph))
    assert drawn.count("-->|") == len(operands)
    assert drawn.count("-.->|") == sum(e.learns for e in plan.edges)


def test_an_arrow_around_a_layer_steps_aside_and_others_do_not():
    bent = {(e.parent.name, e.child.name) for e in layout(residual()).edges if e.bend}
    assert bent == {("W", "z2"), ("b", "z2"), ("a1", "sum")}
    assert not any(edge.bend for edge in layout(deep()).edges)


def test_a_tie_bends_to_the_side_its_parent_stands_on():
    bend = {(e.parent.name, e.child.name): e.bend for e in layout(residual()).edges}
    assert bend["W", "z2"] < 0 < bend["b", "z2"]


@pytest.mark.parametrize("upright", [False, True])
def test_svg_is_wellformed_and_inside_its_frame(upright):
    root = ET.fromstring(svg.svg(DrawnGraph(residual()), upright=upright))
    left, top, width, height = (float(part) for part in root.get("viewBox").split())
    for rect in root.iter("{http://www.w3.org/2000/svg}rect"):
        x, y, w, h = (float(rect.get(key)) for key in ("x", "y", "width", "height"))
        assert left <= x
        assert top <= y
        assert x + w <= left + width
        assert y + h <= top + height


def test_names_from_outside_are_text():
    graph = Graph()
    graph.leaf('<script>alert("1")</script>')
    graph.add("z1", SQUARE, '<script>alert("1")</script>')
    picture = svg.svg(DrawnGraph(graph))
    assert "<script" not in picture
    assert ET.fromstring(picture) is not None
    assert "<script" not in text.mermaid(DrawnGraph(graph))


def test_marks_are_on_the_arrow_of_the_error_and_carry_a_sign():
    picture = svg.svg(DrawnGraph(deep()), {"delta2": "born", "dW1": "inherited"})
    assert '<g class="error born" data-tensor="delta2">' in picture
    assert '<g class="error inherited" data-tensor="dW1">' in picture
    assert picture.count("✗") == picture.count("↳") == 1


def test_words_name_the_decks_errors():
    back = text.backward_lines(deep())
    assert "  δ⁽³⁾ ╌╌▶ dW⁽³⁾, s⁽²⁾, db⁽³⁾   [W a + b]" in back
    assert back[-1] == "  δ⁽¹⁾ ╌╌▶ dW⁽¹⁾, db⁽¹⁾   [W a + b]"


@dataclass
class Moved(Model):
    """y = tanh(x W as rows) + x W, with a reshape there and back."""

    dtype: object = np.float64
    optimizer: object = SGD
    clipping: object = None

    @property
    def graph(self):
        graph = Graph()
        graph.leaf("x", given=True)
        graph.leaf("W1")
        graph.add("a1", OPERATIONS["mm"], "x", "W1", gradient="s1")
        graph.add("a2", OPERATIONS["reshape"], "a1", gradient="s2", shape=(6,))
        graph.add("a3", OPERATIONS["relu"], "a2", gradient="s3")
        graph.add("a4", OPERATIONS["reshape"], "a3", gradient="s4", shape=(2, 3))
        graph.add("a5", OPERATIONS["add"], "a4", "a1", gradient="s5")
        graph.add("loss", OPERATIONS["sum"], "a5", gradient="dloss")
        return graph

    title, output = "moved", "a5"

    def parameter_shapes(self):
        return {"W1": (4, 3)}

    def example(self, batch):
        return {"x": np.zeros((batch, 4))}

    def samples(self, x):
        return len(x)

    def n(self, batch):
        return 1


def test_what_only_moves_numbers_is_left_out_and_its_shape_stays():
    drawn = drawing(Moved(), 2)
    assert [node.name for node in drawn.graph.nodes if node.operation] == ["a1", "a3", "a5", "loss"]
    assert drawn.moves == {"a2", "a4"}  # relu chooses by the number, so it is no move
    assert drawn.labels["a1", "a3"] == "a⁽²⁾ 6"
    assert drawn.labels["a3", "a5"] == "a⁽⁴⁾ 2×3"
    assert drawn.errors["a1", "a3"] == "s2"
    assert drawn.errors["a1", "a5"] == "share1_s1"
    assert ("a3", "a4", OPERATIONS["reshape"].label) in drawn.moved
    assert "a⁽²⁾ 6 ──▶ a⁽³⁾" in text.text(drawn, catalogue("en"))
    assert text.mermaid(drawn).startswith("flowchart TB")
