"""`parity bench`: how fast, as ratios measured in one run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from parity.cli import options
from parity.cli.speech import SpokenCommand
from parity.render.texts.message import Message

if TYPE_CHECKING:
    from parity.bench.page import Report


def register(app: typer.Typer) -> None:
    """Add the command to the app."""
    app.command("bench", cls=SpokenCommand)(bench)


def bench(
    sizes: Annotated[
        str | None,
        typer.Option(metavar="NAME,…"),
    ] = None,
    dtype: Annotated[str, typer.Option(metavar="float32|float64")] = "float32",
    activation: Annotated[str, typer.Option(metavar="NAME")] = "sigmoid",
    no_peers: Annotated[bool, typer.Option("--no-peers")] = False,
    json: options.Json = None,
    markdown: Annotated[str | None, typer.Option(metavar="FILE.md")] = None,
    profile: Annotated[bool, typer.Option("--profile")] = False,
    vocabulary: Annotated[
        bool,
        typer.Option(
            "--vocabulary",
        ),
    ] = False,
    watch: Annotated[bool, typer.Option("--watch")] = False,
    threads: options.Threads = 1,
    lang: options.Lang = options.SPOKEN,
) -> int:
    from parity.errors import UsageError
    from parity.render.files import writable
    from parity.render.texts import catalogue

    say = catalogue(lang)
    for path in (json, markdown):
        if path:
            writable(path)

    from parity.bounds.formats import COMPUTED

    if dtype not in COMPUTED:
        raise UsageError(Message("option_known", option="--dtype", name=dtype, known=", ".join(COMPUTED)))

    from parity.bench import measure as benchmark
    from parity.bench import watched
    from parity.bench.page import Report, peaks
    from parity.bench.profile import Part
    from parity.bench.profile import profile as taken_apart
    from parity.bench.rows import BenchRow
    from parity.bench.watched_profile import profile as watched_profile
    from parity.certify.filter.activations import SLOPES
    from parity.render.console import console

    known = list(watched.MODELS if watch else benchmark.SIZES)
    names = known if sizes is None else [name.strip() for name in sizes.split(",")]
    for name in names:
        if name not in known:
            raise UsageError(Message("option_known", option="--sizes", name=name, known=", ".join(known)))
    if activation not in SLOPES:
        raise UsageError(
            Message("option_known", option="--activation", name=activation, known=", ".join(SLOPES))
        )
    from parity.lockstep.environment import environment
    from parity.lockstep.threads import limited

    rows: list[BenchRow] = []
    parts: list[Part] = []
    if vocabulary:
        from parity.bench.vocabulary import vocabulary as every_name

        with limited(threads):
            for name in names:
                console(stderr=True).print(say["bench.measuring_names"].format(size=name), style="dim")
                rows += every_name(name)
            facts = environment()
        report = Report(rows, {}, facts, f"parity bench --vocabulary --sizes {','.join(names)}")
        return _written(report, json, markdown, lang)
    memory: dict[str, dict[str, float]] = {}
    with limited(threads):
        for name in names:
            console(stderr=True).print(say["bench.measuring"].format(size=name), style="dim")
            if watch:
                memory[name] = watched.peaks(name)
                rows += [*watched.measure(name), watched.memory(name, memory[name])]
                if profile or markdown:
                    parts += watched_profile(name)
                continue
            rows += benchmark.measure(name, dtype, activation, with_peers=not no_peers)
            if profile or markdown:
                parts += taken_apart(name, dtype, activation)
        facts = environment()
    if not watch:
        memory = {name: peaks(name, dtype, activation) for name in names}
    asked = ["--watch"] if watch else []
    asked += (
        ["--sizes", ",".join(names)]
        if watch
        else ["--sizes", ",".join(names), "--dtype", dtype, "--activation", activation]
    )
    asked += ["--no-peers"] if no_peers else []
    page = "reports/watch-speed.md" if watch else "reports/benchmark.md"
    asked += ["--markdown", page] if markdown else []
    return _written(
        Report(rows, memory, facts, f"parity bench {' '.join(asked)}", parts, watching=watch),
        json,
        markdown,
        lang,
    )


def _written(report: Report, json: str | None, markdown: str | None, lang: str) -> int:
    """Write and show a report."""
    from parity.render.files import write_text

    if json:
        write_text(json, report.to_json())
    if markdown:
        write_text(markdown, report.to_markdown(lang))
    report.show(lang, stderr="-" in (json, markdown))
    return 0
