from __future__ import annotations

import numpy as np

from parity.bounds.formats import arithmetic
from parity.certify.certificate import Certifier
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
