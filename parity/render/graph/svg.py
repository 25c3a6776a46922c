"""Draws a graph as SVG: nodes are operations, solid arrows carry data, dashed arrows carry errors back.

Forward and backward differ in line style, arrow head, side of the line and label, not in colour
alone. The picture is styled by the page that holds it; on its own, `standalone` gives it a style.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from html import escape
from math import copysign, hypot

from parity.render.graph.drawing import WIDEST, DrawnGraph
from parity.render.graph.layout import Edge, Layout, Place, layout
from parity.render.graph.names import gradient_written, written
from reference.graph import Node

Point = tuple[float, float]
NODE_W, NODE_H = 84.0, 44.0
ASIDE = 0.7
"""Of the last lane that an arrow steps aside, the part that it goes: it runs beside the nodes' lanes."""
LABEL = 90.0
"""Width of the label of an arrow that runs beside the lanes, less half a node's, in pixels."""
TURN = 0.45
"""Columns from a node to where an arrow that steps aside has reached its own lane."""
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
        """How far arrows that step aside, and their labels, reach beyond the first and the last lane."""
        lanes = [plan.places[edge.child.name].lane + beside(edge) for edge in plan.edges if edge.bend]
        room = LABEL if self.upright else NODE_H / 2
        before = [-lane * self.lane + room for lane in lanes if lane < 0]
        after = [(lane - plan.lanes + 1) * self.lane + room for lane in lanes if lane > 0]
        return max([0.0, *before]), max([0.0, *after])


def beside(edge: Edge) -> float:
    """How many lanes from its child an arrow runs that steps aside."""
    return edge.bend - copysign(1 - ASIDE, edge.bend)


GRIDS = {
    (False, False): Grid(upright=False, column=150, lane=92),
    (True, False): Grid(upright=True, column=104, lane=118),
    (False, True): Grid(upright=False, column=210, lane=92),
    (True, True): Grid(upright=True, column=104, lane=176),
}
"""By whether a picture is upright, and whether its arrows carry shapes."""

MOST_WIDE = 1800.0
"""Pixels up to which a picture from left to right can be read on a screen."""


def svg(
    drawn: DrawnGraph,
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
    graph = drawn.graph
    plan, grid = layout(graph), GRIDS[upright, bool(drawn.labels)]
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
        name = written(edge.parent.name)
        label = drawn.labels.get((edge.parent.name, edge.child.name), name)
        if drawn.labels and edge.parent.is_leaf:  # whose name stands at the arrow's foot
            label = label.removeprefix(name).strip()
        back = drawn.errors.get((edge.parent.name, edge.child.name), edge.parent.gradient)
        shapes += _arrows(edge, label, back, plan, grid, marks, prefix)
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
        name = written(node.name)
        fitted = f' textLength="{NODE_W - 12:g}" lengthAdjust="spacingAndGlyphs"'
        fits = "" if len(name) < WIDEST - 1 else fitted
        yield f'<text class="name" x="{x:g}" y="{y + 5:g}"{fits}>{escape(name)}</text>'
    yield from _flag(mark, (x + NODE_W / 2 - 4, y - NODE_H / 2 + 2))
    yield "</g>"


def _flag(mark: str, at: Point) -> Iterator[str]:
    """A sign beside whatever is marked: a cross where a mistake was born, a hook where it was inherited."""
    sign = {"born": "✗", "inherited": "↳"}.get(mark)
    if sign:
        x, y = at
        yield f'<circle class="flag {mark}" cx="{x:g}" cy="{y:g}" r="9"/>'
        yield f'<text class="flag {mark}" x="{x:g}" y="{y + 4:g}">{sign}</text>'


def _arrows(
    edge: Edge, label: str, back: str, plan: Layout, grid: Grid, marks: Mapping[str, str], prefix: str
) -> Iterator[str]:
    start, end = grid.centre(plan.places[edge.parent.name]), grid.centre(plan.places[edge.child.name])
    aside = beside(edge) * grid.lane if edge.bend else 0.0
    name = edge.parent.name
    yield f'<g class="data" data-tensor="{escape(name)}">'
    if aside:
        yield from _around(start, end, aside, grid, f"{prefix}-data", label, forward=True)
    else:
        yield from _arrow(start, end, f"{prefix}-data", label, side=1 if edge.learns else 0)
    yield "</g>"
    if edge.learns:
        said = gradient_written(edge.parent)
        mark = marks.get(back, "")
        names = " ".join(filter(None, ("error", mark)))
        yield f'<g class="{escape(names)}" data-tensor="{escape(back)}">'
        if aside:
            yield from _around(start, end, aside, grid, f"{prefix}-error", said, forward=False, mark=mark)
        else:
            yield from _arrow(end, start, f"{prefix}-error", said, side=1, mark=mark)
        yield "</g>"


def _around(
    start: Point,
    end: Point,
    aside: float,
    grid: Grid,
    head: str,
    label: str,
    *,
    forward: bool,
    mark: str = "",
) -> Iterator[str]:
    """A line that leaves its nodes sideways and runs beside all lanes; the errors' is the inner one."""
    outwards = copysign(1.0, aside)
    turn = TURN * grid.column - (0 if forward else 2 * APART)
    across, along = (0, 1) if grid.upright else (1, 0)
    half = NODE_W / 2 + 2 if grid.upright else NODE_H / 2 + 2
    far = end[across] + aside + outwards * APART * (1 if forward else -1)
    leave = APART * (0 if forward else 2)

    def at(away: float, down: float) -> Point:
        return (away, down) if grid.upright else (down, away)

    points = [
        at(start[across] + outwards * half, start[along] + APART - leave),
        at(far, start[along] + turn),
        at(far, end[along] - turn),
        at(end[across] + outwards * half, end[along] - APART + leave),
    ]
    path = " L".join(f"{x:.1f} {y:.1f}" for x, y in (points if forward else points[::-1]))
    middle = (start[along] + end[along]) / 2
    side = outwards * (1 if forward else -1)
    x, y = at(far + side * (9.0 if grid.upright else 11.0), middle)
    anchor = "middle" if not grid.upright else "start" if side > 0 else "end"
    yield f'<path d="M{path}" marker-end="url(#{head})"/>'
    yield f'<text x="{x:.1f}" y="{y + 4:.1f}" text-anchor="{anchor}">{escape(label)}</text>'
    yield from _flag(mark, at(far, middle))


def _arrow(start: Point, end: Point, head: str, label: str, *, side: int, mark: str = "") -> Iterator[str]:
    """A line from border to border, to the left of its own direction; its label lies on that side."""
    p, q = _border(start, end), _border(end, start)
    dx, dy = q[0] - p[0], q[1] - p[1]
    length = hypot(dx, dy) or 1.0
    left = (dy / length, -dx / length)  # an arrow's left, where its label lies
    off = (left[0] * APART * side, left[1] * APART * side)
    p, q = ((a + off[0], b + off[1]) for a, b in (p, q))
    # A slanting arrow's label keeps to the parent, where there is room; `head` tells which end that is.
    slanting = min(abs(dx), abs(dy)) > length / 8
    along = 0.5 if not slanting else 0.38 if head.endswith("data") else 0.62
    at = (p[0] + along * dx, p[1] + along * dy)
    away = 9.0 if abs(dx) > abs(dy) else 7.0
    away += 10.0 if mark else 0.0  # the flag stands on the line itself
    x, y = at[0] + left[0] * away, at[1] + left[1] * away
    level = abs(dy) < length / 8
    anchor = "middle" if level else ("start" if left[0] > 0 else "end")
    yield f'<path d="M{p[0]:.1f} {p[1]:.1f} L{q[0]:.1f} {q[1]:.1f}" marker-end="url(#{head})"/>'
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


def too_wide(drawn: DrawnGraph) -> bool:
    """Whether a picture from left to right would not fit on a screen."""
    columns = len(set(drawn.graph.columns().values()))
    return columns * GRIDS[False, bool(drawn.labels)].column > MOST_WIDE


def standalone(drawn: DrawnGraph) -> str:
    """The picture as a file of its own, upright where it would be too wide."""
    picture = svg(drawn, upright=too_wide(drawn))
    opening, rest = picture.split("\n", 1)
    return f"{opening}\n<style>{STYLE}</style>\n{rest}\n"
