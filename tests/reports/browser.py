"""`python -m tests.reports.browser FOLDER`: a site with a notebook that runs in a browser (JupyterLite).

It takes jupyterlite-core, jupyterlite-pyodide-kernel and jupyter-server (see `.ci/site`). The site has
the notebook and this package as a wheel. Python for browsers (Pyodide) and its numpy are fetched by the
reader's browser, from where JupyterLite has them: no registry has a numpy of that kind.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.reports.notebook_cells import BROWSER
from tests.reports.notebooks import notebook

ROOT = Path(__file__).parents[2]
NAME = "backpropagation.ipynb"
KERNEL = {"display_name": "Python (Pyodide)", "language": "python", "name": "python"}


def contents(folder: Path) -> None:
    """Write what JupyterLite starts from: the notebook, not executed, and the folder's configuration."""
    made = json.loads(notebook("browser", BROWSER, run=False))
    made["metadata"]["kernelspec"] = KERNEL
    (folder / "files").mkdir(parents=True)
    (folder / "files" / NAME).write_text(json.dumps(made, indent=1, ensure_ascii=False), encoding="utf-8")


def wheel(folder: Path) -> Path:
    """This package as a wheel of pure Python."""
    command = [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "-w", str(folder), str(ROOT)]
    subprocess.run(command, check=True)
    [made] = folder.glob("*-py3-none-any.whl")
    return made


def main(words: list[str]) -> int:
    """Build the site in a folder, which is made anew."""
    if len(words) != 1:
        sys.stderr.write("python -m tests.reports.browser FOLDER\n")
        return 2
    site = Path(words[0]).absolute()
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        contents(folder)
        made = wheel(folder)
        shutil.rmtree(site, ignore_errors=True)
        command = [sys.executable, "-m", "jupyterlite_core", "build", "--contents", "files"]
        command += ["--piplite-wheels", str(made), "--output-dir", str(site)]
        command += ["--apps", "notebooks", "--apps", "lab", "--no-unused-shared-packages"]
        return subprocess.run(command, cwd=folder, check=False).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
