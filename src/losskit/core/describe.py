"""What a loss's documentation says of itself, from its declaration: nothing here is typed twice."""

from __future__ import annotations

import functools
import inspect
import textwrap
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from losskit.core.loss import Loss


def describe(cls: type[Loss]) -> None:
    """Complete the class's docstring with its shapes and its options, their domains and defaults."""
    written = cls.__dict__.get("__doc__")
    if not written:
        return
    sections = [inspect.cleandoc(written), textwrap.fill(f"Shapes: {cls.shapes}", 116), "Options:", options_text(cls)]
    if cls.authority:
        sections.append(f"Held in the tests against: {cls.authority}.")
    cls.__doc__ = "\n\n".join(sections)
    cls.written_doc = inspect.cleandoc(written)


def options_text(cls: type[Loss]) -> str:
    """One line an option: name, default, domain, what it does."""
    lines = []
    for o in cls.options.values():
        line = f"- ``{o.name}`` = ``{o.default!r}``, {o.domain.text}" + (f": {o.doc}." if o.doc else ".")
        lines.append(_item(line))
    return "\n".join(lines)


@functools.cache  # most options are those of a kind, and wrapping them for every loss would show at import
def _item(line: str) -> str:
    return textwrap.fill(line, 116, subsequent_indent="  ")
