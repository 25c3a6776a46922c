"""Runs the steps of the composite action here, as a GitHub runner would; run this file to see them.

An empty repository is told that nothing was checked; with a network and its test it goes green, with a
bug planted red. Nothing is installed: the steps run in this interpreter's environment.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
ACTION = ROOT / ".github" / "actions" / "parity" / "action.yml"


@dataclass(frozen=True)
class Step:
    """A step of the action: its name, its condition, its variables and its script."""

    name: str
    condition: str
    variables: dict[str, str]
    script: str


def defaults(text: str) -> dict[str, str]:
    """The action's inputs with their defaults."""
    table = text[text.index("inputs:\n") : text.index("runs:\n")]
    found = re.findall(r"^  (\w+):\n(?:    .*\n)*?    default: (.*)$", table, re.M)
    return {name: value.strip('"') for name, value in found}


def steps(text: str) -> Iterator[Step]:
    """The steps that run a script: those of other actions are GitHub's."""
    for block in re.split(r"^    - ", text[text.index("  steps:\n") :], flags=re.M)[1:]:
        script = re.search(r"^      run: \|\n((?:        .*\n?|\n)+)", block, re.M)
        if script:
            variables = re.findall(r"^        (\w+): \$\{\{ inputs\.(\w+) \}\}$", block, re.M)
            condition = re.search(r"^      if: (.*)$", block, re.M)
            yield Step(
                block.partition("name: ")[2].partition("\n")[0],
                condition[1] if condition else "",
                dict(variables),
                re.sub(r"^        ", "", script[1], flags=re.M),
            )


def job(folder: Path, **given: str) -> subprocess.CompletedProcess[str]:
    """Run the action's steps in a repository, with these inputs, until one fails."""
    text = ACTION.read_text(encoding="utf-8")
    inputs = {**defaults(text), "install": "false", **given}
    assert inputs.keys() == defaults(text).keys(), "an input that the action does not have"
    done = subprocess.CompletedProcess("", 0, "", "")
    for step in steps(text):
        if step.condition == "inputs.install == 'true'" and inputs["install"] != "true":
            continue
        environment = {
            **os.environ,
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            "PYTHONPATH": str(ROOT),
            "CI": "true",
            "GITHUB_ACTIONS": "true",
            "GITHUB_ACTION_PATH": str(ACTION.parent),
            "GITHUB_WORKSPACE": str(folder),
            "GITHUB_STEP_SUMMARY": str(folder / "summary.md"),
            **{name: inputs[value] for name, value in step.variables.items()},
        }
        environment.pop("PYTEST_ADDOPTS", None)
        done = subprocess.run(
            ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", step.script],
            cwd=folder,
            env=environment,
            text=True,
            capture_output=True,
            check=False,
        )
        if done.returncode:
            break
    return done


def main() -> int:
    """From an empty repository to green to red."""
    sys.path.insert(0, str(ROOT))
    from tests.pytest_plugin import stranger

    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        for what, expected in (("empty", 5), ("green", 0), ("red", 1)):
            {"empty": lambda _: None, "green": stranger.make, "red": stranger.plant}[what](folder)
            done = job(folder)
            sys.stdout.write(f"== {what}\n{done.stdout}{done.stderr}")
            if done.returncode != expected:
                sys.stdout.write(f"== expected exit code {expected}, found {done.returncode}\n")
                return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
