"""Two curves as SVG, styled by the page: the loss, and the largest share of its bound, over the steps.

Drawn by hand rather than by a plotting library: its pictures carry style attributes, which the page's
content-security policy forbids, stay bright in the dark, and change with the library's version.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from markupsafe import Markup

from parity.render.numbers import code, exponent_up
from parity.report.recording import Curve

WIDTH, HEIGHT = 560, 240
LEFT, RIGHT, TOP, BOTTOM = 62, 14, 14, 34


def losses(curve: Sequence[Curve], labelled_by: str) -> Markup:
    """The loss of every side, on a logarithmic scale where all are positive."""
    sides = list(dict.fromkeys(side for point in curve for side in point.loss))
    lines = {side: [(p.step, p.loss[side]) for p in curve if side in p.loss] for side in sides}
    return _chart(lines, labelled_by, limit=None)


def shares(curve: Sequence[Curve], labelled_by: str) -> Markup:
    """The largest share of its bound in every step; the line at 1 is where rounding ends."""
    return _chart({"share": [(p.step, p.worst) for p in curve]}, labelled_by, limit=1.0)


def _chart(lines: dict[str, list[tuple[int, float]]], labelled_by: str, limit: float | None) -> Markup:
    points = [(x, y) for line in lines.values() for x, y in line if math.isfinite(y)]
    if len({x for x, _ in points}) < 2:
        return Markup("")  # one dot is no curve
    ys = [y for _, y in points] + ([limit] if limit else [])
    logarithmic = min(ys) > 0 and max(ys) > 20 * min(ys)
    scale: Callable[[float], float] = math.log10 if logarithmic else float
    low, high = (scale(min(ys)), scale(max(ys))) if logarithmic else _round(min(ys), max(ys), limit)
    last = max(max(x for x, _ in points), 1)

    def place(x: float, y: float) -> tuple[float, float]:
        along = LEFT + (WIDTH - LEFT - RIGHT) * x / last
        up = (scale(y) - low) / (high - low) if high > low else 0.5
        return along, HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * up

    parts = [
        f'<svg class="chart" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-labelledby="{labelled_by}">'
    ]
    for y in _ticks(low, high, logarithmic=logarithmic):
        _, height = place(0, y)
        parts.append(f'<path class="grid" d="M{LEFT} {height:.1f}H{WIDTH - RIGHT}"/>')
        parts.append(f'<text class="end" x="{LEFT - 8}" y="{height + 4:.1f}">{_tick(y)}</text>')
    for x in dict.fromkeys((0, last // 2, last)):
        along, _ = place(x, min(ys) if logarithmic else 0)
        parts.append(f'<text class="mid" x="{along:.1f}" y="{HEIGHT - BOTTOM + 20}">{x}</text>')
    if limit:
        _, height = place(0, limit)
        parts.append(f'<path class="limit" d="M{LEFT} {height:.1f}H{WIDTH - RIGHT}"/>')
    for i, line in enumerate(lines.values()):
        finite = [place(x, y) for x, y in line if math.isfinite(y)]
        d = "M" + " ".join(f"{x:.1f} {y:.1f}" for x, y in finite)
        alone = " alone" if len(lines) == 1 else ""
        parts.append(f'<path class="line line{i}{alone}" d="{d}"></path>')
        if len(finite) <= 12:
            parts += [f'<circle class="dot line{i}" cx="{x:.1f}" cy="{y:.1f}" r="3.5"/>' for x, y in finite]
    return Markup("".join([*parts, "</svg>"]))


def _tick(value: float) -> str:
    """A number at the axis: powers of ten far from 1 as such, since there is no room for their zeros."""
    power = math.log10(value) if value > 0 else 0.0
    if value > 0 and abs(power) > 3 and power == round(power):
        return f"10{exponent_up(round(power))}"
    return code(value, 4)


def _round(least: float, most: float, limit: float | None) -> tuple[float, float]:
    """Round numbers around all values, so that a curve fills its picture; below a limit, from 0."""
    low = 0.0 if limit else least
    step = _step(low, most)
    return math.floor(low / step) * step, math.ceil(most / step) * step


def _step(low: float, high: float) -> float:
    """A step of 1, 2 or 5 times a power of ten, of which three to eight lie between two numbers."""
    span = high - low or abs(high) or 1.0
    power = 10.0 ** math.floor(math.log10(span))
    return next(step * power for step in (0.2, 0.5, 1.0, 2.0) if span / (step * power) <= 7)


def _ticks(low: float, high: float, *, logarithmic: bool) -> list[float]:
    if logarithmic:
        whole = [10.0**e for e in range(math.floor(low), math.ceil(high) + 1)]
        fine = [part * power for power in whole for part in (1, 2, 5)] if high - low < 3 else whole
        inside = [tick for tick in fine if 10.0**low <= tick * 1.000001 and tick <= 10.0**high * 1.000001]
        return inside[:: max(1, len(inside) // 5)] or [10.0**low, 10.0**high]
    step = _step(low, high)
    return [low + i * step for i in range(round((high - low) / step) + 1)]
