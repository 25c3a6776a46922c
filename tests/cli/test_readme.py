"""Every config that the README shows does what it says."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from parity.config.config import Config
from parity.lockstep.run import run

README = Path(__file__).parents[2] / "README.md"
CONFIGS = re.findall(r"^```toml\n(.*?)^```$", README.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)

assert len(CONFIGS) >= 2


@pytest.mark.parametrize("text", CONFIGS, ids=lambda text: text.splitlines()[1])
def test_a_config_of_the_readme_runs_to_a_match(text):
    assert run(Config.model_validate(tomllib.loads(text))).verdict == "match"


def test_the_readmes_python_runs(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    section = README.read_text(encoding="utf-8").partition("## In Python")[2]
    program = section.partition("```python\n")[2].partition("```")[0]
    exec(compile(program, "README.md", "exec"), {})
    assert "δ⁽¹⁾[0,0]" in capsys.readouterr().out
    assert (tmp_path / "page" / "index.html").exists()
