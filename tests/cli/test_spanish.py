"""Nothing English is left in a Spanish run but code: every help, every message, what is printed."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

import pytest
import typer.main

from parity.cli.app import app
from parity.cli.speech import spoken, text_of, words
from parity.errors import UsageError
from parity.render.texts import LANGUAGES, PARTS, catalogue
from parity.render.texts.message import Message
from reference.operations.activations import ACTIVATIONS
from tests.command import ROOT, parity
from tests.report.test_check_page import WRONG as MUTANTS

GROUP = typer.main.get_command(app)
COMMANDS = GROUP.commands
WORD = re.compile(r"(?<![\w./=-])[a-zà-ÿ]{3,}(?![\w/=]|\.\w|:\w)")
CODE = {"float", "torch", "numpy", "parity", "step", "config", "module", "model", "layers", "data", "loss"}
CODE |= {"key", "shape", "class", "opaque", "unsupported", "altered", "every", "last", "side", "columns"}
CODE |= {
    "rows",
    "samples",
    "scikit",
    "case",
    "inputs",
    "text",
    "output",
    "outputs",
    "network",
    "parameters",
}
CODE |= {"import", "and", "result", "kernel", "check"}
RAISED = ("UsageError", "EnvironmentUnfit", "NoChainError", "UnusableSubjectError", "TraceFileError")
UNTRANSLATED = {"parity/render/texts/__init__.py", "parity/pytest_plugin/hooks.py"}
"""Where a language is refused there is none to say it in: names and a list of the known ones."""


@cache
def english() -> frozenset[str]:
    """Words of the English catalogue that the Spanish one never uses."""
    of = {lang: set(WORD.findall(" ".join(catalogue(lang).values()).lower())) for lang in LANGUAGES}
    return frozenset(of["en"] - of["es"] - CODE - set(ACTIVATIONS))


def left(text: str) -> set[str]:
    """English words outside of quotes, brackets, paths, options and what is in a program's own language."""
    plain = re.sub(r"`[^`]*`|'[^']*'|\([^()]*\)|--[\w-]+|\S*[/\\|]\S*|\w+:\w+", " ", text)
    return set(WORD.findall(plain.lower())) & english()


def test_the_search_finds_english():
    assert left("the weights of this layer") >= {"the", "weights", "this"}
    assert left("los pesos de esta capa") == set()


@pytest.mark.parametrize("command", [None, *COMMANDS])
def test_every_command_helps_in_spanish(command, capsys):
    app([*([command] if command else []), "--help"], prog_name="parity", standalone_mode=False, obj="es")
    said = capsys.readouterr().out
    shown = " ".join(re.sub(r"[│╭╮╰╯─]", " ", said).split())
    assert "Uso: parity" in shown
    assert left(shown) - set(COMMANDS) == set()
    assert re.findall(r"\b(?:FILE|DIR|NAME|OPTIONS|COMMAND|ARGS|SCRIPT|SUBJECT|NUMBER)\b", shown) == []


def test_every_parameter_has_a_text_of_its_own_in_both_languages():
    used = {f"command.{name}" for name in (*COMMANDS, "parity")} | {"parameter.help"}
    for name, command in [*COMMANDS.items(), ("parity", GROUP)]:
        for one in command.params:
            if not getattr(one, "hidden", False):
                assert getattr(one, "help", None) is None, "a text of the code would never be shown"
                own = f"parameter.{name}-{one.name}"
                used.add(own if own in catalogue("en") else f"parameter.{one.name}")
                assert text_of(name, one.name, catalogue("en")) != text_of(name, one.name, catalogue("es"))
    known = {key for key in catalogue("en") if key.startswith(("command.", "parameter."))}
    assert known == used


def test_no_part_of_the_catalogue_says_what_another_says():
    for lang in LANGUAGES:
        found = [(ROOT / f"parity/render/texts/{part}{lang}.toml").read_text("utf-8") for part in PARTS]
        count = sum(len(re.findall(r"^[^#\[\s].* = ", text, re.M)) for text in found)
        assert len(catalogue(lang)) <= count


@cache
def every_call() -> list[tuple[Path, ast.Call]]:
    """Every call in the product with its file: parsed once for all who look among them."""
    return [
        (file, node)
        for file in sorted(ROOT.glob("parity/**/*.py"))
        for node in ast.walk(ast.parse(file.read_text("utf-8")))
        if isinstance(node, ast.Call)
    ]


def calls(name: str):
    """Every call of this name in the product: its file, and its node."""
    for file, node in every_call():
        if getattr(node.func, "id", "") == name:
            yield file.relative_to(ROOT).as_posix(), node


def test_whatever_refuses_says_why_by_a_message():
    """An f-string would be English in every language: its text belongs in `errors.en.toml` and its twin."""
    wrong = [
        f"{file}:{node.lineno}"
        for raised in RAISED
        for file, node in calls(raised)
        if file not in UNTRANSLATED and node.args and isinstance(node.args[0], ast.JoinedStr | ast.Constant)
    ]
    assert wrong == []


def test_every_message_is_in_the_catalogue_with_its_facts():
    for file, node in calls("Message"):
        keys = [part.value for part in ast.walk(node.args[0]) if isinstance(part, ast.Constant)]
        for key in keys if isinstance(node.args[0], ast.Constant | ast.IfExp) else ():
            if not re.fullmatch(r"[a-z_\d]+", str(key)) or f"said.{key}" not in catalogue("en"):
                if isinstance(node.args[0], ast.IfExp):
                    continue  # a part of its condition
                raise AssertionError(f"{file}:{node.lineno}: {key} is not in the catalogue")
            holes = set(re.findall(r"{(\w+)", catalogue("en")[f"said.{key}"]))
            given = {keyword.arg for keyword in node.keywords}
            assert None in given or holes <= given, f"{file}:{node.lineno}: {key} lacks {holes - given}"


def test_texts_raised_where_no_catalogue_is_known_are_its_keys():
    """reference/ and the subject's process raise English texts; each is a key of the Spanish ones."""
    texts = set()
    for file in (*ROOT.glob("reference/**/*.py"), ROOT / "parity/check/worker.py"):
        tree = ast.parse(file.read_text("utf-8"))
        for node in ast.walk(tree):
            raised = isinstance(node, ast.Call) and getattr(node.func, "id", "")
            if raised in ("OptionError", "UnusableError") and isinstance(node.args[0], ast.Constant):
                texts.add(node.args[0].value)
    assert texts
    assert {text for text in texts if f"said.{text}" not in catalogue("es")} == set()
    for key, text in catalogue("en").items():
        if key.startswith("said.") and not re.fullmatch(r"said\.[A-Za-z_\d-]+", key):
            assert text == key.removeprefix("said.")


def test_an_error_keeps_its_message_through_others():
    inner = UsageError(Message("csv_empty"))
    outer = Message("file_failed", file="a.csv", reason=inner)
    assert outer == "a.csv: is empty, a header row is needed"
    assert outer.said("es") == "a.csv: está vacío; hace falta una fila de encabezado"
    assert Message.of(outer.parts()).said("es") == outer.said("es")
    full = Message("cannot_be_written", file="x", reason=OSError(28, "No space left on device"))
    assert full.said("es") == "x: no se puede escribir: no queda espacio en el disco"
    assert Message.about(ValueError("as it is")).said("es") == "as it is"


def test_what_a_subject_calls_a_message_is_one_only_with_our_keys_and_facts():
    assert Message.known("no such key", {}) is None
    assert Message.known("{name} takes no {option}", {"name": "x"}) is None
    assert Message.known("{name} takes no {option}", {"name": "x", "option": "y"}) is not None


@pytest.mark.parametrize(
    ("arguments", "variables", "lang"),
    [
        ([], {}, "en"),
        ([], {"LANG": "es_ES.UTF-8"}, "es"),
        ([], {"LC_ALL": "C", "LANG": "es_ES.UTF-8"}, "en"),
        ([], {"LC_ALL": "", "LC_MESSAGES": "es_MX", "LANG": "en_US"}, "es"),
        (["run", "--lang", "es"], {"LANG": "en_US"}, "es"),
        (["--lang=en", "run"], {"LANG": "es_ES"}, "en"),
        (["run", "--lang"], {"LANG": "es_ES"}, "es"),
        (["run", "--lang", "fr"], {"LANG": "es_ES"}, "es"),
        (["watch", "a.py", "--", "--lang", "es"], {}, "en"),
    ],
)
def test_the_language_is_the_one_asked_for_or_that_of_the_environment(arguments, variables, lang):
    assert spoken(arguments, variables) == lang


def test_metavars_are_words():
    assert words("FILE.toml|-", catalogue("es")) == "ARCHIVO.toml|-"
    assert words("float32|float64", catalogue("es")) == "float32|float64"


WRONG = [
    ("run", "--steps", "x"),
    ("run", "--threads", "0"),
    ("run", "--stepps", "3"),
    ("run", "--steps"),
    ("runn",),
    ("run", "extra"),
    ("kernel",),
    ("campaign",),
    ("campaign", "-o", "empty.py"),
    ("campaign", "-o", "c", "--only", "activation"),
    ("campaign", "--case", "broken.toml"),
    ("campaign", "--compare", "empty.py", "broken.toml"),
    ("run", "--layers", "3"),
    ("run", "--data", "nope.csv"),
    ("run", "--activation", "tahn"),
    ("run", "--config", "nope.toml"),
    ("run", "--config", "broken.toml"),
    ("run", "--config", "unknown.toml"),
    ("run", "--data", "empty.csv"),
    ("run", "--data", "nan.csv"),
    ("check", "nope.py"),
    ("check", "empty.py"),
    ("explain", "delta"),
    ("replay", "empty.py"),
    ("graph", "--format", "png"),
    ("list", "act"),
    ("watch", "empty.py"),
]


@pytest.mark.parametrize("question", WRONG, ids=" ".join)
def test_every_refusal_is_one_line_of_spanish(question, tmp_path, monkeypatch, capsys):
    from parity.__main__ import _run

    for name, text in {
        "empty.py": "",
        "empty.csv": "",
        "nan.csv": "a,b\n1,2\nnan,3\n",
        "broken.toml": "[network\n",
        "unknown.toml": "[network]\nlayer = [1]\n",
    }.items():
        (tmp_path / name).write_text(text)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LANG", "es_ES.UTF-8")
    monkeypatch.delenv("GITHUB_ACTIONS", raising=False)
    assert _run(["--lang", "es", *question]) == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert left(said.partition("conocen")[0]) - set(COMMANDS) - {"tahn", "extra"} == set(), said


def test_a_command_speaks_the_language_of_its_environment():
    done = parity("list", "losses", torch=False, LANG="es_ES.UTF-8", LC_ALL="")
    assert done.stdout == parity("list", "losses", "--lang", "es", torch=False).stdout
    assert done.stdout != parity("list", "losses", torch=False).stdout


def test_what_commands_print_is_spanish_with_one_decimal_sign(ask, tmp_path, monkeypatch):
    monkeypatch.delenv("GITHUB_ACTIONS", raising=False)
    golden = tmp_path / "g.safetensors"
    (tmp_path / "mine.py").write_text(next(iter(MUTANTS.values())))
    asked = [
        ("run", "--data", "xor", "--steps", "3", "--witness"),
        ("record", "--data", "xor", "--steps", "1", "-o", golden),
        ("replay", golden),
        ("doctor",),
        ("check", tmp_path / "mine.py"),
    ]
    for words_ in asked:
        done = ask(*words_, "--lang", "es", folder=tmp_path)
        assert left(done.stdout) - set(COMMANDS) - {"processor"} == set(), done.stdout  # a fact's own name
        if words_[0] in ("run", "replay"):
            assert not re.search(r"\d\.\d", done.stdout.replace(str(Path(golden)), "")), done.stdout
