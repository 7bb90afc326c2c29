"""Helpers for messages: the warning class, the nearest known name, and values and shapes as text."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

from torch import Tensor

from losskit.ops.native import LosskitWarning as LosskitWarning

_WIDEST = 100  # characters of a value in a message


def nearest(word: str, known: Iterable[str]) -> str:
    """The end of a sentence: `; did you mean "smooth"?`, or a full stop where no known name is close."""
    if len(word) > _WIDEST:
        return "."
    matches = difflib.get_close_matches(word, list(known), n=1, cutoff=0.55)
    return f'; did you mean "{matches[0]}"?' if matches else "."


def quoted(value: object) -> str:
    """The repr of a value on one line, truncated if it is long."""
    text = " ".join(repr(value).split())
    return text if len(text) <= _WIDEST else f"{text[: _WIDEST - 4]} ..."


def shape(tensor: object) -> str:
    """A tensor's shape as PyTorch users write it: `(8, 1, 512, 512)`."""
    return str(tuple(tensor.shape)) if hasattr(tensor, "shape") else type(tensor).__name__


def check_returned(owner: str, method: str, value: object, expected: tuple[int, ...]) -> Tensor:
    """The value that a user-defined formula returned; raises an error with advice if it is no tensor of this shape."""
    if not isinstance(value, Tensor):
        raise TypeError(
            f"{owner}: {method} must return a tensor of shape {expected}, one number per element; got "
            f"{type(value).__name__}. Return the tensor itself, without .item() or a Python number."
        )
    if tuple(value.shape) != expected:
        advice = (
            "Return the values unreduced: leave out .mean() and .sum(); reduction= does that."
            if value.dim() < len(expected)
            else "Keep one number per element."
        )
        raise ValueError(f"{owner}: {method} must return shape {expected}; got {shape(value)}. {advice}")
    return value
