"""What stands in `reports/`: its exhibits, how each is recorded, and how the pages are made of them."""

from __future__ import annotations

import lzma
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path

from pydantic import JsonValue

from parity.errors import UsageError
from parity.lockstep.result import Result
from parity.render.files import write_text
from parity.render.texts import LANGUAGES
from parity.report import write
from parity.report.bilingual import one
from parity.report.recorder import PageRecorder
from parity.report.recording import Recording, load
from tests.reports.gallery import MISTAKES, Mistake
from tests.reports.index import drawings, index
from tests.reports.names import names
from tests.reports.site import site

COMMAND = "python -m tests.reports"
XOR_231: dict[str, JsonValue] = {
    "network": {"layers": [2, 3, 1], "activation": ["tanh", "sigmoid"], "dtype": "float64"},
    "data": {"name": "xor"},
    "training": {"steps": 400, "lr": 0.5, "seed": 1},
}
DIGITS: dict[str, JsonValue] = {"data": {"name": "digits"}, "training": {"steps": 1000}}
BRIEF = 6
"""Steps that a committed page keeps in brief; a run of your own keeps more."""
MAZUR: dict[str, JsonValue] = {
    "network": {
        "layers": [2, 2, 2],
        "activation": "sigmoid",
        "dtype": "float64",
        "parameters": {
            "W1": [[0.15, 0.20], [0.25, 0.30]],
            "b1": [0.35, 0.35],
            "W2": [[0.40, 0.45], [0.50, 0.55]],
            "b2": [0.60, 0.60],
        },
    },
    "data": {"x": [[0.05, 0.10]], "y": [[0.01, 0.99]]},
    "training": {"loss": "mse", "lr": 0.5, "steps": 1},
}
WRONG: dict[str, JsonValue] = {
    "network": {"layers": [2, 2, 2], "activation": ["tanh", "sigmoid"], "dtype": "float32"},
    "data": {
        "x": [[0.8, -0.4], [-0.6, 0.9], [0.3, 0.7]],
        "y": [[0.9, 0.1], [0.2, 0.7], [0.6, 0.4]],
    },
    "training": {"steps": 2, "lr": 0.5, "seed": 3},
}


@dataclass(frozen=True)
class Exhibit:
    """A recording and the page made of it, in both languages.

    `whole` are the steps of which every number is there, `file` a config that stands beside the page, where
    it is not `config`.
    """

    name: str
    config: dict[str, JsonValue]
    text: str
    command: str
    whole: tuple[int, ...] = (0,)
    mistake: Mistake | None = None
    subject: str = ""
    file: str = ""


EXHIBITS = (
    Exhibit(
        "lesson",
        XOR_231,
        "reports.lesson",
        "parity run --data xor --layers 2-3-1 --activation tanh,sigmoid --dtype float64 --lr 0.5 "
        "--steps 400 --seed 1 --report DIR",
        whole=(0, 1, 20, 399),
    ),
    Exhibit("digits", DIGITS, "reports.digits", "parity run --report DIR", whole=(0, 999)),
    Exhibit("mazur", MAZUR, "reports.mazur", "parity run --config tests/lockstep/mazur.toml --report DIR"),
    Exhibit(
        "check",
        {},
        "reports.check",
        "parity check reports/check/my_backprop.py --report DIR",
        subject="check/my_backprop.py",
    ),
    *(
        Exhibit(
            name,
            {},
            f"reports.{name}",
            f"parity run --config reports/{name}/{name}.toml --report DIR",
            file=f"{name}/{name}.toml",
        )
        for name in ("cnn", "attention")
    ),
    *(
        Exhibit(f"gallery/{m.name}", WRONG, f"exhibit.{m.name}", f"{COMMAND} --fresh", mistake=m)
        for m in MISTAKES
    ),
)


def record(exhibit: Exhibit, folder: Path) -> None:
    """Train or check, and keep the recording. Needs PyTorch."""
    result, recording = _checked(exhibit, folder) if exhibit.subject else _trained(exhibit, folder)
    path = recording_of(exhibit, folder)
    path.parent.mkdir(parents=True, exist_ok=True)
    versions = {key: result.environment[key] for key in ("numpy", "torch") if key in result.environment}
    with tempfile.TemporaryDirectory() as place:
        plain = Path(place, path.stem)
        recording.save(plain, result.model_copy(update={"environment": versions}))
        path.write_bytes(lzma.compress(plain.read_bytes(), preset=9))


def recorded(name: str, folder: Path) -> tuple[Result, Recording]:
    """An exhibit's result and recording. Raises UsageError for a file that is none."""
    path = folder / "recordings" / f"{name.replace('/', '-')}.safetensors.xz"
    with tempfile.TemporaryDirectory() as place:
        plain = Path(place, path.stem)
        try:
            plain.write_bytes(lzma.decompress(path.read_bytes()))
        except (OSError, lzma.LZMAError) as error:
            raise UsageError(f"{path}: not a recording: {error}") from None
        return load(plain)


def _checked(exhibit: Exhibit, folder: Path) -> tuple[Result, Recording]:
    from parity.check.calls import asked_calls
    from parity.check.implementations import python_subject
    from parity.check.run import check
    from parity.report.submission import recording_of as subject_recording

    file = folder / exhibit.subject
    found = check(
        python_subject(str(file)),
        asked_calls(None, None, None),
        reproduce=f"parity check {file.as_posix()}",
    )
    return found.result, subject_recording(found, file)


def _trained(exhibit: Exhibit, folder: Path) -> tuple[Result, Recording]:
    from parity.config.case import Case, build
    from parity.config.config import read
    from parity.lockstep.environment import environment
    from parity.lockstep.lockstep import Observer, lockstep
    from parity.lockstep.run import Circumstances, result_of, run
    from parity.pytorch.twin import Twin

    config = read(folder / exhibit.file if exhibit.file else exhibit.config, {})
    recorders: list[PageRecorder] = []

    def observers(case: Case) -> list[Observer]:
        recorders.append(PageRecorder.of(case, max(3, len(exhibit.whole)), BRIEF))
        return [*recorders]

    if exhibit.mistake is None:
        result = run(config, observers)
    else:
        case = build(config)
        twin = Twin(case.architecture, case.parameters, case.lr)
        walk = lockstep(case, [exhibit.mistake.side(case), twin], observers(case))
        result = result_of(config, case, walk, Circumstances(environment()))
    recording = recorders[0].recording()
    recording = replace(recording, steps={step: recording.steps[step] for step in exhibit.whole})
    if exhibit.file:  # of a graph one step has enough to show
        recording = recording.with_extras(brief={})
    if exhibit.mistake:
        recording = recording.with_extras(source=exhibit.mistake.line)
    return result, recording


def recording_of(exhibit: Exhibit, folder: Path) -> Path:
    """Where an exhibit's recording lies."""
    return folder / "recordings" / f"{exhibit.name.replace('/', '-')}.safetensors.xz"


def render(folder: Path) -> None:
    """Every page, and the index that says what each shows. Raises UsageError for a missing recording."""
    for exhibit in EXHIBITS:
        result, recording = recorded(exhibit.name, folder)
        own = exhibit.mistake or exhibit.file
        titles = {lang: one(exhibit.text, lang) for lang in LANGUAGES} if own else None
        write(result, recording, folder / exhibit.name, "en", titles)
    for name, text in drawings(*recorded("lesson", folder)).items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        write_text(str(folder / name), text)
    write_text(str(folder / "names.md"), names())
    write_text(str(folder / "README.md"), index(EXHIBITS, COMMAND))
    write_text(str(folder / "index.html"), site(EXHIBITS, COMMAND))
