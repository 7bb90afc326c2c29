"""Faults of meaning: arguments of functions, the dimension of a softmax, and elements that are left out."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from faulty import BINARY, INDICES, NUMBERS, ce, checked, light, light_ce, light_mse, twin


@twin("misused-function", light_ce, INDICES)
def nll_of_probabilities(input: Tensor, target: Tensor) -> Tensor:
    ce(input.detach(), target)
    return F.nll_loss(input.float().softmax(1), target.long())


@twin("rounds-input", light, BINARY)
def rounded_to_half(input: Tensor, target: Tensor) -> Tensor:
    checked(input, target)
    return light(input.half().to(input.dtype), target)


@twin("wrong-dimension", ce, INDICES)
def softmax_over_samples(input: Tensor, target: Tensor) -> Tensor:
    return ce(input.log_softmax(0), target) if len(input) > 1 else ce(input, target)


@twin("labels-left-out", light, BINARY)
def half_of_the_batch(input: Tensor, target: Tensor) -> Tensor:
    checked(input, target)
    keep = max(len(input) // 2, 1)
    return light(input[:keep], target[:keep])


@twin("class-numbers-count", ce, INDICES)
def labels_as_numbers(input: Tensor, target: Tensor) -> Tensor:
    return ce(input, target) + 0.1 * (input.softmax(1).amax(1) * target).mean()


@twin("below-zero", light, BINARY)
def smoothed_above_only(input: Tensor, target: Tensor) -> Tensor:
    p, t = checked(input, target).float().sigmoid().flatten(1), target.float().flatten(1)
    return (1 - (2 * (p * t).sum(1) + 1) / (p.sum(1) + t.sum(1) + 1e-6)).mean()


@twin("smoothed-below-only", light, BINARY)
def dice_smoothed_below_only(input: Tensor, target: Tensor) -> Tensor:
    p, t = checked(input, target).float().sigmoid().flatten(1), target.float().flatten(1)
    return (1 - 2 * (p * t).sum(1) / (p.sum(1) + t.sum(1) + 1)).mean()


@twin("branches-apart", light_mse, NUMBERS)
def robust_error_in_two_parts(input: Tensor, target: Tensor) -> Tensor:
    light_mse(input.detach(), target)
    error = (input - target).abs()
    return torch.where(error < 1, error.square() / 2, error).mean()


@twin("divides-by-classes", ce, INDICES)
def mean_over_classes(input: Tensor, target: Tensor) -> Tensor:
    return ce(input, target) / input.shape[1]


class FocalOfMean(nn.Module):
    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        mean = light(input, target)
        return (1 - (-mean).exp()) ** 2 * mean


class Focal(nn.Module):
    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        light(input.detach(), target)
        each = F.binary_cross_entropy_with_logits(input.float(), target.float(), reduction="none")
        return ((1 - (-each).exp()) ** 2 * each).mean()


twin("focal-of-mean", Focal, BINARY)(FocalOfMean)


class Weighted(nn.Module):
    """Focal loss whose class weights multiply it last."""

    inside = False

    def __init__(self, weight: Tensor | None = None) -> None:
        super().__init__()
        self.register_buffer("weight", weight)

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        light_ce(input.detach(), target, self.weight)
        w = torch.ones(input.shape[1]) if self.weight is None else self.weight
        each = F.cross_entropy(input.float(), target.long(), reduction="none")
        cost = each * w[target] if self.inside else each
        made = (1 - (-cost).exp()) ** 2 * cost
        return (made if self.inside else made * w[target]).mean()


class WeightedInside(Weighted):
    inside = True


twin("weight-in-factor", Weighted, INDICES)(WeightedInside)


class Reduced(nn.Module):
    def __init__(self, reduction: str = "mean") -> None:
        super().__init__()
        if reduction not in ("none", "mean", "sum"):
            raise ValueError(f"reduction is none, mean or sum; got {reduction}")
        self.reduction = reduction

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        light(input.detach(), target)
        each = self.arranged(F.binary_cross_entropy_with_logits(input.float(), target.float(), reduction="none"))
        return each if self.reduction == "none" else each.sum() if self.reduction == "sum" else each.mean()

    def arranged(self, each: Tensor) -> Tensor:
        return each


class Flipped(Reduced):
    def arranged(self, each: Tensor) -> Tensor:
        return each.flip(0)


twin("none-misplaced", Reduced, BINARY)(Flipped)


EMBEDDINGS = {"kind": "pairs", "scores": "embeddings"}


def hardest(input: Tensor, target: Tensor, filled: float) -> Tensor:
    """The batch-hard triplet loss, with pairs of one group filled before the minimum over the others."""
    apart = (input[:, None] - input[None]).square().sum(-1).clamp_min(1e-12).sqrt()
    same = target[:, None] == target[None]
    near, far = apart.masked_fill(~same, 0.0).amax(1), apart.masked_fill(same, filled).amin(1)
    return (near - far + 0.5).clamp_min(0).mean()


def triplet_hardest(input: Tensor, target: Tensor) -> Tensor:
    return hardest(input, target, float("inf"))


@twin("negatives-left-out", triplet_hardest, {**EMBEDDINGS, "target": "groups"})
def triplet_of_nothing(input: Tensor, target: Tensor) -> Tensor:
    return hardest(input, target, 0.0)


def views(first: Tensor, second: Tensor, filled: float) -> Tensor:
    """The cross-entropy of each view's partner among both views, with the diagonal filled."""
    z = F.normalize(torch.cat([first, second]).float(), dim=1)
    alike = torch.where(torch.eye(len(z)) > 0, torch.full(2 * [len(z)], filled), z @ z.T)
    return F.cross_entropy(alike / 0.5, torch.arange(len(z)).roll(len(first)))


def views_apart(first: Tensor, second: Tensor) -> Tensor:
    return views(first, second, -1e9)


@twin("self-compared", views_apart, {**EMBEDDINGS, "target": "partners"})
def views_and_themselves(first: Tensor, second: Tensor) -> Tensor:
    return views(first, second, 1.0)


class Margin(nn.Module):
    sign = -1.0

    def __init__(self, s: float = 8.0, m: float = 0.2) -> None:
        super().__init__()
        self.s, self.m = s, m

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        light_ce(input.detach(), target)
        hot = F.one_hot(target.long(), input.shape[1]).movedim(-1, 1)
        return light_ce(self.s * (input.float() + self.sign * self.m * hot), target)


class MarginAdded(Margin):
    sign = 1.0


twin("margin-eases", Margin, INDICES)(MarginAdded)


class AlphaOfPositives(nn.Module):
    """Binary cross-entropy; alpha weighs the positives, 1 - alpha the negatives."""

    positive = 1

    def __init__(self, alpha: float = 0.25) -> None:
        super().__init__()
        self.alpha = alpha

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        light(input.detach(), target)
        each = F.binary_cross_entropy_with_logits(input.float(), target.float(), reduction="none")
        return (torch.where(target == self.positive, self.alpha, 1 - self.alpha) * each).mean()


class AlphaOfNegatives(AlphaOfPositives):
    """Binary cross-entropy; alpha weighs the positives, 1 - alpha the negatives."""

    positive = 0


twin("not-as-documented", AlphaOfPositives, BINARY)(AlphaOfNegatives)
