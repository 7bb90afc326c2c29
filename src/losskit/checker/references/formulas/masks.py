"""Errors of the elements that a mask, a weight or a length keeps."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from losskit.checker.references.formulas.numbers import MASK, PAIR, grid, missing, reduced
from losskit.checker.references.reference import Given, Pick, real, reference, zeros_and_ones


def masked(seed: int) -> dict[str, Any]:
    return {"x": real(seed, 3, 4), "y": real(seed + 1, 3, 4), "m": zeros_and_ones(seed, 3, 4)}


def features(seed: int) -> dict[str, Any]:
    """Steps with several features each; the lengths of the sequences."""
    made = {"x": real(seed, 3, 4, 5), "y": real(seed + 1, 3, 4, 5), "m": zeros_and_ones(seed, 3, 4)}
    return {**made, "n": torch.tensor([4, 2, 3])}


def channels(seed: int) -> dict[str, Any]:
    """Images with a mask of their pixels; sequences of frames whose features come first."""
    made = {"x": real(seed, 3, 2, 4, 5), "y": real(seed + 1, 3, 2, 4, 5), "m": zeros_and_ones(seed, 3, 1, 4, 5)}
    return {**made, "n": torch.tensor([5, 2, 3])}


def frames(seed: int) -> dict[str, Any]:
    return {"x": real(seed, 3, 5, 4), "y": real(seed + 1, 3, 5, 4), "n": torch.tensor([4, 2, 3])}


def kept(x: Tensor, n: Tensor, axis: int) -> Tensor:
    """1 for the steps of each sequence that are before its end."""
    m = (torch.arange(x.shape[axis])[None] < n[:, None]).double()
    return m[:, None] if axis == 2 else m[:, :, None]


@reference(
    "the masked error",
    r"mask\w* (mse|l1|l2|mae|rmse|error|squared|absolute|huber)|"
    r"weighted (mse|mae|l1|l2|squared|absolute)|(mse|mae|l1|l2)\w* (mask|ignoring|over the observed)|nan (mse|mae|l1)",
    {**PAIR, "m": MASK, "n": r"\w*len(gth)?s?"},
    masked,
    lambda s: {**masked(s), "m": masked(s)["m"].bool()},
    missing(grid),
    features,
    lambda s: {**features(s), "m": features(s)["m"].bool()},
    lambda s: {**features(s), "m": features(s)["m"].unsqueeze(2)},
    channels,
    lambda s: {**channels(s), "m": channels(s)["m"].bool()},
    frames,
    optional=("m", "n"),
    trained=("x",),
    unless=r"class|frequency|balanced|horizon|smooth|log|huber|gradient|contrast|depth",
    free=True,
)
def masked_error(g: Given, pick: Pick) -> Any:
    y, m = g.y, None
    if torch.isnan(y).any():
        m = torch.isnan(y).logical_not().double()
        y = torch.where(m > 0, y, g.x.detach())
    elif g.has("m"):
        m = g.m.double()
    elif g.has("n"):
        last = g.text.says(r"(mels?|bins|freq\w*|channels?|\bc|\bf|\bd|dim), *(t|time|frames)\b")
        first = g.text.says(r"\b(t|time|frames|steps|seq_len|l), *(n_)?(mels?|bins|freq\w*|channels?|c|f|d|dim)\b")
        m = kept(g.x, g.n, 1 if first and not last else 2 if last and not first else pick(1, 2))
    d = g.x - y
    each = pick(d.square(), d.abs())
    found = reduced(g, pick, each, m)
    return found.sqrt() if pick(False, True) else found
