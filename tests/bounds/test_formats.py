from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from parity.bounds.formats import arithmetic, wide_longdouble
from parity.certify.certificate import Certifier
from parity.lockstep.environment import refused_longdouble
from reference.architecture import architecture
from reference.engine import Network


def test_a_number_that_numpy_hands_out_bare_can_be_lowered():
    judge = arithmetic(np.float64, "ball")
    total = np.add.reduce(judge.lift([0.5, 0.25]), axis=None)
    assert judge.lower(total) == 0.75
    assert judge.lower(total).dtype == np.float64


def test_a_wrong_loss_in_float64_is_found_by_every_truth():
    # The loss is 0-d: of ball arithmetic numpy hands out such a result without its array.
    made_of = architecture((3, 4, 2), "tanh", np.float64)
    random = np.random.default_rng(0)
    x, y = random.normal(size=(3, 5)), random.normal(size=(2, 5))
    trace = Network(made_of, made_of.initial_parameters(0)).step(x, y, 0.1).kept()
    trace["loss"] = trace["loss"] * 2
    for truth in (None, "ball"):
        found = Certifier(made_of, truth).certify(trace, {"n": 10, "lr": 0.1})
        assert [finding.equation.makes for finding in found if finding.wrong] == ["loss"]


@pytest.mark.parametrize("nmant", [112, 105, 52])
def test_only_the_processors_own_longdouble_judges(monkeypatch, nmant):
    """In software (113 bits, or two doubles) its functions may be double precision: balls judge then."""
    real = np.finfo
    emulated = SimpleNamespace(nmant=nmant)
    monkeypatch.setattr(np, "finfo", lambda of: emulated if of is np.longdouble else real(of))
    assert not wide_longdouble()
    assert arithmetic("float64").truth == "ball"
    told = refused_longdouble()
    assert told.key == ("longdouble_emulated" if nmant > 63 else "longdouble_narrow")


def test_a_longdouble_that_rounds_to_double_is_no_judge(monkeypatch):
    """As under valgrind: it says 64 bits, and e is a double."""
    real = np.exp
    monkeypatch.setattr(np, "exp", lambda x: np.longdouble(np.float64(real(x))))
    assert not wide_longdouble()
    assert refused_longdouble().key == "longdouble_narrow"
