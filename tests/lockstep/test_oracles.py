"""Numbers that none of us wrote, to the digits that were published."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file

from parity.__main__ import _run

MAZUR = Path(__file__).parents[1] / "mazur.toml"

# M. Mazur, 2015, recomputed from the formulas; twelve decimals, as strings so that digits are counted.
PUBLISHED = {
    "z1": [".377500000000", ".392500000000"],
    "a1": [".593269992107", ".596884378260"],
    "z2": ["1.105905967060", "1.224921404096"],
    "a2": [".751365069552", ".772928465321"],
    "loss": [".298371108760"],
    "delta2": [".138498561629", "-.038098236517"],
    "delta1": [".008771354689", ".009954254705"],
    "dW2": [".082167040564", ".082667627848", "-.022602540477", "-.022740242216"],
    "dW1": [".000438567734", ".000877135469", ".000497712735", ".000995425471"],
    "W2_next": [".358916479718", ".408666186076", ".511301270239", ".561370121108"],
    "W1_next": [".149780716133", ".199561432266", ".249751143632", ".299502287265"],
    "b2_next": [".530750719", ".619049118"],
    "b1_next": [".345614323", ".345022873"],
}


def digits_agree(number: float, published: str) -> bool:
    """Whether the number, rounded to as many decimals as were published, is what was published."""
    places = Decimal(published)
    return Decimal(float(number)).quantize(places) == places


@pytest.fixture(scope="module")
def traces(tmp_path_factory):
    file = tmp_path_factory.mktemp("mazur") / "trace.safetensors"
    assert _run(["run", "--config", str(MAZUR), "--trace", str(file), "--witness"]) == 0
    return load_file(file)


@pytest.mark.parametrize("side", ["reference", "torch"])
@pytest.mark.parametrize("name", PUBLISHED)
def test_mazur(traces, side, name):
    numbers = traces[f"0/{side}/{name}"].ravel()
    assert len(numbers) == len(PUBLISHED[name])
    for number, published in zip(numbers, PUBLISHED[name], strict=True):
        assert digits_agree(number, published), f"{name}: {number} is not {published}"


@pytest.mark.parametrize("side", ["reference", "torch"])
def test_mazur_error_of_the_next_forward(traces, side):
    assert digits_agree(traces[f"1/{side}/loss"], ".280471447")


def test_rounding_to_published_digits_can_fail():
    assert not digits_agree(0.2983711087, ".298371108760")
    assert digits_agree(np.float64(0.29837110876), ".298371108760")
