"""The text of a loss: its names, its documentation and its code, from which its claims are read."""

from __future__ import annotations

import ast
import functools
import inspect
import re
import textwrap
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from torch import nn


@dataclass(frozen=True)
class Text:
    """What is written about a loss and in it, in lower case unless stated."""

    names: str  # its own name and that of its file
    said: str  # docstrings and comments
    code: str  # its source, as written; empty if there is none

    @property
    def title(self) -> str:
        """The names as words, `GANHingeLoss` as `gan hinge loss`, before the documentation."""
        return f"{self.names} {self.said}"

    def claims(self, pattern: str) -> bool:
        """Whether the names or the documentation contain this."""
        return re.search(pattern, self.title) is not None

    def says(self, pattern: str) -> bool:
        """Whether the documentation contains this."""
        return re.search(pattern, self.said) is not None


def text_of(criterion: Callable[..., Any], name: str) -> Text:
    if isinstance(criterion, functools.partial):
        criterion = criterion.func
    owner: Any = type(criterion) if isinstance(criterion, nn.Module) else criterion
    code = _source(owner)
    docs = [getattr(owner, "__doc__", None), getattr(getattr(owner, "forward", None), "__doc__", None)]
    comments = re.findall(r"#\s*(.*)", code)
    module = inspect.getmodule(owner)
    stem = getattr(module, "__name__", "").rsplit(".", 1)[-1] if owner.__class__ is not functools.partial else ""
    spoken = "\n".join(each for each in [*docs, *comments] if each)
    return Text(f"{in_words(name)} {in_words(stem)}", spoken.lower(), code)


def in_words(name: str) -> str:
    """`GANHingeLoss`, `gan_hinge_loss` as `gan hinge loss`."""
    parted = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", " ", name)
    return re.sub(r"[^a-z0-9]+", " ", parted.lower()).strip()


def _source(owner: Any) -> str:
    try:
        return textwrap.dedent(inspect.getsource(owner))
    except (OSError, TypeError):
        return ""


def tree_of(code: str) -> ast.FunctionDef | None:
    """The function that is called: `forward` of a class, or the function itself."""
    try:
        parsed = ast.parse(code)
    except SyntaxError:
        return None
    functions = [node for node in ast.walk(parsed) if isinstance(node, ast.FunctionDef)]
    named = [each for each in functions if each.name in ("forward", "__call__")]
    top = [each for each in parsed.body if isinstance(each, ast.FunctionDef)]
    return next(iter([*named, *top]), None)
