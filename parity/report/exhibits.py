"""What stands in `reports/`: its exhibits, how each is recorded, and how the pages are made of them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from pydantic import JsonValue

from parity.files import write_text
from parity.report import write
from parity.report.mistakes import MISTAKES, Mistake
from parity.report.recording import Recorder, load
from parity.report.words import one

COMMAND = "python -m parity.report"
XOR_231: dict[str, JsonValue] = {
    "network": {"layers": [2, 3, 1], "activation": ["tanh", "sigmoid"], "dtype": "float64"},
    "data": {"name": "xor"},
    "training": {"steps": 400, "lr": 0.5, "seed": 1},
}
DIGITS: dict[str, JsonValue] = {"data": {"name": "digits"}, "training": {"steps": 100}}
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
    "network": {"layers": [2, 2, 2, 2], "activation": ["tanh", "tanh", "sigmoid"], "dtype": "float32"},
    "data": {
        "x": [[0.8, -0.4], [-0.6, 0.9], [0.3, 0.7]],
        "y": [[0.9, 0.1], [0.2, 0.7], [0.6, 0.4]],
    },
    "training": {"steps": 2, "lr": 0.5, "seed": 3},
}


@dataclass(frozen=True)
class Exhibit:
    """A recording and the page(s) made of it."""

    name: str
    config: dict[str, JsonValue]
    text: str
    command: str
    langs: tuple[str, ...] = ("en",)
    steps: int = 5
    mistake: Mistake | None = None


EXHIBITS = (
    Exhibit(
        "lesson",
        XOR_231,
        "reports.lesson",
        "parity run --data xor --layers 2-3-1 --activation tanh,sigmoid --dtype float64 --lr 0.5 "
        "--steps 400 --seed 1 --report DIR",
        ("en", "es"),
        8,
    ),
    Exhibit("digits", DIGITS, "reports.digits", "parity run --steps 100 --report DIR", steps=3),
    Exhibit("mazur", MAZUR, "reports.mazur", "parity run --config tests/parity/mazur.toml --report DIR"),
    *(
        Exhibit(f"gallery/{m.name}", WRONG, f"exhibit.{m.name}", f"{COMMAND} --fresh", steps=2, mistake=m)
        for m in MISTAKES
    ),
)


def record(exhibit: Exhibit, folder: Path) -> None:
    """Train, and keep the recording. Needs PyTorch."""
    from parity.case import Case, build
    from parity.config import Config
    from parity.environment import environment
    from parity.lockstep import Observer, lockstep
    from parity.run import _result, run
    from parity.twin import Twin

    path = recording_of(exhibit, folder)
    path.parent.mkdir(parents=True, exist_ok=True)
    config = Config.model_validate(exhibit.config)
    recorders: list[Recorder] = []

    def observers(case: Case) -> list[Observer]:
        recorders.append(Recorder(case.steps, exhibit.steps))
        return [*recorders]

    if exhibit.mistake is None:
        result = run(config, observers)
    else:
        case = build(config)
        twin = Twin(case.architecture, case.parameters, case.lr)
        walk = lockstep(case, [exhibit.mistake.side(case), twin], observers(case))
        result = _result(config, case, walk, environment(), {}, None, None)
    versions = {key: result.environment[key] for key in ("numpy", "torch") if key in result.environment}
    recorders[0].recording().save(path, result.model_copy(update={"environment": versions}))


def recording_of(exhibit: Exhibit, folder: Path) -> Path:
    """Where an exhibit's recording lies."""
    return folder / "recordings" / f"{exhibit.name.replace('/', '-')}.safetensors"


def render(folder: Path) -> None:
    """Every page, and the index that says what each shows. Raises QuestionError for a missing recording."""
    for exhibit in EXHIBITS:
        result, recording = load(recording_of(exhibit, folder))
        for lang in exhibit.langs:
            target = folder / exhibit.name if len(exhibit.langs) == 1 else folder / f"{exhibit.name}-{lang}"
            title = one(exhibit.text, lang) if exhibit.mistake else None
            write(result, recording, target, lang, title)
    write_text(str(folder / "README.md"), _index())


def _index() -> str:
    """The index, in both languages."""
    lines = []
    for lang in ("en", "es"):
        lines += [f"# {one('reports.title', lang)}", ""]
        lines += [str(one("reports.lead", lang, command=f"`{COMMAND}`")), ""]
        lines += [str(one("reports.fresh", lang, command=f"`{COMMAND} --fresh`")), ""]
        lines += [f"| {one('reports.what', lang)} | {one('reports.how', lang)} |", "|---|---|"]
        for exhibit in (e for e in EXHIBITS if not e.mistake):
            place = exhibit.name if len(exhibit.langs) == 1 else f"{exhibit.name}-{lang}"
            lines.append(f"| [{one(exhibit.text, lang)}]({place}/index.html) | `{exhibit.command}` |")
        lines += ["", f"## {one('reports.gallery', lang)}", ""]
        lines += [f"| {one('reports.what', lang)} | {one('reports.line', lang)} |", "|---|---|"]
        for exhibit in (e for e in EXHIBITS if e.mistake):
            assert exhibit.mistake is not None
            lines.append(
                f"| [{one(exhibit.text, lang)}]({exhibit.name}/index.html) | `{exhibit.mistake.line}` |"
            )
        lines.append("")
    return "\n".join(lines)
