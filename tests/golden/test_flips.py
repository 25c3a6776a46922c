"""A golden with one bit flipped and its digest recomputed: caught wherever the flip exceeds rounding.

What exceeds rounding is worked out here a second time, by hand, from the published bounds of one
sigmoid network in float32 (Higham's γ), with nothing of the product's. A flip that leaves some formula
more than twice its bound away from the truth must be caught; so must any flip of a parameter that the
step before, or the other side, shows a second time.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import islice, product
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest

from parity.errors import UsageError
from parity.golden import read, record, replay
from parity.golden.replay import replay_golden
from parity.golden.rerun import TODAY
from parity.lockstep.lockstep import Reference
from reference.trace import Trace
from tests.golden.helpers import config, flipped, rewrite
from tests.nightly import but

U, ETA, K = 2.0**-24, 2.0**-150, 4
LR = 0.5


def gamma(k: int) -> float:
    return k * U / (1 - k * U)


def gaps(t: dict[str, np.ndarray]):
    """For each formula of a 2-layer sigmoid network: |observed − truth| and its bound."""
    t = {name: array.astype(np.float64) for name, array in t.items()}
    batch, n = t["x"].shape[1], t["y"].size
    below = {1: t["x"], 2: t["a1"]}
    for l in (1, 2):
        W, b, z, a = t[f"W{l}"], t[f"b{l}"], t[f"z{l}"], t[f"a{l}"]
        k = W.shape[1]
        size = np.abs(W) @ np.abs(below[l]) + np.abs(b)
        yield np.abs(z - (W @ below[l] + b)), gamma(k + 1) * size + (2 * k + 1) * ETA
        with np.errstate(over="ignore"):
            truth = 1 / (1 + np.exp(-z))
        yield np.abs(a - truth), (2 * K + 7) * U * truth + 2.0**-127
    r = t["a2"] - t["y"]
    loss = np.sum(r * r) / n
    yield np.abs(t["loss"] - loss), gamma(n + 4) * loss + (n + 2) * ETA
    yield np.abs(t["s2"] - 2 * r / n), gamma(4) * np.abs(2 * r / n) + 4 * ETA
    for l in (2, 1):
        s, a, delta = t[f"s{l}"], t[f"a{l}"], t[f"delta{l}"]
        slope = a * (1 - a)
        of_slope = U * ((12 + 6 * K) * np.abs(slope) + (4 * K + 15) * np.abs(a))  # every admitted form
        yield (
            np.abs(delta - s * slope),
            np.abs(s) * of_slope + 2 * U * np.abs(s * slope) + (2 + np.abs(s)) * ETA,
        )
        W, o = t["W2"], 1
        if l == 2:
            back, size = W.T @ delta, np.abs(W).T @ np.abs(delta)
            yield np.abs(t["s1"] - back), gamma(o) * size + 2 * o * ETA
    for l in (1, 2):
        delta, dW, db = t[f"delta{l}"], t[f"dW{l}"], t[f"db{l}"]
        size = np.abs(delta) @ np.abs(below[l]).T
        yield np.abs(dW - delta @ below[l].T), gamma(batch) * size + 2 * batch * ETA
        size = np.abs(delta).sum(axis=1, keepdims=True)
        yield np.abs(db - delta.sum(axis=1, keepdims=True)), gamma(batch - 1) * size + ETA
        for name, g in ((f"W{l}", dW), (f"b{l}", db)):
            truth = t[name] - LR * g
            bound = U * np.abs(truth) + 2.02 * U * np.abs(LR * g) + 2 * ETA
            yield np.abs(t[f"{name}_next"] - truth), bound


def exceeds_rounding(t: dict[str, np.ndarray]) -> bool:
    with np.errstate(all="ignore"):
        return any(not np.all(gap <= 2 * bound) for gap, bound in gaps(t))


def shown_twice(step: int, name: str) -> bool:
    """Parameters at the start are both sides'; W_next of a step is W of the next one."""
    parameter = name[0] in "Wb"
    return parameter and (step == 0 or not name.endswith("_next"))


@pytest.fixture(scope="module")
def golden(tmp_path_factory):
    path = tmp_path_factory.mktemp("golden") / "xor.safetensors"
    record(config(training={"lr": LR}), path)
    return path


def test_the_oracle_is_silent_about_the_golden_itself(golden):
    for traces in read(golden).steps:
        for trace in traces.values():
            assert not exceeds_rounding(trace)


def flips(golden, wanted: int):
    """Some flips, spread over all tensors: top and bottom bits of one of their numbers, and others."""
    random = np.random.default_rng(6)
    steps = golden.steps
    names = [(s, side, name) for s, traces in enumerate(steps) for side in traces for name in traces[side]]
    for step, side, name in names:
        array = steps[step][side][name]
        bits = {31, 30, 23, 22, 0, *random.integers(32, size=wanted).tolist()}
        for bit in sorted(bits):
            yield step, side, name, int(random.integers(array.size)), bit


def spoilt(golden, step: int, side: str, name: str, index: int, bit: int):
    """The golden with that bit flipped, as if its digest had been recomputed."""
    steps = [{which: Trace(trace) for which, trace in traces.items()} for traces in golden.steps]
    steps[step][side][name] = flipped(steps[step][side][name], index, bit)
    first = next(iter(steps[0].values()))
    begin = {parameter: first[parameter] for parameter in golden.case.parameters}
    case = replace(golden.case, parameters=begin, x=first["x"], y=first["y"])
    return replace(golden, steps=steps, case=case)


def caught(golden, flip, sides) -> bool:
    return replay_golden(spoilt(golden, *flip), "flipped", sides).verdict != "match"


def scan(golden, chosen) -> dict[tuple[bool, bool], list]:
    """Flips by (must be caught, was caught). Each is replayed by the side that it can be seen from."""
    found: dict[tuple[bool, bool], list] = {}
    for flip in chosen:
        step, side, name, _, _ = flip
        trace = spoilt(golden, *flip).steps[step][side]
        must = exceeds_rounding(trace) or shown_twice(step, name)
        today = {"reference": Reference} if side == "reference" else {}
        found.setdefault((must, caught(golden, flip, today)), []).append(flip)
    return found


@pytest.mark.parametrize("every", but([5], [5, 1]))
def test_a_flip_that_exceeds_rounding_is_caught(golden, every):
    found = scan(read(golden), islice(flips(read(golden), wanted=1), 0, None, every))
    assert found.get((True, False), []) == []
    assert len(found[True, True]) > 250 / every
    # What rounding explains is nobody's fault: the oracle is not blind.
    assert len(found[False, False]) > 20 / every


def test_through_a_file_and_with_both_sides_of_today(golden, tmp_path):
    target = tmp_path / "flipped.safetensors"
    for name, (index, bit) in product(("z1", "dW2", "loss", "x", "y", "W1_next"), ((0, 31), (0, 24))):
        key = f"1/torch/{name}"

        def flip(_, arrays, key=key, index=index, bit=bit):
            arrays[key] = flipped(arrays[key], index, bit)

        rewrite(golden, target, flip, reseal=True)
        try:
            spared = replay(target).verdict == "match"
        except UsageError:
            spared = False
        changed = {**read(golden).steps[1]["torch"]}
        changed[name] = flipped(changed[name], index, bit)
        assert not (spared and exceeds_rounding(changed))


def test_the_other_side_of_today_sees_it_too(golden):
    """A spoilt input of torch's record is a spoilt start of today's torch: its own step still holds."""
    one = spoilt(read(golden), 1, "torch", "delta1", 0, 29)
    found = replay_golden(one, "flipped", TODAY)
    assert found.verdict == "mismatch"
    assert {(wrong.formula, wrong.side) for wrong in found.wrong_formulas} >= {
        ("hidden_delta", "golden/torch")
    }
    assert {wrong.side for wrong in found.wrong_formulas} == {"golden/torch"}


def every_flip(golden):
    """Every bit of every number."""
    for step, traces in enumerate(golden.steps):
        for side, trace in traces.items():
            for name, array in trace.items():
                for index, bit in product(range(array.size), range(32)):
                    yield step, side, name, index, bit


if __name__ == "__main__":  # the full scan, in minutes: python -m tests.golden.test_flips
    with TemporaryDirectory() as folder:
        record(config(training={"lr": LR}), Path(folder) / "xor.safetensors")
        kept = read(Path(folder) / "xor.safetensors")
    for (must, was), which in sorted(scan(kept, every_flip(kept)).items()):
        words = ("exceed rounding" if must else "within rounding", "caught" if was else "not caught")
        print(f"{len(which):7,} flips {words[0]}, {words[1]}", which[:3] if must and not was else "")
