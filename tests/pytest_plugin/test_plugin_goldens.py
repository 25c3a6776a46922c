"""`parity.golden` from outside: recorded, replayed, updated, unused; and the step that stops agreeing."""

from __future__ import annotations

import pytest

from parity.config.config import read
from parity.golden import record
from tests.nightly import but, one_in
from tests.pytest_plugin.test_plugin import BAD, NO_TORCH, project  # noqa: F401 - a fixture

pytest_plugins = ["pytester"]

CONFIG = {"data": {"name": "xor"}, "training": {"steps": 2}, "network": {"layers": [2, 3, 1]}}
TESTS = f"""
import good

CONFIG = {CONFIG}

def test_engine(parity):
    found = parity.golden("xor", config=CONFIG)
    assert found.verdict == "match"

def test_step(parity):
    parity.golden("xor-again", good, config=CONFIG)
"""
UPDATE = "--parity-update"
QUICK = {"conftest": NO_TORCH}


@pytest.fixture(scope="module")
def frozen(tmp_path_factory):
    """The two goldens of TESTS, recorded once."""
    folder = tmp_path_factory.mktemp("goldens")
    for name in ("xor", "xor-again"):
        assert record(read(CONFIG, {}), folder / f"{name}.safetensors").outcome == "recorded"
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.fixture
def recorded(project, frozen):  # noqa: F811
    """A project that has its goldens."""
    goldens = project.path / "goldens"
    goldens.mkdir()
    for name, content in frozen.items():
        (goldens / name).write_bytes(content)
    return project


def files(project):  # noqa: F811
    return {path.name: path.read_bytes() for path in (project.path / "goldens").iterdir()}


def test_a_missing_golden_fails_and_says_how_to_record_it(project):  # noqa: F811
    outcome = project(**QUICK, test_net=TESTS)
    outcome.assert_outcomes(failed=2)
    said = outcome.stdout.str()
    assert "goldens/xor.safetensors: there is no such golden" in said
    assert "pytest test_net.py::test_engine --parity-update" in said
    assert not (project.path / "goldens").exists(), "a run never writes a golden"


@pytest.mark.parametrize("replayed", but([False], [False, True]))
def test_recorded_replayed_and_left_alone(project, replayed):  # noqa: F811
    outcome = project(UPDATE, test_net=TESTS)
    outcome.assert_outcomes(passed=2)
    assert outcome.stdout.str().count("updated: goldens/xor") == 2
    before = files(project)
    assert len(before) == 4
    if replayed:
        project(test_net=TESTS).assert_outcomes(passed=2)
    outcome = project(UPDATE, test_net=TESTS)
    outcome.assert_outcomes(passed=2)
    assert "updated:" not in outcome.stdout.str()
    assert files(project) == before


def test_replayed_without_torch(recorded):
    outcome = recorded(conftest=NO_TORCH, test_net=TESTS)
    outcome.assert_outcomes(passed=2)


@pytest.mark.parametrize("replayed", but([False], [False, True]))
def test_another_config_is_asked_for_and_then_updated(recorded, replayed):
    changed = TESTS.replace("[2, 3, 1]", "[2, 4, 1]")
    before = files(recorded)
    outcome = recorded(**QUICK, test_net=changed)
    outcome.assert_outcomes(failed=2)
    assert "recorded with another network.layers" in outcome.stdout.str()
    assert files(recorded) == before
    outcome = recorded(UPDATE, conftest="", test_net=changed)
    outcome.assert_outcomes(passed=2)
    assert "updated: goldens/xor.safetensors: updated: network.layers" in outcome.stdout.str()
    if replayed:
        recorded(test_net=changed).assert_outcomes(passed=2)


@pytest.mark.parametrize("options", one_in(2, [(UPDATE,), ()]), ids=["update", "replay"])
def test_a_step_that_no_longer_agrees_fails_and_no_update_helps(recorded, options):
    recorded.path.joinpath("good.py").write_text(BAD, encoding="utf-8")
    outcome = recorded(*options, test_net=TESTS)
    outcome.assert_outcomes(passed=1, failed=1)
    assert "hidden_delta (slide 5), layer 1: sign-flipped" in outcome.stdout.str()
    assert "Smallest case that shows it: xor-again, step 0" in outcome.stdout.str()


BROKEN_ENGINE = """
import pytest

@pytest.fixture(autouse=True)
def engine(monkeypatch):
    from reference.engine import Network

    backward = Network.backward

    def averaged(self, y):
        loss = backward(self, y)
        for name, gradient in self.gradients.views.items():
            if name.startswith("b"):
                gradient /= y.shape[1]
        return loss

    monkeypatch.setattr(Network, "backward", averaged)
"""


def test_an_engine_that_no_longer_agrees_fails_and_is_not_recorded(recorded):
    before = files(recorded)
    outcome = recorded(conftest=BROKEN_ENGINE, test_net=TESTS)
    outcome.assert_outcomes(failed=2)
    said = outcome.stdout.str()
    assert "bias_gradient (slide 6)" in said
    assert "parity replay goldens/xor.safetensors" in said
    outcome = recorded(UPDATE, conftest=BROKEN_ENGINE, test_net=TESTS)
    outcome.assert_outcomes(failed=2)
    assert "not recorded: the run itself does not hold" in outcome.stdout.str()
    assert files(recorded) == before


def test_a_damaged_golden_is_refused(recorded):
    path = recorded.path / "goldens" / "xor.safetensors"
    content = bytearray(path.read_bytes())
    content[-3] ^= 1
    path.write_bytes(content)
    outcome = recorded(**QUICK, test_net=TESTS)
    outcome.assert_outcomes(passed=1, failed=1)
    assert "its contents are not what its digest says" in outcome.stdout.str()


@pytest.mark.parametrize("name", but(["../xor"], ["", "../xor", "a/b", ".xor"]))
def test_a_name_is_no_path(recorded, name):
    outcome = recorded(**QUICK, test_net=f"def test_it(parity): parity.golden({name!r})")
    outcome.assert_outcomes(failed=1)
    assert "is no plain name" in outcome.stdout.str()


SOME = TESTS.partition("def test_step")[0]
UNUSED = "unused golden: goldens/xor-again.safetensors"


@pytest.mark.parametrize("options", one_in(2, [("-n", "2"), ()]), ids=["xdist", "alone"])
def test_unused_goldens_are_reported(recorded, options):
    outcome = recorded(*options, **QUICK, test_net=SOME)
    outcome.assert_outcomes(passed=1)
    assert outcome.stdout.str().count("unused golden:") == 1
    assert UNUSED in outcome.stdout.str()
    assert "unused golden:" not in recorded(*options, **QUICK, test_net=TESTS).stdout.str()


LEFT_OUT = {
    "deselected under xdist": (["-k", "engine", "-n", "2"], ""),
    "deselected": (["-k", "engine"], ""),
    "stopped": (["-x"], "\ndef test_a(): assert False\n"),
    "by id": (["test_net.py::test_engine"], ""),
    "skipped": ([], "\nimport pytest\ntest_step = pytest.mark.skip(test_step)\n"),
    "collected only": (["--collect-only"], ""),
}


@pytest.mark.parametrize("how", one_in(2, LEFT_OUT))
def test_nothing_is_called_unused_where_tests_were_left_out(recorded, how):
    options, change = LEFT_OUT[how]
    outcome = recorded(*options, **QUICK, test_net=TESTS + change)
    assert "unused golden:" not in outcome.stdout.str()
