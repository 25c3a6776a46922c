"""Walls that must stand: who may import whom, and that nobody brings a tolerance in."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Mapping
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

from parity.render.texts import LANGUAGES, catalogue
from reference import operations

ROOT = Path(__file__).parents[1]
PRODUCT = [*ROOT.glob("reference/**/*.py"), *ROOT.glob("parity/**/*.py")]

FLOORS = {
    "reference": 0,
    "parity.errors": 1,
    "parity.bounds": 2,
    "parity.config": 2,
    "parity.render": 2,
    "parity.certify": 3,
    "parity.pytorch": 3,
    "parity.lockstep": 4,
    "parity.explain": 5,
    "parity.golden": 5,
    "parity.check": 5,
    "parity.bench": 5,
    "parity.kernel": 5,
    "parity.watch": 5,
    "parity.campaign": 5,
    "parity.report": 6,
    "parity.cli": 7,
    "parity.pytest_plugin": 7,
    "parity.public": 8,
    "parity": 9,
    "parity.__main__": 9,
}
"""Every room, and the floor that it stands on: who imports looks down, or along its floor."""

LOOSE = 4
"""Modules that may lie in `parity/` beside the rooms."""

LINES = 300
"""Of a file, at most."""


@cache
def tree(file: Path) -> ast.Module:
    return ast.parse(file.read_text(encoding="utf-8"))


def module_of(file: Path) -> str:
    parts = file.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {module_of(file): file for file in PRODUCT}


def room_of(module: str) -> str:
    """`parity.check` of `parity.check.diagnosis.search`; a loose module is a room of its own."""
    first, *rest = module.split(".")
    return first if first == "reference" or not rest else f"{first}.{rest[0]}"


def statements(node: ast.AST) -> Iterator[ast.stmt]:
    """Every statement that is ever run: what stands under TYPE_CHECKING is not."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.If) and getattr(child.test, "id", "") == "TYPE_CHECKING":
            for other in child.orelse:
                yield from (other, *statements(other))
            continue
        if isinstance(child, ast.stmt):
            yield child
        yield from statements(child)


def named(file: Path, *, typing: bool = False) -> Iterator[tuple[str, str]]:
    """Whatever a file imports, lazily or at once: a module, and a name of it or nothing."""
    nodes = ast.walk(tree(file)) if typing else statements(tree(file))
    for node in nodes:
        if isinstance(node, ast.Import):
            yield from ((alias.name, "") for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            assert node.level == 0, f"{file}: a relative import"
            yield from ((node.module, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            raise AssertionError(f"{file}: a relative import")


def imported(file: Path, *, typing: bool = False) -> set[str]:
    """The product's own modules that a file imports."""
    found = {f"{m}.{name}" if f"{m}.{name}" in MODULES else m for m, name in named(file, typing=typing)}
    return found & MODULES.keys()


def upwards(module: str, arrows: set[str], floors: Mapping[str, int] = FLOORS) -> set[str]:
    """Which of the modules that one imports stand on a higher floor."""
    return {other for other in arrows if floors[room_of(other)] > floors[room_of(module)]}


def circle(arrows: Mapping[str, set[str]]) -> list[str]:
    """Modules that import each other in a circle, if there are any."""
    try:
        TopologicalSorter(arrows).prepare()
    except CycleError as error:
        return list(error.args[1])
    return []


@pytest.mark.parametrize("module", MODULES)
def test_nobody_imports_upwards(module):
    """A type's name is an arrow too. The one exception: which version it is may be asked for anywhere."""
    file = MODULES[module]
    version = {"parity"} if ("parity", "__version__") in named(file) else set()
    assert upwards(module, imported(file, typing=True) - version) == set()


def test_an_import_upwards_is_seen():
    assert upwards("parity.bounds.number", {"parity.lockstep.run", "reference.graph"}) == {
        "parity.lockstep.run"
    }
    assert upwards("reference.graph", {"parity.errors"}) == {"parity.errors"}


def test_no_files_import_each_other_in_a_circle():
    """Lazy imports count. A package is no file: what it offers of its own files is no circle."""
    arrows = {module: imported(file) - {module} for module, file in MODULES.items()}
    packages = {module for module, file in MODULES.items() if file.name == "__init__.py"}
    for module in arrows:
        arrows[module] -= {package for package in packages if module.startswith(f"{package}.")}
    assert circle(arrows) == []


def test_a_circle_is_seen():
    assert circle({"a": {"b"}, "b": {"c"}, "c": {"a"}, "d": {"a"}})


def test_every_room_has_a_floor_and_every_floor_a_room():
    assert {room_of(module) for module in MODULES} == FLOORS.keys()


def test_few_modules_lie_about():
    loose = [file.name for file in ROOT.glob("parity/*.py")]
    assert len(loose) <= LOOSE, loose


def test_a_class_has_a_name_of_its_own():
    names = Counter(
        node.name
        for file in PRODUCT
        for node in tree(file).body
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_")
    )
    assert [name for name, count in names.items() if count > 1] == []


@pytest.mark.parametrize("file", PRODUCT, ids=lambda file: str(file.relative_to(ROOT)))
def test_no_tolerance_anywhere(file):
    forbidden = r"\b(rtol|atol|allclose|isclose|assert_close|approx)\b"
    assert not re.search(forbidden, file.read_text(encoding="utf-8"))


@pytest.mark.parametrize("file", [*ROOT.glob("reference/**/*.py")], ids=lambda file: file.name)
def test_the_mathematics_knows_numpy_and_nothing_else(file):
    tops = {module.split(".")[0] for module, _ in named(file, typing=True)}
    assert tops - {"numpy", "reference"} - set(sys.stdlib_module_names) == set()


LIGHT = {
    "the mathematics": ("import reference.training, reference.graph", {"torch"}),
    "the package": ("import parity", {"torch", "numpy", "pydantic", "rich", "typer"}),
    "the command": (
        "import parity.__main__ as program; program._run(['run', '--help'])",
        {"torch", "numpy"},
    ),
    "every command's help": ("import parity.cli.app", {"torch", "numpy"}),
    "the plugin": ("import parity.pytest_plugin.hooks", {"torch", "numpy", "pydantic", "rich"}),
    "the fixture": ("import parity.pytest_plugin.fixture", {"torch", "numpy", "pydantic", "rich"}),
    "results": ("import parity.lockstep.result, parity.golden, parity.check.run", {"torch"}),
    "the functions": ("import parity; parity.run", {"torch"}),
}


@pytest.mark.parametrize(("program", "heavy"), LIGHT.values(), ids=LIGHT)
def test_what_is_heavy_is_imported_when_it_is_needed(program, heavy):
    program += f"; import sys; sys.exit(str({heavy} & {{*sys.modules}} or '') or 0)"
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, check=False, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("file", PRODUCT, ids=lambda file: str(file.relative_to(ROOT)))
def test_no_room_is_too_large(file):
    assert len(file.read_text(encoding="utf-8").splitlines()) <= LINES


def test_both_languages_say_the_same_things():
    keys = {lang: set(catalogue(lang)) for lang in LANGUAGES}
    assert keys["en"] == keys["es"]
    holes = {
        lang: {key: set(re.findall(r"{(\w+)}", text)) for key, text in catalogue(lang).items()}
        for lang in LANGUAGES
    }
    assert holes["en"] == holes["es"]


def test_an_operation_has_a_name_of_its_own():
    found = [operation.name for operation in operations._found()]
    assert sorted(found) == sorted(operations.OPERATIONS)
