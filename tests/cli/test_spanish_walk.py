"""Every command walked in Spanish: what it prints has no English word and one decimal sign."""

from __future__ import annotations

import ast
import re
import sys

import pytest
from rich.text import Text

from parity.bench import measure, page, profile
from parity.render.numbers import local
from parity.render.texts import catalogue
from tests.check.test_hostile import GOOD
from tests.cli.test_kernel import PROGRAM
from tests.cli.test_spanish import COMMANDS, calls, every_call, left
from tests.nightly import NIGHTLY
from tests.report.test_check_page import NO_SLOPE

UNKNOWN = """
import torch

model = torch.nn.Linear(3, 1)
torch.special.i0e(model(torch.randn(4, 3))).sum().backward()
"""
MODEL = """
import torch

def unknown():
    class Own(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.inner = torch.nn.Linear(2, 1)

        def forward(self, x):
            return torch.fft.fft(self.inner(x)).abs()

    return Own()
"""
CASE = """
kind = "losses"
name = "mse"
format = "float32"
regime = "ordinary"
shape = [2, 3, 2]
seed = 1
[options]
reduction = "mean"
"""
FILES = {
    "case.toml": CASE,
    "wrong.py": NO_SLOPE,
    "hidden.py": NO_SLOPE[: NO_SLOPE.index("    return {")] + '    return {"dW": dW, "db": db}\n',
    "right.py": GOOD,
    "raises.py": "def step(*args):\n    raise ValueError('nada')\n",
    "class/a.py": GOOD,
    "class/b.py": NO_SLOPE,
    "class/c.py": "def step(:\n",
    "mine.py": PROGRAM,
    "training.py": UNKNOWN,
    "models.py": MODEL,
}
XOR = ("--data", "xor", "--steps", "2")
KERNEL = ("mine.py:definition", "--inputs", "mine.py:inputs")
BY_NIGHT = [
    ("bench", "--sizes", "tiny", "--vocabulary"),
    ("bench", "--watch", "--sizes", "cnn", "--profile"),
]
WALK = [
    ("run", *XOR, "--witness"),
    ("run", *XOR, "--loss", "nope"),
    ("run", *XOR, "--optimizer", "muon"),
    ("run", "--model", "models.py:unknown", *XOR),
    ("check", "wrong.py"),
    ("check", "hidden.py"),
    ("check", "right.py", "--activation", "softshrink"),
    ("check", "raises.py"),
    ("check", "class"),
    ("explain", "delta1[0,0]", "--data", "xor"),
    ("explain", "W2_next[0,1]", "--data", "xor", "--optimizer", "adam"),
    ("graph", "--data", "xor", "--format", "text"),
    ("record", *XOR, "-o", "other.safetensors", "--seed", "1"),
    ("replay", "golden.safetensors"),
    ("diff", "golden.safetensors", "other.safetensors"),
    ("bench", "--sizes", "tiny", "--no-peers", "--profile"),
    ("watch", "training.py"),
    ("kernel", "mine.py:own", *KERNEL),
    ("kernel", "mine.py:wrong", *KERNEL),
    ("campaign", "--case", "case.toml"),
    ("list",),
    ("list", "losses"),
    ("new", "template.py"),
    ("schema",),
    ("doctor",),
    *(pytest.param(words, marks=NIGHTLY) for words in BY_NIGHT),
]
OWN = {"processor", "cores", "engine", "eager", "invalid", "losses", "syntax", "sum"} | set(COMMANDS)
"""Names of facts, contestants and cases, as files have them too, and what Python says of a SyntaxError."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    made = tmp_path_factory.mktemp("walk")
    for name, text in FILES.items():
        (made / name).parent.mkdir(exist_ok=True)
        (made / name).write_text(text)
    return made


def test_every_command_is_walked():
    assert {words[0] for words in [("run",), *BY_NIGHT, *WALK[: -len(BY_NIGHT)]]} == set(COMMANDS)


@pytest.mark.parametrize("words", WALK, ids=" ".join)
def test_a_command_speaks_spanish_alone(words, folder, ask, monkeypatch):
    monkeypatch.chdir(folder)
    monkeypatch.setattr(sys, "path", [str(folder), *sys.path])
    for name in ("GITHUB_ACTIONS", "CI"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("COLUMNS", "250")
    monkeypatch.setattr(measure, "ROUNDS", 2)
    monkeypatch.setattr(measure, "ROUND_SECONDS", 0.001)
    monkeypatch.setattr(profile, "SECONDS", 0.01)
    monkeypatch.setattr(page, "MEASURED", ("engine",))
    if "golden.safetensors" in words and not (folder / "golden.safetensors").exists():
        ask("record", *XOR, "-o", "golden.safetensors")
        ask("record", *XOR, "-o", "other.safetensors", "--seed", "1")
    code, out, err = ask(*words, "--lang", "es")
    assert code in (0, 1, 2, 5), err
    assert "Traceback" not in out + err
    if words[0] == "schema":  # JSON, which programs read
        return
    said = Text.from_ansi(out + err).plain
    if words[0] == "list":  # names and Python's values, below a heading each
        said = re.sub(r"^  .*$", "", said, flags=re.M)
    assert left(said) - OWN == set(), said
    assert points(said) == [], said


QUOTED = r"`[^`]*`|'[^']*'"
COMMANDED = r"\bparity \w|\btorch |\bnumpy |│ (?:parity|python|numpy|blas|torch|platform)"


def test_what_a_submission_raised_is_told_in_both_languages(folder, ask, tmp_path):
    """Whoever made the folder spoke one language; who reads the page may speak the other."""
    code, _, _ = ask("check", folder / "class", "--report", tmp_path / "out", "--lang", "en")
    assert code == 1
    page = (tmp_path / "out" / "index.html").read_text("utf-8")
    assert '<span lang="es">c.py: línea 1: SyntaxError' in page
    assert '<span lang="en">c.py: line 1: SyntaxError' in page
    assert "c.py: line 1: SyntaxError" in (tmp_path / "out" / "points.csv").read_text("utf-8")


def points(text: str) -> list[str]:
    """Numbers with a decimal point, outside of what is quoted, of commands and of versions."""
    plain = re.sub(rf"{QUOTED}|^.*(?:{COMMANDED}).*$", " ", text, flags=re.M)
    return re.findall(r"(?<![\w.])\d+\.\d+(?!\.?\d)", plain)


def test_a_decimal_point_is_found_and_a_version_is_none():
    assert points("usada una parte de 0.26") == ["0.26"]
    assert points("0,26; 1.2.3; `0.5`; parity run --lr 0.5") == []


def test_a_list_of_numbers_has_semicolons_where_the_decimal_sign_is_a_comma():
    spanish = catalogue("es")
    assert local("W[0,1] · 0.5, −1.5, … (+3), 2.13.0", spanish) == "W[0,1] · 0,5; −1,5; … (+3), 2.13.0"
    assert local("0.5, 1.5", catalogue("en")) == "0.5, 1.5"


PRINTS = ("print", "add_column", "add_row", "write")


def test_nothing_is_printed_that_is_no_text_of_the_catalogue():
    """A literal with a word in it would be in one language."""
    for file, node in every_call():
        if getattr(node.func, "attr", "") in PRINTS:
            for given in node.args:
                text = literal(given)
                words = re.findall(r"[A-Za-z]{3,}", re.sub(r"\[/?[\w ]*\]", "", text))
                assert set(words) <= {"parity", "Ctrl"}, f"{file}:{node.lineno}: {text}"


def literal(node: ast.expr) -> str:
    """The letters of a string that stand in the code; keys of the catalogue in its holes are none."""
    if isinstance(node, ast.JoinedStr):
        return " ".join(part.value for part in node.values if isinstance(part, ast.Constant))
    return str(node.value) if isinstance(node, ast.Constant) and isinstance(node.value, str) else ""


def test_what_a_formula_or_an_operation_refuses_is_a_message():
    """A text in the code would be English in every language; the name of an argument is code."""
    for raised in ("UnsupportedError", "UndefinedError", "Left"):
        for file, node in calls(raised):
            told = node.args[0]
            words = re.findall(r"[A-Za-z]{2,}", literal(told))
            assert words == [], f"{file}:{node.lineno}: {words}"
