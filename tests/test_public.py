"""`import parity`: what it offers, that it costs nothing, and that a result can do what it says."""

from __future__ import annotations

import json
import pydoc
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import parity
from parity.render.outcome import Outcome

ROOT = Path(__file__).parents[1]
XOR = {"data": {"name": "xor"}, "training": {"steps": 2}}


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


def step(W, b, x, y, lr, activation, *, wrong=False):
    """Layers of sigmoid, trained by hand; `wrong` forgets a transposition's twin, the factor 2."""
    a, z_s = [x], []
    for W_l, b_l in zip(W, b, strict=True):
        z_s.append(W_l @ a[-1] + b_l)
        a.append(sigmoid(z_s[-1]))
    delta = (1 if wrong else 2) / y.size * (a[-1] - y) * a[-1] * (1 - a[-1])
    dW, db = [], []
    for l in reversed(range(len(W))):
        dW.insert(0, delta @ a[l].T)
        db.insert(0, delta.sum(axis=1, keepdims=True))
        if l:
            delta = (W[l].T @ delta) * a[l] * (1 - a[l])
    return {"dW": dW, "db": db}


def wrong_step(W, b, x, y, lr, activation):
    return step(W, b, x, y, lr, activation, wrong=True)


def python(program: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, check=True, capture_output=True, text=True
    )
    return done.stdout.strip()


def test_importing_it_costs_nothing():
    heavy = python("import parity, sys; print({'numpy', 'torch', 'pydantic', 'rich'} & {*sys.modules})")
    assert heavy == "set()"


def test_what_is_offered_is_there_and_nothing_else_is():
    assert set(parity.__all__) <= set(dir(parity))
    for name in parity.__all__:
        assert callable(getattr(parity, name))
    with pytest.raises(AttributeError, match="no attribute 'rum'"):
        parity.rum  # noqa: B018


def test_the_help_reads_well():
    text = pydoc.plain(pydoc.render_doc(parity))
    for name in parity.__all__:
        assert name in text
    assert "parity run" in text
    assert "steps" in text


ORDERS = {
    "package first": "import parity.check.run, parity.explain.number, parity.watch.watching\n",
    "called first": "import parity\nparity.check, parity.explain, parity.watch\nimport parity.check.run\n",
}


@pytest.mark.parametrize("first", ORDERS.values(), ids=ORDERS)
def test_a_package_that_is_a_function_too_is_both(first):
    program = (
        f"{first}"
        "import parity, inspect\n"
        "from parity.check.run import Checked\n"
        "import parity.check.run as run\n"
        "assert inspect.ismodule(parity.check) and parity.check.run is run\n"
        "from parity.watch.watching import Watching\n"
        "assert inspect.ismodule(parity.watch) and isinstance(parity.watch(), Watching)\n"
        "try: parity.check(3)\n"
        "except parity.UsageError as error: print(error)\n"
        "print(parity.explain('x[0,0]', data='xor', steps=1).where)\n"
    )
    assert python(program) == "check: int is no step function, and has none\nx[0,0]"


def test_a_run_by_options_by_tables_and_by_file_is_the_same(tmp_path):
    (tmp_path / "xor.toml").write_text('[data]\nname = "xor"\n[training]\nsteps = 2\n')
    by_options = parity.run(data="xor", steps=2)
    for config in (XOR, tmp_path / "xor.toml", str(tmp_path / "xor.toml")):
        assert parity.run(config).formulas == by_options.formulas
    assert parity.run(XOR, lr=0.5, layers=[2, 4, 1]).config["layers"] == "2-4-1"
    assert parity.run(XOR, layers="2-4-1", activation="tanh,sigmoid").verdict == "match"


def works(found: Outcome, folder: Path) -> None:
    """What every result can do."""
    assert json.loads(found.to_json())
    assert str(found) == found.text("en") != found.text("es")
    assert found._repr_html_().startswith("<")
    assert "<script" not in found._repr_html_()
    found.report(folder)
    assert {"report.md", "result.json"} <= {path.name for path in folder.rglob("*")}


def test_a_run_and_its_page(tmp_path):
    found = parity.run(XOR)
    works(found, tmp_path)
    assert found.verify() is found
    assert (tmp_path / "index.html").exists()


def test_the_text_is_the_terminals(tmp_path, capfd):
    from parity.__main__ import _run

    assert _run(["run", "--data", "xor", "--steps", "2"]) == 0
    assert capfd.readouterr().out.rstrip("\n") == str(parity.run(XOR))


def test_a_check_that_holds_and_one_that_does_not(tmp_path):
    right = parity.check(step, activation="sigmoid")
    works(right.verify(), tmp_path / "right")
    wrong = parity.check(wrong_step, activation="sigmoid")
    assert wrong.verdict == "mismatch"
    works(wrong, tmp_path / "wrong")
    with pytest.raises(parity.Mismatch) as caught:
        wrong.verify()
    assert str(caught.value) == str(wrong)
    assert isinstance(caught.value, AssertionError)
    assert "output_delta" in str(wrong)


def test_a_model(tmp_path):
    torch = pytest.importorskip("torch")
    net = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.Tanh(), torch.nn.Linear(4, 2))
    before = [parameter.clone() for parameter in net.parameters()]
    found = parity.model(net, torch.randn(5, 3), torch.randn(5, 2), optimizer="adam", lr=0.01, steps=2)
    works(found.verify(), tmp_path)
    assert all(map(torch.equal, before, net.parameters()))


def test_a_training_that_is_watched(tmp_path):
    torch = pytest.importorskip("torch")
    net = torch.nn.Linear(3, 2)
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
    with parity.watch(net, optimizer=optimizer) as watched:
        net(torch.randn(4, 3)).square().mean().backward()
        optimizer.step()
    works(watched.verify(), tmp_path)
    assert (tmp_path / "index.html").exists()


def test_an_explanation(tmp_path):
    found = parity.explain("delta1[0,0]", data="xor")
    works(found.verify(), tmp_path)
    assert "δ⁽¹⁾[0,0], step 0" in str(found)


def test_a_golden_recorded_and_replayed(tmp_path):
    path = tmp_path / "xor.safetensors"
    made = parity.record(path, config=XOR)
    works(made.verify(), tmp_path / "made")
    assert made.outcome == "recorded"
    assert parity.record(path, update=True).outcome == "unchanged"
    assert parity.record(path, update=True, config=XOR, lr=0.25).outcome == "updated"
    found = parity.replay(path, no_torch=True)
    works(found.verify(), tmp_path / "found")
    assert [one.golden for one in found.replays] == [str(path)]
    assert parity.replay(tmp_path).verdict == "match"


WRONG = {
    "an option": (
        lambda: parity.run(XOR, stepz=3),
        "option: unknown 'stepz'; did you mean 'steps'",
    ),
    "a value": (lambda: parity.run(XOR, loss="mae"), "loss: unknown 'mae'; did you mean 'mse'. Known: mse"),
    "a file": (lambda: parity.run("no.toml"), "no.toml: No such file"),
    "a number": (lambda: parity.explain("delta", data="xor"), "explain delta: there is no such tensor"),
    "a golden": (lambda: parity.replay("no.safetensors"), "no.safetensors"),
    "a subject": (lambda: parity.check("no.py"), "no.py"),
}


@pytest.mark.parametrize(("ask", "said"), WRONG.values(), ids=WRONG)
def test_a_question_that_is_wrong_is_one_line(ask, said):
    with pytest.raises(parity.UsageError, match=said) as caught:
        ask()
    assert isinstance(caught.value, ValueError)
    assert "\n" not in str(caught.value)
