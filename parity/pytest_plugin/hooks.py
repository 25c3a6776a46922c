"""pytest's hooks: the fixture `parity`, the marker, the options. Neither numpy nor torch is imported here.

What a test compares travels in its user_properties, so JUnit's XML has it, and under xdist the
controller; what is said at the end is in `parity.pytest_plugin.session`.
"""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from parity.errors import UsageError
from parity.pytest_plugin.context import Context
from parity.pytest_plugin.session import Gathering
from parity.render.files import writable_folder
from parity.render.texts import LANGUAGES, catalogue
from parity.render.texts.message import Message
from parity.report.ci.facts import PROPERTY, Compared, from_properties

if TYPE_CHECKING:
    from parity.pytest_plugin.fixture import Parity

MARKER = "parity: this test compares numbers; it fails if it compared none."


def pytest_addoption(parser: pytest.Parser) -> None:
    """The options, and the language of failures."""
    group = parser.getgroup("parity", "backpropagation, certified (parity)")
    group.addoption(
        "--parity-update",
        action="store_true",
        help="record golden files that are missing, and those outside their bounds, anew",
    )
    group.addoption(
        "--parity-report", metavar="DIR", help="write each comparison's result, page and an index there"
    )
    parser.addini("parity_lang", "language of parity's failures: en or es", default="en")


def pytest_configure(config: pytest.Config) -> None:
    """The marker; complaints about options before any test; who gathers the facts."""
    config.addinivalue_line("markers", MARKER)
    report, lang = _report(config), _lang(config)
    try:
        if report:
            writable_folder(report)
        if lang not in LANGUAGES:
            raise UsageError(
                Message("option_known", option="parity_lang", name=lang, known=", ".join(LANGUAGES))
            )
    except UsageError as error:
        raise pytest.UsageError(f"parity: {error}") from None
    config.pluginmanager.register(Gathering(config, report, lang), "parity-gathering")


@pytest.fixture
def parity(request: pytest.FixtureRequest) -> Parity:
    """Comparisons: `check` a step, `run` a config, mirror a torch `model`, replay a `golden`."""
    from parity.pytest_plugin.fixture import Parity

    return Parity(_context(request.node))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, None, None]:
    """A test with the marker that compared nothing fails."""
    yield
    if item.get_closest_marker("parity") and not _decided(item):
        pytest.fail(catalogue(_lang(item.config))["plugin.nothing"], pytrace=False)


def _context(item: pytest.Item) -> Context:
    config = item.config

    def note(compared: Compared) -> None:
        item.user_properties.append((PROPERTY, compared.to_json()))

    return Context(
        item.nodeid,
        item.path,
        config.rootpath,
        note,
        lang=_lang(config),
        update=bool(config.getoption("--parity-update")),
        report=_report(config),
    )


def _decided(item: pytest.Item) -> int:
    return sum(compared.decided for compared in from_properties(item.user_properties))


def _lang(config: pytest.Config) -> str:
    return str(config.getini("parity_lang"))


def _report(config: pytest.Config) -> Path | None:
    given = config.getoption("--parity-report")
    return (config.invocation_params.dir / given).absolute() if given else None
