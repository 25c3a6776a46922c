"""Cases under watch: PyTorch's operators on its own samples, and graphs drawn at random."""

from __future__ import annotations

import warnings
from dataclasses import replace

import torch

from parity.campaign.case import Alarm, CampaignCase
from parity.campaign.drawn.models import FAMILIES, drawn
from parity.campaign.drawn.networks import HARD_REGIMES
from parity.campaign.drawn.samples import AS_GIVEN, forward_and_back, in_regime, operators, samples
from parity.campaign.findings import known
from parity.campaign.verdicts import CaseVerdict, NotAskedError, refused
from parity.errors import quoted
from parity.watch.result import WatchResult
from parity.watch.watching import Watching

STEPS = 2


def judged_operator(case: CampaignCase) -> CaseVerdict:
    """One call of an operator, forward and backward.

    Raises NotAskedError where PyTorch has no samples, or refuses this one; UsageError for a wrong case.
    """
    try:
        known_ones = operators()
    except ImportError as error:
        raise NotAskedError(f"PyTorch's samples cannot be imported: {quoted(error)}") from error
    if case.regime not in (AS_GIVEN, *HARD_REGIMES):
        raise refused(case, "regime", case.regime)
    number = case.options.get("sample")
    if type(number) is not int or case.options.keys() != {"sample"} or number < 0:
        raise refused(case, "options", dict(case.options))
    dtype = getattr(torch, case.format)
    op = known_ones.get(case.name)
    if op is None or dtype not in op.supported_dtypes("cpu"):
        raise NotAskedError(f"torch {torch.__version__} has no {case.name} in {case.format}")

    def call(watching: Watching | None) -> None:
        drawn_ones = samples(op, dtype, case.seed)
        if not drawn_ones:
            raise NotAskedError("no samples")
        sample = drawn_ones[number % len(drawn_ones)]
        if case.regime != AS_GIVEN:
            in_regime(sample, case.regime, case.seed)
        if watching is None:
            forward_and_back(op, sample)
            return
        with watching:
            forward_and_back(op, sample)

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # PyTorch's own, of its samples
        watching = Watching()
        try:
            call(watching)
        except NotAskedError:
            raise
        except Exception:
            _plainly(lambda: call(None))
            raise
    return said(watching.result)


def judged_model(case: CampaignCase) -> CaseVerdict:
    """Two steps of a random model. Raises NotAskedError where PyTorch refuses it, UsageError."""
    if case.name not in FAMILIES:
        raise refused(case, "name", case.name)
    if case.regime not in HARD_REGIMES:
        raise refused(case, "regime", case.regime)
    layers = case.options.get("layers")
    if len(case.shape) != 1 or type(layers) is not int or case.options.keys() != {"layers"} or layers < 1:
        raise refused(case, "options", dict(case.options))
    try:
        model = drawn(
            case.seed,
            getattr(torch, case.format),
            family=case.name,
            batch=case.shape[0],
            layers=layers,
            regime=case.regime,
        )
    except RuntimeError as error:
        raise NotAskedError(f"PyTorch refuses it: {quoted(error)}") from error
    x, y = model.batch

    def train() -> None:
        for _ in range(STEPS):
            model.optimizer.zero_grad()
            torch.autograd.backward(model.loss(model.module(x), y))
            model.optimizer.step()

    watching = Watching(model.module, optimizer=model.optimizer)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            with watching:
                train()
        except Exception:
            _plainly(train)
            raise
    return said(watching.result)


def said(result: WatchResult) -> CaseVerdict:
    """What watching found, as a campaign says it; a formula of ours that failed is the verifier's alarm."""
    alarms = [
        Alarm(
            side="pytorch",
            formula=f"{wrong.check} {wrong.operand}".strip(),
            operation=wrong.operation,
            tensor=wrong.operand,
            index=tuple(wrong.index),
            found=wrong.observed,
            expected=wrong.expected,
            bound=wrong.bound,
            message=wrong.module,
            finding=None,
        )
        for wrong in result.wrong
    ]
    left = result.coverage.not_certified
    failed = [
        Alarm("verifier", "", one.operation, "", None, None, None, None, "a formula failed", None)
        for one in left
        if one.kind == "failed"
    ]
    nothing = ", ".join(sorted({one.operation for one in left})) if not result.numbers_compared else None
    return CaseVerdict(
        result.numbers_compared,
        result.undecided,
        [
            (row.worst_ratio, f"{row.operation} {row.check} {row.operand}")
            for row in result.rows
            if row.verdict != "mismatch"
        ],
        (*(replace(alarm, finding=known(alarm)) for alarm in alarms), *failed),
        nothing and f"not supported: {nothing}",
    )


def _plainly(run: object) -> None:
    """Run the same without us. Raises NotAskedError where PyTorch alone refuses it too."""
    assert callable(run)
    try:
        run()
    except Exception as error:
        raise NotAskedError(f"PyTorch refuses it: {type(error).__name__}: {quoted(error)}") from error
