"""Public models, watched in two steps of a training: nobody here chose what they compute.

`python -m tests.reports.public_models FILE.jsonl [MODELS]` adds models to the file until there are so many,
one line each, and writes `reports/public-models.md` from it. It may be stopped and continued at any time.
Needs `pip install timm transformers`. Every family of timm by its two shortest names, and every model class
of transformers that makes text or classes, of two layers and 32 units as far as its configuration lets it;
in an order drawn once. Weights are random, nothing is downloaded.
"""

from __future__ import annotations

import inspect
import json
import os
import random
import signal
import sys
import time

for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[variable] = "1"

from collections import Counter, defaultdict  # noqa: E402 - after the threads are set
from collections.abc import Callable, Mapping, Sequence  # noqa: E402
from pathlib import Path  # noqa: E402

import torch  # noqa: E402

import parity  # noqa: E402

PAGE = Path(__file__).parents[2] / "reports" / "public-models.md"
MOST = 15_000_000
"""Parameters; larger models are left out."""
SECONDS = 200
STEPS = 2

SMALL = {
    **dict.fromkeys(("hidden_size", "n_embd", "d_model", "dim", "embedding_size"), 32),
    "word_embed_proj_dim": 32,
    **dict.fromkeys(("num_hidden_layers", "n_layer", "n_layers", "encoder_layers"), 2),
    **dict.fromkeys(("decoder_layers", "num_layers", "num_key_value_heads", "num_experts_per_tok"), 2),
    **dict.fromkeys(("num_attention_heads", "n_head", "n_heads", "num_heads"), 4),
    "encoder_attention_heads": 4,
    **dict.fromkeys(("decoder_attention_heads", "num_experts", "num_local_experts", "n_routed_experts"), 4),
    **dict.fromkeys(("intermediate_size", "d_ff", "encoder_ffn_dim", "decoder_ffn_dim", "ffn_dim"), 64),
    **dict.fromkeys(("hidden_dim", "max_position_embeddings"), 64),
    **dict.fromkeys(("head_dim", "d_kv", "state_size", "qk_rope_head_dim", "qk_nope_head_dim"), 8),
    **dict.fromkeys(("v_head_dim", "patch_size"), 8),
    **dict.fromkeys(("q_lora_rank", "kv_lora_rank"), 16),
    "moe_intermediate_size": 32, "image_size": 32, "vocab_size": 97, "num_labels": 5, "time_step_rank": 4,
    "rotary_dim": 4, "n_group": 1, "topk_group": 1, "pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2,
}  # fmt: skip
"""Sizes by the names that configurations have for them."""

Training = tuple[torch.nn.Module, Callable[[], torch.Tensor]]


class LeftOutError(Exception):
    """The model is not tried, and why."""


def names() -> list[tuple[str, str]]:
    """All models by their library, in an order drawn once."""
    import timm
    import transformers

    families = defaultdict(list)
    for name in timm.list_models():
        families[timm.models._registry._model_to_module[name]].append(name)
    found = [
        ("timm", n) for family in families.values() for n in sorted(family, key=lambda n: (len(n), n))[:2]
    ]
    endings = ("ForCausalLM", "ForMaskedLM", "ForConditionalGeneration", "ForImageClassification")
    found += [
        ("transformers", n) for n in dir(transformers) if n.endswith(endings) and not n.startswith("Auto")
    ]
    found.sort()
    random.Random(0).shuffle(found)
    return found


def of_timm(name: str) -> Training:
    """An image model of 7 classes, at 96 pixels where it takes them."""
    import timm

    def build() -> torch.nn.Module:
        module: torch.nn.Module = timm.create_model(name, pretrained=False, num_classes=7)
        return module

    module = _small(build)
    size: int = module.default_cfg["input_size"][-1]  # type: ignore[index, assignment, union-attr]
    x = torch.randn(2, 3, 96, 96)
    try:
        module(x)
    except Exception:
        x = torch.randn(2, 3, size, size)
    labels = torch.tensor([1, 3])
    return module, lambda: torch.nn.functional.cross_entropy(module(x), labels)


def of_transformers(name: str) -> Training:
    """A small configuration; the loss is a sum over the first output with random weights."""
    import transformers

    kind = getattr(transformers, name)
    offered = set(kind.config_class().to_dict()) | set(kind.config_class.attribute_map)
    config = kind.config_class(**{key: size for key, size in SMALL.items() if key in offered})
    module = _small(lambda: kind(config))
    takes = inspect.signature(module.forward).parameters
    if "input_ids" in takes:
        ids = torch.randint(3, 90, (2, 9))
        given = {key: ids for key in ("input_ids", "decoder_input_ids") if key in takes}
    else:
        given = {"pixel_values": torch.randn(2, getattr(config, "num_channels", 3), 32, 32)}

    def first() -> torch.Tensor:
        return next(
            v for v in module(**given).values() if isinstance(v, torch.Tensor) and v.is_floating_point()
        )

    weights = torch.randn(first().shape)
    return module, lambda: (first() * weights).mean()


def _small(build: Callable[[], torch.nn.Module]) -> torch.nn.Module:
    with torch.device("meta"):
        count = sum(p.numel() for p in build().parameters())
    if count > MOST:
        raise LeftOutError(f"more than {MOST / 1e6:.0f} million parameters")
    return build()


def watched(library: str, name: str) -> dict[str, object]:
    """What watching says of one model. Raises LeftOutError."""
    torch.manual_seed(0)
    torch.set_num_threads(1)
    try:
        module, loss = {"timm": of_timm, "transformers": of_transformers}[library](name)
        optimizer = torch.optim.AdamW(module.train().parameters(), lr=1e-3)
        loss()
    except LeftOutError:
        raise
    except Exception as error:
        raise LeftOutError("not built, or not run, with this configuration") from error
    start = time.process_time()
    with parity.watch(module, steps=STEPS) as watching:
        for _ in range(STEPS):
            optimizer.zero_grad()
            loss().backward()  # type: ignore[no-untyped-call]
            optimizer.step()
    result = watching.result
    coverage = result.coverage
    return {
        "parameters": sum(p.numel() for p in module.parameters()),
        "verdict": result.verdict,
        "seen": coverage.seen,
        "certified": coverage.certified,
        "numbers": result.numbers_compared,
        "undecided": result.undecided,
        "left": sorted({left.operation for left in coverage.not_certified}),
        "wrong": [
            f"{wrong.module} {wrong.operation} {wrong.check} {wrong.operand}" for wrong in result.wrong
        ],
        "seconds": round(time.process_time() - start, 1),
    }


def apart(library: str, name: str) -> dict[str, object]:
    """`watched`, in a process of its own, which is ended where it takes too long."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        signal.alarm(SECONDS)
        try:
            found = watched(library, name)
        except LeftOutError as error:
            found = {"verdict": "left out", "why": str(error)}
        except Exception as error:  # ours: it stands on the page
            found = {"verdict": "failed", "why": f"{type(error).__name__}: {error}"}
        with os.fdopen(writing, "w") as file:
            file.write(json.dumps(found))
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as file:
        text = file.read()
    os.waitpid(child, 0)
    late = {"verdict": "left out", "why": f"more than {SECONDS} seconds"}
    return {"library": library, "name": name, **(json.loads(text) if text else late)}


def page(rows: Sequence[Mapping[str, object]]) -> str:
    """The page, from one row for each model."""
    import timm
    import transformers

    tried = [row for row in rows if row["verdict"] != "left out"]

    def total(key: str) -> str:
        return f"{sum(int(str(row.get(key, 0))) for row in tried):,}"

    verdicts = Counter(str(row["verdict"]) for row in tried)
    why = Counter(str(row["why"]) for row in rows if row["verdict"] == "left out")
    lines = [
        "# Public models, watched",
        "",
        f"Models of timm {timm.__version__} and transformers {transformers.__version__}, random weights,",
        f"torch {torch.__version__}: {STEPS} steps of AdamW in training mode, float32, every operation.",
        f"Drawn from {len(names())}: each family of timm by its two shortest names, every class of",
        "transformers that makes text or classes, of two layers and 32 units as far as it lets us.",
        "Written by `python -m tests.reports.public_models FILE.jsonl`.",
        "",
        f"**{len(tried)} models: {', '.join(f'{n} {what}' for what, n in verdicts.most_common())}. "
        f"{total('certified')} of {total('seen')} operations certified, {total('numbers')} numbers "
        f"compared, {total('undecided')} undecided.**",
        "",
        *(f"* left out, {reason}: {n}" for reason, n in why.most_common()),
        "",
        "| model | parameters | operations | numbers | undecided | verdict |",
        "|---|--:|--:|--:|--:|---|",
    ]
    for row in sorted(tried, key=lambda row: (str(row["library"]), str(row["name"]))):
        left = "".join(f"; not certified: `{name}`" for name in row.get("left", ()))  # type: ignore[attr-defined]
        wrong = "".join(f"; {line}" for line in row.get("wrong", ()))  # type: ignore[attr-defined]
        cells = [f"{int(str(row.get(key, 0))):,}" for key in ("parameters", "seen", "numbers", "undecided")]
        verdict = f"{row['verdict']}{left}{wrong}{row.get('why', '')}"
        lines.append(f"| {row['library']} {row['name']} | {' | '.join(cells)} | {verdict} |")
    return "\n".join(lines) + "\n"


def main(path: Path, models: int | None = None) -> None:
    """Add models to the file, and write the page from all of it."""
    done = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    known = {(row["library"], row["name"]) for row in map(json.loads, done)}
    with path.open("a", encoding="utf-8") as file:
        for library, name in names()[:models]:
            if (library, name) not in known:
                file.write(json.dumps(apart(library, name)) + "\n")
                file.flush()
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    PAGE.write_text(page(rows), encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]), *map(int, sys.argv[2:]))
