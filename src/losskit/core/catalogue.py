"""The catalogue: every loss by name. Defining a loss class registers it; there is no list to edit."""

from __future__ import annotations

import functools
import inspect
import re
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from losskit.core import elsewhere
from losskit.core.domains import nearest, quoted

if TYPE_CHECKING:
    from losskit.core.loss import Loss

_OURS = "losskit.losses."
_classes: dict[str, type[Loss]] = {}


@dataclass(frozen=True)
class Entry:
    """One loss of the catalogue."""

    name: str  # of the function form
    loss: type[Loss]

    @property
    def family(self) -> str:
        module = self.loss.__module__
        return module.removeprefix(_OURS).split(".")[0] if module.startswith(_OURS) else "your own"

    @property
    def authority(self) -> str:
        """What the numbers are tested against; empty for user-defined losses."""
        return self.loss.authority

    @property
    def summary(self) -> str:
        return (self.loss.__doc__ or "").strip().split("\n")[0]


def register(cls: type[Loss]) -> None:
    """Register a class under its function's name; a user-defined class never replaces a built-in one."""
    if cls.__module__.startswith("losskit.") and not cls.__module__.startswith(_OURS):
        return  # base classes and wrappers
    if cls.__name__.startswith("_") or cls.__dict__.get("abstract"):
        return
    name = function_name(cls)
    taken = _classes.get(name)
    if taken is None or not taken.__module__.startswith(_OURS):
        _classes[name] = cls
        _by_alias.cache_clear()


def function_name(cls: type[Loss]) -> str:
    """The function form's name: PyTorch's where it has one, else the class name in snake case."""
    given = cls.__dict__.get("function_name")
    return given if isinstance(given, str) else snake_case(cls.__name__)


def short_name(cls: type) -> str:
    """The usual short name: dice, iou, bce, focal, mse."""
    given = cls.__dict__.get("short_name")
    if isinstance(given, str):
        return given
    return re.sub(r"_?(loss|with_logits)$", "", snake_case(cls.__name__)) or snake_case(cls.__name__)


def snake_case(name: str) -> str:
    name = re.sub(r"([a-z0-9])([A-Z])", r"\1_\2", name)
    return re.sub(r"([A-Z]+)([A-Z][a-z])", r"\1_\2", name).lower()


def entries(family: str | None = None) -> Iterator[Entry]:
    """Every loss, or those of a family, by name."""
    for name, cls in sorted(_classes.items()):
        entry = Entry(name, cls)
        if family is None or entry.family == family:
            yield entry


def names_of(cls: type[Loss]) -> list[str]:
    """Every name of a class: function, class, short name and aliases."""
    also = cls.__dict__.get("also_called", ())
    return [function_name(cls), cls.__name__, short_name(cls), *also]


@functools.cache  # until a class is registered
def _by_alias() -> dict[str, Entry]:
    """Every loss by each of its names."""
    known: dict[str, Entry] = {}
    for entry in sorted(entries(), key=lambda entry: not entry.loss.__module__.startswith(_OURS)):  # ours first
        for alias in names_of(entry.loss):
            known.setdefault(alias, entry)
    return known


def find(name: str) -> Entry:
    """The loss of this name: its class, function, short name or alias."""
    known = _by_alias()
    if name not in known:
        lower = {alias.lower(): alias for alias in known}
        if name.lower() in lower:
            return known[lower[name.lower()]]
        there = elsewhere.answer(name)
        hint = nearest(name, known) if there is None else f": {there}."
        raise ValueError(f"There is no loss called {quoted(name)}{hint} `losskit list` names them all.")
    return known[name]


# Documentation generated from the declaration of a loss.


def describe(cls: type[Loss]) -> None:
    """Complete the class's docstring with its shapes and its options, their domains and defaults."""
    written = cls.__dict__.get("__doc__")
    if not written:
        return
    cls.written_doc, _, example = inspect.cleandoc(written).partition("\n\nExample:\n")
    cls.example = textwrap.dedent(example)
    sections = [inspect.cleandoc(written), textwrap.fill(f"Shapes: {cls.shapes}", 116), "Options:", options_text(cls)]
    if cls.authority:
        sections.append(f"Tested against: {cls.authority}.")
    cls.__doc__ = "\n\n".join(sections)


def options_text(cls: type[Loss]) -> str:
    """One line per option: name, default, domain and meaning."""
    lines = []
    for o in cls.options.values():
        line = f"- ``{o.name}`` = ``{o.default!r}``, {o.domain.text}" + (f": {o.doc}." if o.doc else ".")
        lines.append(_item(line))
    return "\n".join(lines)


@functools.cache  # most options are inherited; wrapping them again for every loss would slow the import
def _item(line: str) -> str:
    return textwrap.fill(line, 116, subsequent_indent="  ")
