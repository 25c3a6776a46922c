"""Converts LaTeX to a line of plain text, for terminals and for readers who cannot see MathML."""

from __future__ import annotations

import re
import unicodedata

from parity.render.graph.names import SUPERSCRIPT

_TOKEN = re.compile(r"\\[A-Za-z]+|\\.|\s+|.", re.DOTALL)
SIGNS = {
    "sum": "Σ", "prod": "Π", "odot": "⊙", "cdot": "·", "cdots": "…", "times": "×", "leftarrow": "←",
    "nabla": "∇", "partial": "∂", "infty": "∞", "le": "≤", "leq": "≤", "ge": "≥", "geq": "≥", "neq": "≠",
    "alpha": "α", "beta": "β", "gamma": "γ", "delta": "δ", "Delta": "Δ", "epsilon": "ε", "varepsilon": "ε",
    "eta": "η", "theta": "θ", "lambda": "λ", "mu": "μ", "pi": "π", "rho": "ρ", "sigma": "σ", "tau": "τ",
    "varphi": "φ", "phi": "φ", "Phi": "Φ", "psi": "ψ", "in": "∈", "top": "ᵀ", "quad": " ",
    ",": " ", ";": " ", ":": " ", " ": " ", "!": "", "left": "", "right": "", "lvert": "|", "rvert": "|",
    "{": "{", "}": "}", "textstyle": "", "dots": "…", "ldots": "…",
}  # fmt: skip
ACCENTS = {"hat": "\N{COMBINING CIRCUMFLEX ACCENT}", "bar": "\N{COMBINING MACRON}"}
VERBATIM = ("mathrm", "operatorname", "text", "mathbf", "mathit")
_ATOM = re.compile(r"[\w.ᵀ′⁰¹²³⁴-⁹⁽⁾\ue000-\uf8ff∂∇]*[\u0302\u0304]?")


def plain(latex: str) -> str:
    r"""``plain(r"(W^{(2)})^T \delta^{(2)} \odot f'(z^{(1)})") == "(W⁽²⁾)ᵀ δ⁽²⁾ ⊙ f′(z⁽¹⁾)"``."""
    reader = _Reader(_TOKEN.findall(latex))
    line = " ".join(reader.until("").split())
    line = re.sub(r" : (?=[;}])", " ", line).replace(" :}", " }")
    return unicodedata.normalize("NFC", re.sub(r" (?=[)}]|$)|(?<=[(]) ", "", line))


class _Reader:
    """Reads tokens from left to right; each command reads its own arguments."""

    def __init__(self, tokens: list[str]) -> None:
        self.tokens, self.at = tokens, 0

    def until(self, end: str) -> str:
        """The text up to the closing token, which is consumed, or to the end."""
        parts: list[str] = []
        while self.at < len(self.tokens):
            token = self._next()
            if token == end:
                break
            parts.append(self._written(token))
        return "".join(parts)

    def _next(self) -> str:
        token = self.tokens[self.at]
        self.at += 1
        return token

    def _argument(self) -> str:
        """A group in braces, or the one token that follows."""
        self._skip_blanks()
        return self._written(self._next()) if self.at < len(self.tokens) else ""

    def _skip_blanks(self) -> None:
        while self.at < len(self.tokens) and self.tokens[self.at].isspace():
            self.at += 1

    def _written(self, token: str) -> str:
        if token == "{":
            return self.until("}")
        if token == "^":
            return _raised(self._argument())
        if token == "_":
            lowered = self._argument()
            return f"_{_atom(lowered)}"
        if token.startswith("\\"):
            return self._command(token[1:])
        return {"'": "′", "-": "−", "&": " : "}.get(token, token)

    def _command(self, name: str) -> str:
        if name in ("frac", "tfrac", "dfrac"):
            above, below = self._argument(), self._argument()
            return f"{_atom(above)}/{_atom(below)} "
        if name == "sqrt":
            return f"√{_atom(self._argument())}"
        if name in ACCENTS:
            return self._argument() + ACCENTS[name]
        if name == "overline":
            return f"⟨{self._argument()}⟩"
        if name in VERBATIM:
            return self._argument()
        if name == "begin":
            kind = self._argument()
            return "{ " if kind == "cases" else ""
        if name == "end":
            return " }" if self._argument() == "cases" else ""
        if name == "\\":
            return " ; "
        if name in ("partial", "nabla"):
            self._skip_blanks()
        if name in ("sum", "prod"):
            return " " + SIGNS[name]
        return SIGNS.get(name, name)  # \max, \tanh, \log, …: their names


def _raised(exponent: str) -> str:
    """An exponent: ⁽¹⁾ for a layer, ᵀ, a small digit, or after a caret."""
    if exponent == "T":
        return "ᵀ"
    if re.fullmatch(r"\(\d+\)|\d", exponent):
        return exponent.replace("(", "⁽").replace(")", "⁾").translate(SUPERSCRIPT)
    if exponent.startswith("(") and exponent.endswith(")"):
        return f"^{exponent}"
    return f"^{_atom(exponent)}"


def _atom(text: str) -> str:
    """The text, in brackets unless it is a single symbol."""
    text = text.strip()
    layered = re.sub(r"\^\([lL]([+−]1)?\)", "", text)  # W^(l) is a single symbol
    return text if _ATOM.fullmatch(layered) else f"({text})"
