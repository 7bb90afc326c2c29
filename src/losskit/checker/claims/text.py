"""The text of a loss: its names, its documentation and its code, from which its claims are read."""

from __future__ import annotations

import functools
import inspect
import re
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Any

from losskit.checker.uses import source_of


@dataclass(frozen=True)
class Text:
    """What is written about a loss and in it, in lower case unless stated."""

    names: str  # its own name and that of its file
    said: str  # docstrings and comments
    code: str  # its source, as written; empty if there is none
    name: str = ""  # its own name

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
    owner: Any = criterion if inspect.isroutine(criterion) or isinstance(criterion, type) else type(criterion)
    return _text(owner, name) if isinstance(owner, Hashable) else _text.__wrapped__(owner, name)


@functools.lru_cache(maxsize=64)
def _text(owner: Any, name: str) -> Text:
    code = source_of(owner)
    docs = [getattr(owner, "__doc__", None), getattr(getattr(owner, "forward", None), "__doc__", None)]
    comments = re.findall(r"#\s*(.*)", code)
    module = inspect.getmodule(owner)
    stem = getattr(module, "__name__", "").rsplit(".", 1)[-1] if owner.__class__ is not functools.partial else ""
    stem = re.sub(r"_[0-9a-f]{8}$", "", stem)  # what makes the name of the module of a file unique
    spoken = "\n".join(each for each in [*docs, *comments] if each)
    own = in_words(name)
    return Text(f"{own} {in_words(stem)}", spoken.lower(), code, own)


def in_words(name: str) -> str:
    """`GANHingeLoss`, `gan_hinge_loss` as `gan hinge loss`."""
    parted = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", " ", name)
    return re.sub(r"[^a-z0-9]+", " ", parted.lower()).strip()


_SCORES = (
    r"iou|jaccard|dice|f1|f_?beta|score|coef\w*|index|ssim|psnr|accuracy|precision|recall|similarity|log_?p(rob)?s?"
)


def is_score(name: str) -> bool:
    """Whether the name is that of a score, which is high for a correct prediction."""
    own = in_words(name)
    return re.search(rf"\b({_SCORES})$", own) is not None and re.search(r"loss|criteri|distance", own) is None
