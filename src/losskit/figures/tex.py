"""Formulas for terminals: the LaTeX of a docstring as a line of plain text."""

from __future__ import annotations

import re

_GREEK = (
    "alpha beta gamma delta epsilon varepsilon zeta eta theta kappa lambda mu nu xi pi rho sigma tau phi varphi chi "
    "psi omega"
)
_SYMBOLS = {
    **dict(zip(_GREEK.split(), "αβγδεεζηθκλμνξπρστφφχψω", strict=True)),
    "Gamma": "Γ", "Delta": "Δ", "Theta": "Θ", "Lambda": "Λ", "Sigma": "Σ", "Phi": "Φ", "Psi": "Ψ", "Omega": "Ω",
    "sum": "Σ", "prod": "Π", "int": "∫", "partial": "∂", "nabla": "∇", "infty": "∞", "in": "∈", "notin": "∉",
    "cdot": "·", "times": "×", "le": "≤", "leq": "≤", "ge": "≥", "geq": "≥", "ne": "≠", "neq": "≠", "approx": "≈",
    "pm": "±", "to": "→", "rightarrow": "→", "cap": "∩", "cup": "∪", "ldots": "...", "cdots": "...", "dots": "...",
    "langle": "⟨", "rangle": "⟩", "lfloor": "⌊", "rfloor": "⌋", "lVert": "‖", "rVert": "‖", "Vert": "‖", "|": "‖",
    "lvert": "|", "rvert": "|", "vert": "|", "mid": "|", "quad": "  ", "qquad": "    ", "ell": "l", "top": "T",
    "odot": "⊙", "circ": "∘", "sim": "~", "ast": "*", "star": "*", "{": "{", "}": "}", "%": "%", "_": "_", "#": "#",
    ",": " ", ";": " ", ":": " ", " ": " ", "!": "",
}  # fmt: skip
_DROPPED = {"left", "right", "big", "Big", "bigl", "bigr", "Bigl", "Bigr", "displaystyle", "limits", "nolimits"}
_BARE = {"mathrm", "mathbf", "mathcal", "mathbb", "mathit", "text", "textrm", "operatorname", "boldsymbol", "mathsf"}
_OVER = {"hat": "^", "tilde": "~", "bar": "‾", "overline": "‾", "vec": "→"}
_RAISED = dict(zip("0123456789+-in", "⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻ⁱⁿ", strict=True))
_TOKEN = re.compile(r"\\([A-Za-z]+\*?|.)|([{}^_&])|(\s+)|([^\\{}^_&\s]+)", re.DOTALL)


def readable(latex: str) -> str:
    r"""`\frac{2\,TP + s}{P + T + s}` as `(2 TP + s) / (P + T + s)`."""
    text = _Reader(latex).group(stop=None)
    text = re.sub(r"\s+", " ", text).replace("if else", "else")
    text = re.sub(r"(?<=[\w)])=(?=[^ ])", " = ", text)
    text = re.sub(r"(?<=[(\[]) | (?=[),;\]])|(?<=\b(?:log|exp|max|min|cos|sin|tan)) (?=\()", "", text)
    return re.sub(r"(?<=[)\]])(?=[a-z])", " ", text).strip()


def prose(text: str) -> str:
    """A paragraph of a docstring without its markup."""
    text = re.sub(r":math:`([^`]*)`", lambda match: readable(match[1]), text)
    return re.sub(r"(?::\w+:)?(`{1,2})([^`]*)\1", r"\2", text)


class _Reader:
    """The tokens of a formula, read from the left."""

    def __init__(self, latex: str) -> None:
        self.tokens = [match[0] for match in _TOKEN.finditer(latex)]
        self.position = 0
        self.cases = False  # inside an environment of cases

    def next(self) -> str | None:
        self.position += 1
        return self.tokens[self.position - 1] if self.position <= len(self.tokens) else None

    def group(self, stop: str | None) -> str:
        """The text up to `stop`."""
        text = ""
        while (piece := self.next()) is not None and piece != stop:
            text += self.read(piece)
        return text

    def argument(self) -> str:
        """The next argument of a command: a group in braces, or one piece."""
        while (piece := self.next()) is not None and piece.isspace():
            pass
        if piece is None:
            return ""
        if piece == "{":
            return self.group("}")
        if piece[0] != "\\" and len(piece) > 1:  # x^2y: the argument is the 2
            self.position -= 1
            self.tokens[self.position] = piece[1:]
            return piece[0]
        return self.read(piece)

    def is_factor(self) -> bool:
        """Whether a factor follows."""
        for piece in self.tokens[self.position :]:
            if not (piece.isspace() or piece in (r"\,", r"\;", r"\ ")):
                return piece[0] not in "+-=<>,;.)]}&|" and piece not in (r"\right", r"\\", r"\end", r"\le", r"\ge")
        return False

    def read(self, piece: str) -> str:
        if piece == "{":
            return self.group("}")
        if piece == "^":
            return _raised(self.argument().strip())
        if piece == "_":
            return _lowered(self.argument().strip())
        if piece == "&":
            return " if " if self.cases else " "
        return self.command(piece[1:]) if piece[0] == "\\" else piece

    def command(self, name: str) -> str:
        if name in ("frac", "dfrac", "tfrac"):
            top, bottom = self.argument().strip(), self.argument().strip()
            fraction = f"{_enclosed(top)} / {_enclosed(bottom)}"
            return f"({fraction})" if self.is_factor() else fraction
        if name == "sqrt":
            return f"√{_enclosed(self.argument().strip())}"
        if name in _OVER:
            return f"{self.argument().strip()}{_OVER[name]}"
        if name in _BARE or name == "operatorname*":
            return self.argument()
        if name in ("begin", "end"):
            environment = self.argument().strip()
            if environment == "cases":
                self.cases = name == "begin"
            return "{ " if self.cases and name == "begin" else " }" if environment == "cases" else ""
        if name == "\\":
            return "; "
        if name in _DROPPED:
            return ""
        return _SYMBOLS.get(name, f"{name} " if len(name) > 1 else name)


def _enclosed(text: str) -> str:
    """In parentheses, unless it is a single term."""
    return text if re.fullmatch(r"[\w.'^~‾⁰-⁹]+|(?:\([^()]*\)|\|[^|]*\|)[⁰-⁹¹²³]*", text) else f"({text})"


def _raised(text: str) -> str:
    if text and all(letter in _RAISED for letter in text):
        return "".join(_RAISED[letter] for letter in text)
    return f"^{_enclosed(text)}"


def _lowered(text: str) -> str:
    return f"_{text}" if re.fullmatch(r"\w+|[+-]", text) else f"_{{{text}}}"
