"""The pictures: cells, boundaries, misread digits and curves are what the numbers say, and no more."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from dataclasses import replace
from pathlib import Path

import numpy as np

from parity.config.case import HELD_BACK, build
from parity.config.config import Config
from parity.render.raster import SHADES, edge, raster, shades, tiles
from parity.report import curves
from parity.report.flow import flow
from parity.report.pictures import GRID, pictures_of
from parity.report.recording import Curve
from parity.report.steps import JudgedSteps
from reference.engine import Network
from tests.reports.exhibits import DIGITS, recorded

REPORTS = Path(__file__).parents[2] / "reports"


def cells(svg):
    """The class of every cell of a picture."""
    root = ET.fromstring(svg)
    width, height = (int(size) for size in root.get("viewBox").split()[2:])
    found = np.full((height, width), "", dtype=object)
    for path in root.iter("{http://www.w3.org/2000/svg}path"):
        if path.get("class") != "edge":
            for x, y, run in re.findall(r"M(\d+) (\d+)h(\d+)v1h-\d+z", path.get("d")):
                found[int(y), int(x) : int(x) + int(run)] = path.get("class")
    return found


def test_a_picture_has_the_shade_of_every_number():
    values = np.array([[0.0, 0.4, 0.4, -1.0], [np.nan, 1.0, -0.01, 2.0]])
    drawn = cells(raster(values, 1.0, label="some"))
    expected = [["", "p3", "p3", "n6"], ["", "p6", "n1", "p6"]]
    assert drawn.tolist() == shades(values, 1.0) == expected
    assert SHADES == 6
    assert {*np.ravel(shades(np.zeros((2, 2)), 0.0))} == {""}


def test_the_edge_runs_where_the_sign_changes():
    drawn = edge(np.array([[True, False], [True, True]]))
    assert sorted(re.findall(r"M\d \d[vh]1", drawn)) == ["M1 0v1", "M1 1h1"]
    assert edge(np.ones((2, 2), bool)) == ""


def test_tiles_keep_every_pixel():
    rows = np.arange(1.0, 13.0).reshape(3, 4)
    tiled = tiles(rows, 2, 2, 2)
    assert tiled.shape == (5, 5)
    assert np.array_equal(tiled[:2, 3:], [[5, 6], [7, 8]])
    assert sorted(tiled[np.isfinite(tiled)]) == list(range(1, 13))


def test_the_boundary_of_every_step_is_the_networks():
    result, recording = recorded("lesson", REPORTS)
    found = pictures_of(result, recording)
    boundary = found.boundary
    assert boundary.level == 0.5
    for step, picture in zip(found.steps, boundary.pictures, strict=True):
        trace = recording.steps[step]["reference"]
        network = Network(recording.architecture, {n: trace[n].copy() for n in ("W1", "b1", "W2", "b2")})
        drawn = cells(picture)
        for row, column in ((0, 0), (3, 28), (GRID - 1, 5), (17, 16)):
            p = boundary.low[0] + (column + 0.5) / GRID * (boundary.high[0] - boundary.low[0])
            q = boundary.high[1] - (row + 0.5) / GRID * (boundary.high[1] - boundary.low[1])
            y_hat = float(network.forward(np.array([[p], [q]]))[0, 0])
            assert drawn[row, column][0] == ("p" if y_hat > 0.5 else "n")
    assert found.boundary.pictures[-1].count('<rect class="sample"') == 2  # xor: two are true, two are not
    assert found.boundary.pictures[-1].count('<circle class="sample"') == 2
    assert 'class="edge"' in found.boundary.pictures[-1]


def test_weights_and_activations_are_there_for_every_kept_step():
    result, recording = recorded("lesson", REPORTS)
    found = pictures_of(result, recording)
    assert [strip.tensor for strip in found.strips] == ["W1", "W2", "a1", "a2"]
    for strip in found.strips:
        tensors = [recording.steps[step]["reference"][strip.tensor] for step in found.steps]
        assert strip.largest == max(float(np.abs(tensor).max()) for tensor in tensors)
        for tensor, picture in zip(tensors, strip.pictures, strict=True):
            assert cells(picture).tolist() == shades(tensor, strip.largest)


def test_the_misread_digits_are_those_that_accuracy_counts():
    result, recording = recorded("digits", REPORTS)
    found = pictures_of(result, recording).misread
    x, y = build(Config.model_validate(DIGITS)).scored[HELD_BACK]
    trace = recording.steps[max(recording.steps)]["reference"]
    names = recording.architecture.parameter_shapes()
    network = Network(recording.architecture, {n: trace[f"{n}_next"].copy() for n in names})
    read = network.forward(x).argmax(axis=0)
    wrong = np.flatnonzero(read != y.argmax(axis=1))
    assert (found.wrong, found.of) == (len(wrong), len(y))
    assert result.accuracy["reference"] == float(np.mean(read == y.argmax(axis=1)))
    for one, at in zip(found.shown, wrong, strict=False):
        assert (one.read, one.true) == (read[at], y[at].argmax())
        assert cells(one.picture).tolist() == shades(x[:, at].reshape(8, 8), 1.0)


def test_a_network_that_hides_its_activations_has_no_pictures_and_a_check_none():
    result, recording = recorded("lesson", REPORTS)
    assert pictures_of(result.model_copy(update={"config": {"cases": []}}), recording) is None
    hidden = {
        step: {side: {n: t for n, t in trace.items() if n != "a1"} for side, trace in traces.items()}
        for step, traces in recording.steps.items()
    }
    assert pictures_of(result, replace(recording, steps=hidden)) is None


def test_a_sample_has_its_own_column_of_every_tensor():
    result, recording = recorded("lesson", REPORTS)
    inspector = JudgedSteps(result, recording).inspector
    step = max(recording.steps)
    found = flow(inspector, step, recording.steps[step])
    trace = recording.steps[step]["torch"]
    assert found.sample == int(np.abs(trace["delta2"]).argmax())
    for station in found.stations:
        tensor = trace[station.tensor]
        column = tensor[:, found.sample] if tensor.ndim == 2 else [tensor]
        assert [float(text.replace("−", "-")) for text, _ in station.cells] == [
            float(f"{v:.3g}") for v in column
        ]


def test_a_curve_fills_its_picture_and_one_dot_is_none():
    assert curves.losses([Curve(0, {"torch": 0.3}, 0.5)], "x") == ""
    assert curves.shares([Curve(0, {"torch": 0.3}, 0.5)], "x") == ""
    flat = [Curve(step, {"torch": 0.25 + 0.001 * step}, 0.5) for step in range(8)]
    drawn = curves.losses(flat, "x")
    heights = [
        float(y)
        for y in re.findall(r"[\d.]+ ([\d.]+)", re.search(r'class="line[^"]*" d="M([^"]*)"', drawn)[1])
    ]
    room = curves.HEIGHT - curves.TOP - curves.BOTTOM
    assert max(heights) - min(heights) > 0.7 * room
    ticks = [float(tick) for tick in re.findall(r'class="end"[^>]*>([^<]+)<', drawn)]
    assert 3 <= len(ticks) <= 9
    assert ticks[0] <= 0.25
    assert ticks[-1] >= 0.257
    steep = curves.losses([Curve(step, {"torch": 10.0**-step}, 0.5) for step in range(3)], "x")
    assert re.findall(r'class="end"[^>]*>([^<]+)<', steep)[0] == "0.01"
