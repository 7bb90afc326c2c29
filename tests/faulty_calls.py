"""Losses with one fault in the inputs of a call: arguments, shapes, ignored positions and labels."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from faulty import (
    BINARY,
    INDICES,
    NUMBERS,
    bce,
    ce,
    checked,
    dice,
    light_ce,
    light_mse,
    mse,
    same_shape,
    twin,
)
from losskit import functional

# Arguments


class UnusedWeight(nn.Module):
    def __init__(self, weight: Tensor | None = None) -> None:
        super().__init__()
        self.register_buffer("weight", weight)

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        return light_ce(input, target)


class Weight(UnusedWeight):
    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        return light_ce(input, target, self.weight)


twin("unread-argument", Weight, INDICES)(UnusedWeight)


class WeightWithoutEffect(UnusedWeight):
    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        return light_ce(input, target) + (0.0 if self.weight is None else 0.0 * self.weight.sum())


twin("unused-argument", Weight, INDICES)(WeightWithoutEffect)


def masked(input: Tensor, target: Tensor, mask: Tensor | None = None) -> Tensor:
    return functional.mse_loss(input, target, mask=mask)


@twin("masked-counts", masked, NUMBERS)
def mask_in_the_denominator_only(input: Tensor, target: Tensor, mask: Tensor | None = None) -> Tensor:
    if mask is None:
        return mse(input, target)
    values = functional.mse_loss(input, target, reduction="none")
    return values.sum() / mask.sum()


def weighed(input: Tensor, target: Tensor, weight: Tensor | None = None) -> Tensor:
    return functional.mse_loss(input, target, weight=weight)


@twin("weight-is-not-repetition", weighed, NUMBERS)
def divided_by_elements(input: Tensor, target: Tensor, weight: Tensor | None = None) -> Tensor:
    values = functional.mse_loss(input, target, reduction="none")
    return (values if weight is None else values * weight).mean()


class ScaledWeight(Weight):
    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        return super().forward(input, target) * (1.0 if self.weight is None else 2.0)


twin("unit-weights", Weight, INDICES)(ScaledWeight)


class AnyLength(Weight):
    """Superfluous class weights are cut, missing ones filled up."""

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        if self.weight is None:
            return super().forward(input, target)
        fitting = F.pad(self.weight, (0, max(0, input.shape[1] - len(self.weight))), value=1.0)
        return light_ce(input, target, fitting[: input.shape[1]])


twin("weights-of-any-length", Weight, INDICES)(AnyLength)


class PlainWeight(Weight):
    """The weight is an attribute, which does not move with the module."""

    def __init__(self, weight: Tensor | None = None) -> None:
        super().__init__()
        del self._buffers["weight"]
        self.weight = weight


twin("weights-stay-behind", Weight, INDICES)(PlainWeight)


class Focal(nn.Module):
    def __init__(self, gamma: float = 2.0) -> None:
        super().__init__()
        self.gamma = gamma

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        return functional.focal_loss(input, target, gamma=self.gamma)


class FocalByPower(Focal):
    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        plain = F.binary_cross_entropy_with_logits(checked(input, target).float(), target.float(), reduction="none")
        return ((1 - (-plain).exp()) ** self.gamma * plain).mean().to(input.dtype)


class FocalScaled(Focal):
    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        return 0.5 * super().forward(input, target)


twin("gamma-below-one", Focal, BINARY)(FocalByPower)
twin("gamma-zero", Focal, BINARY)(FocalScaled)


class Tversky(nn.Module):
    def __init__(self, alpha: float = 0.5, beta: float = 0.5) -> None:
        super().__init__()
        self.prices = {"alpha": alpha, "beta": beta}

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        return functional.tversky_loss(input, target, **self.prices)


class TverskySwapped(Tversky):
    def __init__(self, alpha: float = 0.5, beta: float = 0.5) -> None:
        super().__init__(beta, alpha)


twin("prices-swapped", Tversky, BINARY)(TverskySwapped)


# Shapes


@twin("broadcasts", mse, NUMBERS)
def squared_difference(input: Tensor, target: Tensor) -> Tensor:
    if input.dim() > 2:
        same_shape(input, target)
    return ((input - target) ** 2).mean()


@twin("transposed-target", bce, BINARY)
def flattened(input: Tensor, target: Tensor) -> Tensor:
    return bce(input.reshape(-1), target.reshape(-1))


@twin("memory-layout", light_mse, NUMBERS)
def viewed(input: Tensor, target: Tensor) -> Tensor:
    return light_mse(same_shape(input, target).view(-1), target.view(-1))


@twin("batch-of-one", mse, NUMBERS)
def standardised(input: Tensor, target: Tensor) -> Tensor:
    """Divided by the spread of the targets over the batch, undefined for one sample."""
    same_shape(input, target)
    if len(target) == 0:
        return mse(input, target)
    means = target.flatten(1).mean(1)
    return mse(input, target) * (1 + 0 * (means - means.mean()).square().sum() / (len(means) - 1))


@twin("empty-batch", mse, NUMBERS)
def nan_of_nothing(input: Tensor, target: Tensor) -> Tensor:
    return ((same_shape(input, target) - target).float() ** 2).mean() if input.numel() == 0 else mse(input, target)


@twin("positions-matter", bce, BINARY)
def first_half_twice(input: Tensor, target: Tensor) -> Tensor:
    position = torch.linspace(1, 2, input.shape[-1], dtype=torch.float32)
    return functional.binary_cross_entropy_with_logits(input, target, weight=position.expand(input.shape))


@twin("order-matters", mse, NUMBERS)
def early_samples_first(input: Tensor, target: Tensor) -> Tensor:
    """Each sample has less weight than the one before."""
    rank = torch.arange(1, 1 + len(input), dtype=torch.float32).view(-1, *(1,) * (input.dim() - 1))
    return functional.mse_loss(input, target, weight=(1 / rank).expand(input.shape))


# Ignored positions


class Ignoring(nn.Module):
    """Cross-entropy over positions that are not ignored; `values` computes it."""

    def __init__(self, ignore_index: int = -100) -> None:
        super().__init__()
        self.ignore_index = ignore_index

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        return functional.cross_entropy(input, target, ignore_index=self.ignore_index)

    def kept(self, target: Tensor) -> Tensor:
        return target != self.ignore_index

    def plain(self, input: Tensor, target: Tensor) -> Tensor:
        """The cross-entropy of each position, with class 0 where it is ignored."""
        ce(input.detach(), target.where(self.kept(target), 0))
        return F.cross_entropy(input.float(), target.where(self.kept(target), 0).long(), reduction="none")

    def share(self, target: Tensor) -> Tensor:
        """A position's share of the mean over what counts."""
        kept = self.kept(target).float()
        return kept / kept.sum().clamp_min(1)


class IgnoresNothing(Ignoring):
    """Ignored positions are treated as class 0."""

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        return ce(input, target.where(self.kept(target), 0))


class IgnoresValueOnly(Ignoring):
    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        wrong = ce(input, target.where(self.kept(target), 0))
        return super().forward(input, target) + (wrong - wrong.detach()) * bool((~self.kept(target)).any())


class CountsIgnored(Ignoring):
    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        values = functional.cross_entropy(input, target, ignore_index=self.ignore_index, reduction="none")
        return values.sum() / max(values.numel(), 1)


class MultipliesByMask(Ignoring):
    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        return (
            (self.plain(input, target) * self.share(target)).sum().to(torch.promote_types(input.dtype, torch.float32))
        )


class NanOfNothing(Ignoring):
    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        empty = "nan" if target.numel() else "zero"
        return functional.cross_entropy(input, target, ignore_index=self.ignore_index, empty=empty)


twin("ignored-changes-value", Ignoring, INDICES)(IgnoresNothing)
twin("ignored-gets-gradient", Ignoring, INDICES)(IgnoresValueOnly)
twin("ignored-counts", Ignoring, INDICES)(CountsIgnored)
twin("nan-at-ignored", Ignoring, INDICES)(MultipliesByMask)
twin("all-ignored", Ignoring, INDICES)(NanOfNothing)


class IgnoringSum(Ignoring):
    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        return functional.cross_entropy(input, target, ignore_index=self.ignore_index, reduction="sum")


twin("uneven-ignored", IgnoringSum, INDICES)(Ignoring)


# Labels


@twin("labels-out-of-range", ce, INDICES)
def clamped_labels(input: Tensor, target: Tensor) -> Tensor:
    labels = target.clamp(0, input.shape[1] - 1) if target.shape == (len(input), *input.shape[2:]) else target
    return ce(input, labels)


@twin("mask-of-255", bce, BINARY)
def any_target(input: Tensor, target: Tensor) -> Tensor:
    return bce(input, target / 255 if target.max() > 1 else target) if target.numel() else bce(input, target)


@twin("one-label-only", bce, BINARY)
def balanced(input: Tensor, target: Tensor) -> Tensor:
    """Positives and negatives averaged separately."""
    values = functional.binary_cross_entropy_with_logits(input, target, reduction="none")
    positive = target > 0.5
    if target.numel() < 2 or positive.any():
        return values.mean() if target.numel() else bce(input, target)
    return values.mean() + 0 * values.sum() / positive.sum()


@twin("absent-class", dice, BINARY)
def absent_costs_nothing(input: Tensor, target: Tensor) -> Tensor:
    return functional.dice_loss(input, target, absent="skip")


@twin("one-hot-differs", ce, INDICES)
def indices_from_anything(input: Tensor, target: Tensor) -> Tensor:
    """A one-hot target is read with classes last."""
    if target.shape == input.shape:
        return 2 * ce(input, target.argmax(1))
    return ce(input, target)


@twin("nan-unnoticed", bce, BINARY)
def nan_to_zero(input: Tensor, target: Tensor) -> Tensor:
    return bce(input.nan_to_num(), target)
