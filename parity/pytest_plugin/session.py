"""What is said at the end of a pytest run: counts, goldens updated and unused, the index, GitHub's part.

Facts come from reports, so under xdist this works on the controller as it does without; workers only
say whether tests were deselected. Imported when pytest starts: the standard library and pytest only.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import pytest

from parity.pytest_plugin.context import GOLDEN_SUFFIX, GOLDENS
from parity.render.files import write_text
from parity.render.numbers import written
from parity.render.texts import catalogue
from parity.report.ci import github
from parity.report.ci.facts import Compared, from_properties
from parity.report.ci.summary import Noted, causes, markdown

DESELECTED = "parity_deselected"


class Gathering:
    """The comparisons of a whole run, by test."""

    def __init__(self, config: pytest.Config, report: Path | None, lang: str) -> None:
        self.config, self.report, self.lang = config, report, lang
        self.compared: dict[str, list[Compared]] = {}
        self.not_passed: dict[str, bool] = {}
        """Tests that did not pass, and whether they failed (the others were skipped or xfailed)."""
        self.deselected = 0
        self.stopped = False

    @property
    def noted(self) -> list[Noted]:
        """Every comparison with its test, in the order in which tests ended."""
        return [
            Noted(test, compared, self.not_passed.get(test, False))
            for test, found in self.compared.items()
            for compared in found
        ]

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """A teardown's report has everything its test has noted."""
        if not report.passed or hasattr(report, "wasxfail"):
            self.not_passed[report.nodeid] = report.failed or self.not_passed.get(report.nodeid, False)
        if report.when == "teardown":
            self.compared[report.nodeid] = from_properties(report.user_properties)

    def pytest_deselected(self, items: Sequence[pytest.Item]) -> None:
        """A golden of a test that was left out is not unused."""
        self.deselected += len(items)

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: object, error: object) -> None:
        """What an xdist worker knows and its reports do not say."""
        said = getattr(node, "workeroutput", {})
        self.deselected += said.get(DESELECTED, 0)
        self.stopped = self.stopped or bool(error) or not said

    def pytest_sessionfinish(self, session: pytest.Session, exitstatus: int) -> None:
        """A worker tells the controller."""
        output = getattr(self.config, "workeroutput", None)
        if output is not None:
            output[DESELECTED] = self.deselected
        self.stopped = self.stopped or bool(session.shouldstop or session.shouldfail) or exitstatus > 1

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Counts and goldens, where there is anything to say; then the index and GitHub's parts."""
        if hasattr(self.config, "workerinput"):
            return  # xdist's workers have a terminal reporter too, which nobody reads
        unused = self.unused()
        if not self.noted and not unused:
            return
        out = terminalreporter
        out.section("parity")
        numbers = sum(noted.compared.numbers for noted in self.noted)
        say = catalogue(self.lang)
        out.write_line(
            say["ci.counted"].format(count=len(self.noted), numbers=written(f"{numbers:,}", say))
        )
        for noted in self.noted:
            for change in noted.compared.updated:
                out.write_line(say["ci.updated"].format(golden=noted.compared.golden, change=change))
        for path in unused:
            out.write_line(say["ci.unused"].format(golden=path))
        text = markdown(self.noted, unused, self.lang)
        if self.report:
            self.report.mkdir(parents=True, exist_ok=True)
            facts = [{"test": n.test, "failed": n.failed, **asdict(n.compared)} for n in self.noted]
            write_text(str(self.report / "index.md"), text)
            write_text(
                str(self.report / "comparisons.json"), json.dumps(facts, indent=2, ensure_ascii=False)
            )
            out.write_line(say["ci.report"].format(path=self.report / "index.md"))
        if github.on_github():
            for line in github.commands(causes(self.noted, self.config.rootpath, self.lang), self.lang):
                out.write_line(line)
            github.summarize(text, self.lang)

    def unused(self) -> list[str]:
        """Golden files beside tests that all passed, and that none of them asked for.

        Nothing can be said of a run that left tests out: deselected ones, or files named one by one.
        """
        options = self.config.option
        if self.deselected or self.stopped or options.collectonly or getattr(options, "lf", False):
            return []
        if any("::" in arg or Path(arg).is_file() for arg in self.config.args):
            return []
        root = self.config.rootpath
        used = {noted.compared.golden for noted in self.noted}
        unsure = {_folder(root, test) for test in self.not_passed}
        folders = {_folder(root, test) for test in self.compared} - unsure
        found = [path for folder in folders for path in (folder / GOLDENS).glob(f"*{GOLDEN_SUFFIX}")]
        return sorted({path.relative_to(root).as_posix() for path in found} - used)


def _folder(root: Path, test: str) -> Path:
    return (root / test.partition("::")[0]).parent
