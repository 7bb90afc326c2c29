"""How losskit speaks: one warning class, and the nearest known name for a misspelt one."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class LosskitWarning(UserWarning):
    """Something losskit does that its caller may not expect."""


def nearest(word: str, known: Iterable[str]) -> str:
    """The end of a sentence: `; did you mean "smooth"?`, or a full stop where no known name is close."""
    matches = difflib.get_close_matches(word, list(known), n=1, cutoff=0.55)
    return f'; did you mean "{matches[0]}"?' if matches else "."


def shape(tensor: object) -> str:
    """A tensor's shape as PyTorch users write it: `(8, 1, 512, 512)`."""
    return str(tuple(tensor.shape)) if hasattr(tensor, "shape") else type(tensor).__name__
