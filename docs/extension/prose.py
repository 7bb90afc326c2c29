"""Plain text of docstrings and options as reStructuredText."""

from __future__ import annotations

import re


def prose(text: str) -> str:
    """Plain text as reStructuredText: shapes as code, and special characters escaped."""
    parts = re.split(r"(`+[^`]*`+)", text)
    parts[::2] = [re.sub(r"(\([A-Z][^()]*[,*][^()]*\))|([*|])", _marked, part) for part in parts[::2]]
    return "".join(parts)


def _marked(match: re.Match[str]) -> str:
    return f"``{match[1]}``".replace(" ", "\N{NO-BREAK SPACE}") if match[1] else f"\\{match[2]}"


def escape(_app: object, _what: str, _name: str, _object: object, _options: object, lines: list[str]) -> None:
    """Mark the shapes in a docstring, without its formulas and examples."""
    lines[:] = [line if line.startswith(("..", "    ")) else prose(line) for line in lines]
