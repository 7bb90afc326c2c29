"""The rule of every mean: the weighted sum over what counts, divided by the weight of what counts."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from losskit.core.domains import Reduction
from losskit.ops import reference, values
from losskit.ops.inputs import can_branch, computing_dtype, summing_dtype

Empty = Literal["zero", "nan", "raise"]


def divide(numerator: Tensor, denominator: Tensor, empty: Empty, owner: str) -> Tensor:
    """`numerator / denominator`; where nothing counts, what `empty` selects: 0 with a zero gradient, NaN, an error."""
    if never_zero(denominator):
        return numerator / denominator
    nothing = denominator == 0
    if empty == "raise" and not torch.compiler.is_compiling() and bool(nothing.any()):
        raise ValueError(
            f"{owner}: nothing counts: every element is masked out, ignored or absent. Leave the batch out, or pass "
            "empty='zero'."
        )
    quotient = numerator / torch.where(nothing, 1.0, denominator)
    return torch.where(nothing, torch.nan if empty == "nan" else numerator * 0.0, quotient)


def check_size(size: Tensor, owner: str) -> None:
    """Raise an error if no mean can have these weights, where Python may read them; elsewhere the mean is NaN."""
    if can_branch(size) and bool(size.detach().isnan().any()):
        raise ValueError(values.weight_message(owner))


def never_zero(tensor: Tensor) -> bool:
    """Whether Python may read the values and none is zero, so that the division needs no guard."""
    if not can_branch(tensor):
        return False
    return tensor.item() != 0 if tensor.numel() == 1 else bool(tensor.detach().all())


def reduce(
    value: Tensor,
    share: Tensor,
    reduction: Reduction,
    empty: Empty,
    owner: str,
    normalizer: float | Tensor | None = None,
) -> Tensor:
    """Reduce weighted values and their weights, as `weighted` returns them."""
    if normalizer is not None and reduction != "mean":
        raise TypeError(
            f"{owner}: normalizer= replaces the denominator of a mean, and reduction={reduction!r} has none. Leave one "
            "of them out."
        )
    if reduction == "none":
        return value
    if reduction == "sum":
        return total(value).to(value.dtype)
    numerator = total(value)
    if normalizer is None:
        denominator = size_of(share)
        check_size(denominator, owner)
    else:
        denominator = torch.as_tensor(normalizer).to(numerator)
    return divide(numerator, denominator, empty, owner).to(value.dtype)


def result_dtype(input: Tensor) -> torch.dtype:
    """The precision of the result follows the input: half and single in, single out; double in, double out."""
    return computing_dtype(input)


def weighted(values: Tensor, weight: Tensor | None, counts: Tensor | None) -> tuple[Tensor, Tensor]:
    """Each element's weighted value, and its weight; both 0 where it does not count."""
    share = values.new_ones(()) if weight is None else weight.to(values.dtype)
    if counts is not None:
        share = torch.where(counts, share, 0.0)
        values = torch.where(counts, values, 0.0)
    return values * share, share.expand(values.shape)


def total(tensor: Tensor) -> Tensor:
    return tensor.sum(dtype=summing_dtype(tensor))


def size_of(share: Tensor) -> Tensor:
    """The denominator of a mean: the sum of the weights, or NaN if no mean can have these weights."""
    equal = not any(share.stride())  # no weight was given
    return reference.sized(total(share), None if equal else share, share)
