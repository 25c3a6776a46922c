"""Draws a graph as SVG: nodes are operations, solid arrows carry data, dashed arrows carry errors back.

Forward and backward differ in line style, arrow head, side of the line and label, not in colour
alone. The picture is styled by the page that holds it; on its own, `standalone` gives it a style.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from html import escape
from math import hypot

from parity.render.graph.layout import Edge, Layout, Place, layout
from parity.render.graph.names import gradient_written, written
from reference.graph import Graph, Node

Point = tuple[float, float]
NODE_W, NODE_H = 84.0, 44.0
BEND = 0.9
"""Where a bent arrow's control point lies, in lanes for each lane that it steps aside."""
MARGIN = 16.0
APART = 5.0
"""Half the distance between the arrows in both directions, in pixels."""


@dataclass(frozen=True)
class Grid:
    """Converts columns and lanes to pixels: columns run to the right, or down in an upright picture."""

    upright: bool
    column: float
    lane: float

    def centre(self, place: Place) -> Point:
        along = MARGIN + place.column * self.column
        across = MARGIN + place.lane * self.lane
        x, y = (across, along) if self.upright else (along, across)
        return x + NODE_W / 2, y + NODE_H / 2

    def frame(self, plan: Layout) -> tuple[float, float, float, float]:
        """The picture's viewBox: all nodes, and on either side what bent arrows need."""
        before, after = self._overhang(plan)
        along = 2 * MARGIN + (plan.columns - 1) * self.column
        across = 2 * MARGIN + (plan.lanes - 1) * self.lane + before + after
        if self.upright:
            return -before, 0.0, across + NODE_W, along + NODE_H
        return 0.0, -before, along + NODE_W, across + NODE_H

    def _overhang(self, plan: Layout) -> tuple[float, float]:
        """How far arrows that step aside reach beyond the first and the last lane, in pixels."""
        before = after = 0.0
        for edge in (edge for edge in plan.edges if edge.bend):
            middle = (plan.places[edge.parent.name].lane + plan.places[edge.child.name].lane) / 2
            top = middle + edge.bend * BEND / 2  # a quadratic curve goes half the way to its control point
            before, after = max(before, -top * self.lane), max(after, (top - plan.lanes + 1) * self.lane)
        return before, after


GRIDS = {False: Grid(upright=False, column=150, lane=92), True: Grid(upright=True, column=104, lane=118)}


def svg(
    graph: Graph,
    marks: Mapping[str, str] | None = None,
    *,
    upright: bool = False,
    prefix: str = "g",
    labelled_by: str | None = None,
) -> str:
    """The picture as an `<svg>` element.

    `marks` gives tensors a class of their own (`{"delta1": "born"}`); `prefix` keeps the ids of several
    pictures in one page apart; `labelled_by` is the id of the element that names the picture.
    """
    plan, grid = layout(graph), GRIDS[upright]
    left, top, width, height = grid.frame(plan)
    marks = marks or {}
    named = f' role="img" aria-labelledby="{escape(labelled_by)}"' if labelled_by else ""
    shapes = [
        f'<svg xmlns="http://www.w3.org/2000/svg" class="graph" '
        f'viewBox="{left:g} {top:g} {width:g} {height:g}"'
        f' width="{width:g}" height="{height:g}"{named}>'
    ]
    shapes += _heads(prefix)
    for edge in plan.edges:
        shapes += _arrows(edge, plan, grid, marks, prefix)
    for node in graph.nodes:
        shapes += _node(node, grid.centre(plan.places[node.name]), marks)
    return "\n".join([*shapes, "</svg>"])


def _heads(prefix: str) -> Iterator[str]:
    """A filled head for data, an open one for errors."""
    yield "<defs>"
    for name, path in (("data", "M0 0 L9 4 L0 8 Z"), ("error", "M0 0 L9 4 L0 8")):
        yield (
            f'<marker id="{prefix}-{name}" class="head {name}" viewBox="-1 -1 11 10" refX="8" refY="4" '
            'markerWidth="9" markerHeight="9" markerUnits="userSpaceOnUse" orient="auto">'
            f'<path d="{path}"/></marker>'
        )
    yield "</defs>"


def _node(node: Node, centre: Point, marks: Mapping[str, str]) -> Iterator[str]:
    x, y = centre
    kind = "operation" if node.operation else "leaf"
    mark = marks.get(node.name) or marks.get(f"{node.name}_next", "")
    names = " ".join(filter(None, ("node", kind, mark)))
    corner = 6 if node.operation else NODE_H / 2
    yield f'<g class="{escape(names)}" data-tensor="{escape(node.name)}">'
    yield (
        f'<rect x="{x - NODE_W / 2:g}" y="{y - NODE_H / 2:g}" '
        f'width="{NODE_W:g}" height="{NODE_H:g}" rx="{corner:g}"/>'
    )
    if node.operation:
        yield f'<text class="what" x="{x:g}" y="{y - 4:g}">{escape(node.label)}</text>'
        yield f'<text class="name" x="{x:g}" y="{y + 13:g}">{escape(written(node.name))}</text>'
    else:
        yield f'<text class="name" x="{x:g}" y="{y + 5:g}">{escape(written(node.name))}</text>'
    yield from _flag(mark, (x + NODE_W / 2 - 4, y - NODE_H / 2 + 2))
    yield "</g>"


def _flag(mark: str, at: Point) -> Iterator[str]:
    """A sign beside whatever is marked: a cross where a mistake was born, a hook where it was inherited."""
    sign = {"born": "✗", "inherited": "↳"}.get(mark)
    if sign:
        x, y = at
        yield f'<circle class="flag {mark}" cx="{x:g}" cy="{y:g}" r="9"/>'
        yield f'<text class="flag {mark}" x="{x:g}" y="{y + 4:g}">{sign}</text>'


def _arrows(edge: Edge, plan: Layout, grid: Grid, marks: Mapping[str, str], prefix: str) -> Iterator[str]:
    start, end = grid.centre(plan.places[edge.parent.name]), grid.centre(plan.places[edge.child.name])
    aside = edge.bend * grid.lane * BEND
    name = edge.parent.name
    yield f'<g class="data" data-tensor="{escape(name)}">'
    yield from _arrow(
        start, end, aside, grid, f"{prefix}-data", written(name), side=1 if edge.learns else 0
    )
    yield "</g>"
    if edge.learns:
        back = edge.parent.gradient
        mark = marks.get(back, "")
        names = " ".join(filter(None, ("error", mark)))
        yield f'<g class="{escape(names)}" data-tensor="{escape(back)}">'
        yield from _arrow(
            end, start, aside, grid, f"{prefix}-error", gradient_written(edge.parent), side=1, mark=mark
        )
        yield "</g>"


def _arrow(
    start: Point, end: Point, aside: float, grid: Grid, head: str, label: str, *, side: int, mark: str = ""
) -> Iterator[str]:
    """A line from border to border, to the left of its own direction; its label lies on that side."""
    bend = ((0.0, aside) if not grid.upright else (aside, 0.0)) if aside else (0.0, 0.0)
    middle = ((start[0] + end[0]) / 2 + bend[0], (start[1] + end[1]) / 2 + bend[1])
    towards = middle if aside else end
    p, q = _border(start, towards), _border(end, middle if aside else start)
    dx, dy = q[0] - p[0], q[1] - p[1]
    length = hypot(dx, dy) or 1.0
    left = (dy / length, -dx / length)  # an arrow's left, where its label lies
    off = (left[0] * APART * side, left[1] * APART * side)
    p, q, m = ((a + off[0], b + off[1]) for a, b in (p, q, middle))
    if aside:
        path = f"M{p[0]:.1f} {p[1]:.1f} Q{m[0]:.1f} {m[1]:.1f} {q[0]:.1f} {q[1]:.1f}"
        at = ((p[0] + 2 * m[0] + q[0]) / 4, (p[1] + 2 * m[1] + q[1]) / 4)
    else:
        path = f"M{p[0]:.1f} {p[1]:.1f} L{q[0]:.1f} {q[1]:.1f}"
        # A slanting arrow's label keeps to the parent, where there is room; `head` tells which end that is.
        slanting = min(abs(dx), abs(dy)) > length / 8
        along = 0.5 if not slanting else 0.38 if head.endswith("data") else 0.62
        at = (p[0] + along * dx, p[1] + along * dy)
    away = 9.0 if abs(dx) > abs(dy) else 7.0
    away += 10.0 if mark else 0.0  # the flag stands on the line itself
    x, y = at[0] + left[0] * away, at[1] + left[1] * away
    level = abs(dy) < length / 8
    anchor = "middle" if level else ("start" if left[0] > 0 else "end")
    yield f'<path d="{path}" marker-end="url(#{head})"/>'
    yield f'<text x="{x:.1f}" y="{y + 4:.1f}" text-anchor="{anchor}">{escape(label)}</text>'
    yield from _flag(mark, at)


def _border(centre: Point, towards: Point) -> Point:
    """Where the line from a node's centre leaves its rectangle."""
    dx, dy = towards[0] - centre[0], towards[1] - centre[1]
    if not dx and not dy:
        return centre
    scale = min(
        (NODE_W / 2 + 2) / abs(dx) if dx else float("inf"),
        (NODE_H / 2 + 2) / abs(dy) if dy else float("inf"),
    )
    return centre[0] + dx * scale, centre[1] + dy * scale


STYLE = """
svg.graph { font: 13px system-ui, sans-serif; color: #1c2530; background: #fff }
svg.graph text { fill: currentColor; stroke: #fff; stroke-width: 4px; paint-order: stroke }
.node text { stroke: none !important }
.node text, .flag { text-anchor: middle }
.node rect { fill: #f4f6f8; stroke: #5b6875; stroke-width: 1.4 }
.leaf rect { fill: #fff }
.node .what { font-size: 12px } .node .name { font-style: italic; font-weight: 600 }
.data path { fill: none; stroke: #0072b2; stroke-width: 1.8 }
.data.head path { fill: #0072b2; stroke: none }
.error path { fill: none; stroke: #d55e00; stroke-width: 1.8; stroke-dasharray: 5 4 }
.error.head path { stroke-dasharray: none }
g.data text { fill: #005a8c } g.error text { fill: #a84a00 }
"""


def standalone(graph: Graph) -> str:
    """The picture as a file of its own."""
    picture = svg(graph)
    opening, rest = picture.split("\n", 1)
    return f"{opening}\n<style>{STYLE}</style>\n{rest}\n"
