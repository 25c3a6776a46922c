"""A result as a notebook shows it: the verdict and the table, without steps, which it does not hold."""

from __future__ import annotations

from markupsafe import Markup, escape

from parity.lockstep.result import Result
from parity.render.numbers import code
from parity.report.bilingual import one


def fragment(result: Result, lang: str = "en") -> str:
    """Verdict and a row a formula, side and layer, as an HTML fragment that brings no style or script."""
    heads = Markup("").join(
        Markup('<th scope="col">{}</th>').format(one(key, lang))
        for key in ("run.slide", "run.formula", "run.layer", "page.side", "page.verdict", "page.share_used")
    )
    rows = Markup("").join(
        Markup(
            '<tr><td>{}</td><th scope="row">{}</th><td>{}</td><td>{}</td><td>{}</td><td>{}</td></tr>'
        ).format(
            row.slide,
            row.formula,
            row.layer,
            row.side,
            one(f"run.{row.verdict}", lang),
            code(row.worst_ratio, 3),
        )
        for row in result.formulas
    )
    verdict = one(f"run.verdict_{result.verdict}", lang, steps=result.steps)
    complaint = result.first_divergence.complaint if result.first_divergence else None
    said = Markup("<pre>{}</pre>").format(complaint) if complaint else Markup("")
    return str(
        Markup("<p><b>{}</b></p>{}<table><tr>{}</tr>{}</table>").format(escape(verdict), said, heads, rows)
    )
