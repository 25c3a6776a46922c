"""A planted bug is found, made as small as it goes, and reproduced; a deviation is shown in torch alone."""

from __future__ import annotations

import math
from dataclasses import asdict, replace

import pytest
import torch

from parity.__main__ import _run as run
from parity.campaign import layered
from parity.campaign.case import CampaignCase
from parity.campaign.judging import again, cause, judged
from parity.campaign.lines import torch_lines
from parity.campaign.program import answer
from parity.campaign.shrink import shrunk
from parity.lockstep.lockstep import Reference
from reference.operations.activations import ACTIVATIONS
from tests.mutants.vocabulary import of_activation
from tests.watch.helpers import planted

OPTIONS = {
    "activations": ["silu", "tanh", "sigmoid"], "loss": "huber", "reduction": "mean",
    "optimizer": "adam", "clipping": "norm", "steps": 3,
}  # fmt: skip
LARGE = CampaignCase("networks", "mixed", "float32", "saturated", (5, 6, 7, 4, 9), OPTIONS, 12345)


def alarm_of(case):
    """The one alarm that no deviation explains."""
    (alarm,) = (alarm for alarm in judged(case).alarms if alarm.finding is None)
    return alarm


def test_a_bug_in_the_engine_is_found_and_shrunk(monkeypatch):
    assert judged(LARGE).alarms == ()
    mutant = next(iter(of_activation(ACTIVATIONS["tanh"])))
    monkeypatch.setattr(layered, "Reference", lambda case: Reference(mutant.planted(case)))
    alarm = alarm_of(LARGE)
    assert (alarm.side, {alarm.formula} <= mutant.formulas) == ("reference", True)
    small = shrunk(LARGE, alarm)
    assert small.shape == (1, 1, 1)
    assert small.options == {
        "activations": ["sigmoid"], "loss": "mse", "reduction": "sum",
        "optimizer": "sgd", "clipping": "none", "steps": 1,
    }  # fmt: skip # the mistake is made in every activation, and the last layer's is the first told
    assert small.regime == "ordinary"
    assert cause(alarm_of(CampaignCase.read(small.to_toml()))) == cause(alarm)
    assert torch_lines(small, alarm) is None
    monkeypatch.undo()
    assert again(small, alarm) is None


def test_a_bug_in_a_kernel_is_found_shrunk_and_shown_in_torch_alone(capsys):
    case = replace(LARGE, options={**OPTIONS, "clipping": "none"})
    with planted("sigmoid_backward", lambda g, a: g * a * (1 - a) * 1.001):
        alarm = alarm_of(case)
        assert (alarm.side, alarm.formula, alarm.tensor) == ("pytorch", "output_delta", "delta3")
        small = shrunk(case, alarm)
        assert small.shape == (1, 1, 1)
        assert small.options["activations"] == ["sigmoid"]
        assert cause(alarm_of(small)) == cause(alarm)
        lines = torch_lines(small, alarm)
        exec(lines, {})
        wrong, right = map(float, capsys.readouterr().out.split(" instead of "))
        assert wrong == alarm_of(small).found
        assert wrong == pytest.approx(1.001 * right)
        assert len(lines.splitlines()) <= 6
    exec(lines, {})
    mended, _ = map(float, capsys.readouterr().out.split(" instead of "))
    assert mended != wrong


@pytest.mark.parametrize(
    ("name", "format", "regime", "shape", "options", "formula"),
    [
        ("hardsigmoid", "float64", "wide", (3, 4, 2, 5), {}, "output_delta"),
        ("celu", "float64", "ladder", (4, 60), {"alpha": 0.3}, "output_delta"),
        ("soft_margin", "float32", "large", (3, 4, 5), {"reduction": "mean"}, "loss_gradient"),
        ("l1", "float64", "special", (3, 4, 9), {"reduction": "none"}, "loss_gradient"),
        ("nadam", "float64", "ordinary", (3, 4, 5), {}, "weight_update"),
        ("asgd", "float64", "ordinary", (3, 4, 5), {}, "bias_update"),
    ],
)
def test_a_deviation_is_shown_in_a_few_lines(name, format, regime, shape, options, formula, capsys):
    kind = next(kind for kind, names in layered.KNOWN.items() if name in names)
    case = CampaignCase(kind, name, format, regime, shape, options, 99)
    alarm = next(alarm for alarm in judged(case).alarms if alarm.formula == formula)
    assert alarm.finding is not None
    small = shrunk(case, alarm)
    assert 4 * math.prod(small.shape) <= math.prod(shape)
    lines = torch_lines(small, alarm)
    exec(lines, {})
    found, expected = map(float, capsys.readouterr().out.split(" instead of "))
    assert found != expected


def test_the_command_that_is_printed_reproduces_a_bug_in_a_kernel(tmp_path, capsys):
    """The campaign's process and `--case`, both in a process in which the kernel is wrong."""
    with planted("sigmoid_backward", lambda g, a: g * a * (1 - a) * 1.001):
        alarm = alarm_of(LARGE)
        said = answer({"shrink": LARGE.to_toml(), "alarm": asdict(alarm)})
        file = tmp_path / "case.toml"
        file.write_text(said["case"])
        assert said["torch"].startswith("import torch")
        assert run(["campaign", "--case", str(file)]) == 1
    told = capsys.readouterr().out
    assert "output_delta" in told, told
    assert run(["campaign", "--case", str(file)]) == 0


def test_tries_are_bounded():
    case = CampaignCase("activations", "hardsigmoid", "float64", "ordinary", (9, 9, 9, 9), {}, 99)
    (alarm, *_) = judged(case).alarms
    assert shrunk(case, alarm, tries=0) == case
    assert shrunk(case, alarm, tries=1).shape < case.shape
    assert torch.is_grad_enabled()
