"""`parity.watch` in Python: what it finds, what belongs to a step, and that it changes nothing."""

from __future__ import annotations

import json

import pytest
import torch
from torch import nn

import parity
from parity.watch.result import Coverage, NotCertified, WatchedRow, WatchResult, WrongOperation
from tests.watch.helpers import batch, net, planted, train, twice

ROW = """module operation check operand source calls numbers verdict worst_ratio resolution undecided
vacuous"""
RESULT = """schema verdict steps operations numbers_compared undecided coverage rows first_divergence wrong
contract environment accepted"""
FIRST = "step module operation check operand source index observed expected error bound ratio"


def watched(module=None, *modules, steps=2, lossy=None, after=lambda module: None, **options):
    module = module or net()
    given = {} if lossy is None else {"lossy": lossy}
    with parity.watch(*(modules or (module,)), **options) as watching:
        train(module, steps, after=after, **given)
    return watching.result


def left(result):
    return [(one.operation, one.kind) for one in result.coverage.not_certified]


def test_a_training_matches_and_stays_what_it_is():
    plain, seen = net(), net()
    train(plain)
    found = watched(seen)
    assert all(map(torch.equal, plain.parameters(), seen.parameters()))
    assert found.verdict == "match"
    assert found.verify() is found
    assert found.coverage.certified == found.coverage.seen == found.operations > 20
    assert {row.check for row in found.rows} == {"forward", "vjp", "sum", "grad", "update"}
    assert {row.module for row in found.rows} >= {"fc1", "fc2"}


def test_the_fields_are_the_contracts():
    found = json.loads(watched().to_json())
    assert set(RESULT.split()) <= set(found)
    assert set(found) - set(RESULT.split()) == {"reason", "sample", "probed", "notes", "ranks"}
    assert set(found["rows"][0]) == set(ROW.split()) == set(WatchedRow.model_fields)
    assert set(WrongOperation.model_fields) == set(FIRST.split())
    assert set(Coverage.model_fields) == {"certified", "seen", "not_certified"}
    assert set(NotCertified.model_fields) == {"operation", "kind", "module", "source", "count"}
    assert found["schema"] == "parity-watch/1"
    assert WatchResult.model_validate(found).rows


def test_what_is_updated_is_named_by_its_module():
    rows = watched().rows
    updated = {(row.module, row.operand) for row in rows if row.check == "update"}
    assert updated >= {("fc1", "weight"), ("fc1", "bias"), ("fc2", "weight"), ("fc2", "bias")}
    assert updated == {(row.module, row.operand) for row in rows if row.check == "grad"}


def test_without_modules_paths_start_at_the_outermost_that_runs():
    torch.manual_seed(0)
    first = nn.Sequential(nn.Linear(5, 4), nn.Sequential(nn.Tanh(), nn.Linear(4, 3)))
    second = nn.Sequential(nn.Linear(5, 3))
    with parity.watch() as watching:
        train(first, 1)
        train(second, 1)
    modules = {row.module for row in watching.result.rows}
    assert modules >= {"Sequential.0", "Sequential.1.0", "Sequential.1.1", "Sequential#2.0"}
    assert "Linear" not in modules


def test_a_wrong_kernel_is_told_where_it_is_and_nothing_else():
    with planted("tanh", lambda x: (x.sigmoid() * 2 - 1) * 1.001):
        pass  # the table's own kernel is back
    with planted("relu", lambda x: torch.where(x > 0, x * 1.001, torch.zeros_like(x))):
        found = watched()
    assert found.verdict == "mismatch"
    assert {(one.operation, one.check) for one in found.wrong} == {("relu", "forward")}
    first = found.first_divergence
    assert (first.step, first.source.partition(":")[0]) == (0, "helpers.py")
    assert first == found.wrong[0]
    assert first.observed != first.expected
    with pytest.raises(parity.Mismatch) as caught:
        found.verify()
    assert str(caught.value) == str(found)
    assert "relu" in str(found)


def test_the_step_of_a_wrong_one_is_the_trainings():
    wrong = iter([False, False, True, False])

    def relu(x):
        return torch.where(x > 0, x * (1.5 if next(wrong) else 1), torch.zeros_like(x))

    with planted("relu", relu):
        found = watched(steps=4)
    assert {one.step for one in found.wrong} == {2}


# --- What belongs to a step ---------------------------------------------------------------------------


def test_data_are_given_and_measures_are_nobodys_business():
    """An uncertified operation before the forward pass, or one whose result nothing uses, is not missed."""
    module = net()
    optimizer = torch.optim.SGD(module.parameters(), lr=0.1)
    with parity.watch(module) as watching:
        for _ in range(3):
            x, y = twice(batch()[0]), batch()[1]
            made = module(x)
            twice(made)
            nn.functional.mse_loss(made, y).backward()
            optimizer.step()
            with torch.no_grad():
                twice(module(x)).mean()
    found = watching.result
    assert (left(found), found.verdict, found.steps) == ([], "match", 3)


def test_what_the_loss_takes_is_missed():
    found = watched(lossy=lambda made, y: (made * twice(made)).mean())
    assert left(found) == [("stranger.twice.default", "unsupported")]
    assert found.verdict == "incomplete"
    assert found.exit_code == 5
    assert found.coverage.certified == found.coverage.seen - 2
    assert found.coverage.not_certified[0].count == 2
    with pytest.raises(parity.Mismatch, match=r"not certified: stranger\.twice"):
        found.verify()


def test_it_is_missed_through_what_is_made_of_it():
    def lossy(made, y):
        with torch.no_grad():
            weight = twice(made).abs()
            mask = torch.zeros_like(weight)
            mask[:, 0] = weight[:, 1]
        return (made * (mask + 1)).mean()

    assert left(watched(lossy=lossy)) == [("stranger.twice.default", "unsupported")]


def test_a_gradient_that_was_changed_is_missed():
    def clip(module):
        with torch.no_grad():
            module.fc1.weight.grad.copy_(twice(module.fc1.weight.grad))

    assert left(watched(after=clip)) == [("stranger.twice.default", "unsupported")]


def test_what_a_teacher_says_is_missed_wherever_it_is_asked():
    teacher, module = net(7), net()
    optimizer = torch.optim.SGD(module.parameters(), lr=0.1)
    x, _ = batch()
    with parity.watch(module) as watching:
        for _ in range(2):
            with torch.no_grad():
                target = twice(teacher(x))
            nn.functional.mse_loss(module(x), target).backward()
            optimizer.step()
    assert left(watching.result) == [("stranger.twice.default", "unsupported")]


def test_a_parameter_that_was_changed_between_steps_is_missed_and_its_start_is_not():
    module = net()
    optimizer = torch.optim.SGD(module.parameters(), lr=0.1)
    x, y = batch()
    with torch.no_grad():
        module.fc2.weight.copy_(twice(module.fc2.weight))
    with parity.watch(module) as watching:
        with torch.no_grad():
            module.fc2.weight.copy_(twice(module.fc2.weight))
        for _ in range(3):
            optimizer.zero_grad()
            nn.functional.mse_loss(module(x), y).backward()
            optimizer.step()
            with torch.no_grad():
                module.fc1.weight.copy_(twice(module.fc1.weight))
    missed = watching.result.coverage.not_certified
    assert [(one.operation, one.count) for one in missed] == [("stranger.twice.default", 2)]


def test_what_is_accepted_is_not_missed():
    for name in ("stranger.twice.default", "twice", "unsupported"):
        found = watched(lossy=lambda made, y: (made * twice(made)).mean(), accept=[name])
        assert (found.verdict, found.accepted) == ("match", [name])
        assert name in str(found)
    assert watched(lossy=lambda made, y: (made * twice(made)).mean(), accept=["opaque"]).verdict != "match"


class Doubled(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        return torch.from_numpy(x.numpy() * 2)

    @staticmethod
    def backward(ctx, g):
        return g * 2


def test_a_function_of_the_users_own_is_opaque_by_name():
    found = watched(lossy=lambda made, y: nn.functional.mse_loss(Doubled.apply(made), y))
    assert left(found) == [("Doubled", "opaque")]
    assert found.coverage.not_certified[0].source.startswith("test_watching.py:")


def test_a_hook_that_changes_a_gradient_is_told_as_that():
    def lossy(made, y):
        made.register_hook(lambda g: g * 1.5)
        return nn.functional.mse_loss(made, y)

    found = watched(lossy=lossy)
    assert [kind for _, kind in left(found)] == ["altered"]
    assert found.wrong == []


# --- How much is asked --------------------------------------------------------------------------------


@pytest.mark.parametrize(("options", "steps"), [({}, 5), ({"steps": 2}, 2), ({"every": 2}, 3)])
def test_steps_are_those_that_were_asked_for(options, steps):
    module = net()
    with parity.watch(module, **options) as watching:
        train(module, 5)
    assert watching.result.steps == steps


def test_a_sample_is_said_to_be_one():
    whole, part = watched(), watched(sample=0.5)
    assert 0 < part.numbers_compared < whole.numbers_compared
    assert part.sample == 0.5
    assert "50.0%" in str(part)


def test_nothing_is_certified_where_nothing_is_differentiated():
    module = net()
    with parity.watch(module) as watching:
        module(batch()[0])
    found = watching.result
    assert (found.verdict, found.exit_code, found.steps) == ("undecided", 5, 0)
    assert "no backward pass reached a parameter" in str(found)
    assert "ninguna pasada" in found.text("es")


def test_what_the_block_raises_goes_through_and_what_was_certified_is_there():
    module = net()
    watching = parity.watch(module)

    def one_step_and_an_error() -> None:
        with watching:
            train(module, 1)
            raise RuntimeError("enough")

    with pytest.raises(RuntimeError, match="enough"):
        one_step_and_an_error()
    assert watching.result.steps == 1
    assert watching.result.reason == "RuntimeError: enough"


WRONG = {
    "steps": ({"steps": 0}, "watch: steps and every are at least 1"),
    "every": ({"every": 0}, "watch: steps and every are at least 1"),
    "sample": ({"sample": 1.5}, "watch: sample is a share"),
}


@pytest.mark.parametrize(("options", "said"), WRONG.values(), ids=WRONG)
def test_a_question_that_is_wrong_is_one_line(options, said):
    with pytest.raises(parity.UsageError, match=said):
        parity.watch(net(), **options)


def test_what_is_no_module_and_a_result_too_early():
    with pytest.raises(parity.UsageError, match=r"watch: function is no torch.nn.Module"):
        parity.watch(net)
    with pytest.raises(parity.UsageError, match="no result before the end"):
        parity.watch(net()).result  # noqa: B018
