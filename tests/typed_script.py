"""A user's script, which test_typing.py gives to type checkers: errors stand exactly in the lines that say so."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

import losskit
from losskit import functional

if TYPE_CHECKING:
    from typing_extensions import assert_type


@losskit.regression_loss
def power_loss(input: Tensor, target: Tensor, power: losskit.Positive = 2.0) -> Tensor:
    return (input - target).abs() ** power


@losskit.classification_loss
def poly_loss(log_p: Tensor, epsilon: float = 1.0) -> Tensor:
    return -log_p + epsilon * (1 - log_p.exp())


@losskit.classification_loss
def z_loss(logits: Tensor, scale: float = 1.0) -> Tensor:
    return scale * logits.logsumexp(1) ** 2


@losskit.classification_loss
def both(log_p: Tensor, logits: Tensor, scale: float = 1.0) -> Tensor:
    return scale * log_p * logits.amax(1)


@losskit.region_loss
def smooth_dice(total: losskit.Totals, smooth: float = 1.0) -> Tensor:
    return 1 - (2 * total.tp + smooth) / (total.pred + total.target + smooth)


@losskit.loss
def triplet(anchor: Tensor, positive: Tensor, negative: Tensor, margin: float = 1.0) -> Tensor:
    return ((anchor - positive).abs().sum(-1) - (anchor - negative).abs().sum(-1) + margin).clamp_min(0)


@losskit.loss()
def size(output: Tensor, power: int = 2) -> Tensor:
    return output.abs().pow(power).flatten(1).mean(1)


def of_one(output: Tensor, power: float = 2.0) -> Tensor:
    return output.abs().pow(power).flatten(1).mean(1)


def of_two(output: Tensor, target: Tensor, power: float = 2.0) -> Tensor:
    return of_one(output - target, power)


def of_three(output: Tensor, target: Tensor, scale: Tensor, power: float = 2.0) -> Tensor:
    return of_two(output / scale, target / scale, power)


def of_four(output: Tensor, target: Tensor, scale: Tensor, shift: Tensor, power: float = 2.0) -> Tensor:
    return of_three(output + shift, target, scale, power)


one, one_called = losskit.loss(of_one), losskit.loss()(of_one)
two, two_called = losskit.loss(of_two), losskit.loss()(of_two)
three, three_called = losskit.loss(of_three), losskit.loss()(of_three)
four, four_called = losskit.loss(of_four), losskit.loss()(of_four)


@losskit.loss(batch=True)
def spread(output: Tensor, power: float = 2.0) -> Tensor:
    return output.std(0).pow(power).mean()


class Pinball(losskit.RegressionLoss):
    q: losskit.Fraction = 0.5

    def per_element(self, input: Tensor, target: Tensor) -> Tensor:
        return torch.maximum(self.q * (target - input), (self.q - 1) * (target - input))


class Boxes(losskit.MeanLoss):
    scale: float = 1.0

    def values(self, first: Tensor, second: Tensor) -> Tensor:
        return self.scale * (first - second).abs().sum(-1)


x, y, w = torch.randn(4, 3), torch.randn(4, 3), torch.rand(4, 3)
logits, labels = torch.randn(4, 3, 8), torch.randint(3, (4, 8))
if TYPE_CHECKING:
    assert_type(power_loss(x, y), Tensor)
    assert_type(power_loss.Module(power=3.0), losskit.RegressionLoss)
    assert_type(poly_loss.Module(), losskit.ClassificationLoss)
    assert_type(smooth_dice.Module(), losskit.RegionLoss)
    assert_type(triplet.Module(margin=2.0), losskit.MeanLoss)

power_loss(x, y, w, power=3.0, reduction="none")
power_loss(input=x, target=y, mask=w > 0.5, normalizer=3)
power_loss.Module(power=3.0, reduction="sum", empty="nan")
poly_loss(logits, labels, epsilon=2.0, ignore_index=255, class_weight=[1.0, 2.0, 3.0], label_smoothing=0.1)
poly_loss.Module(epsilon=2.0, mode="multilabel", from_logits=False)
z_loss(logits, labels, scale=2.0, ignore_index=0, normalizer=torch.tensor(3))
both.Module(scale=2.0, class_weight=torch.ones(3))
smooth_dice(logits, labels, smooth=0.5, pool="batch", classes=[1], include_background=False)
smooth_dice.Module(smooth=0.5, absent="skip", overlap="l1")
triplet(x, y, w, margin=0.5, weight=torch.rand(4), reduction="sum")
size(x, power=1)
size.Module(power=3, reduction="sum")
one(x, power=1.0), one_called(x, power=1.0)
two(x, y, power=1.0), two_called(x, y, power=1.0)
three(x, y, w, power=1.0), three_called(x, y, w, power=1.0)
four(x, y, w, x, power=1.0), four_called(x, y, w, x, power=1.0)
spread(x, power=1.0)
Pinball(q=0.9, reduction="sum")
Boxes(scale=2.0, reduction="none")
losskit.DiceCELoss(dice_weight=2.0, reduction="sum")
functional.dice_loss(logits, labels, smooth=1.0, reduction="none")

power_loss(x)  # error
power_loss(x, y, powr=3.0)  # error
power_loss(x, y, power="3")  # error
power_loss(x, y, reduction="men")  # error
power_loss.Module(powr=3.0)  # error
power_loss.Module(power=3.0, mode="multilabel")  # error
poly_loss(logits, labels, epsilon=None)  # error
poly_loss(logits, labels, mode="binary")  # error
poly_loss.Module(scale=1.0)  # error
z_loss(logits, labels, from_logits=False)  # error
z_loss.Module(epsilon=1.0)  # error
both(logits, labels, scale="1")  # error
smooth_dice(logits, labels, pool="image")  # error
smooth_dice.Module(smoth=1.0)  # error
triplet(x, y)  # error
triplet(x, y, w, margn=1.0)  # error
triplet.Module(margin="1")  # error
size(x, powr=1)  # error
one(x, powr=1.0)  # error
one_called(x, powr=1.0)  # error
two(x, y, powr=1.0)  # error
two_called(x, y, powr=1.0)  # error
two(x)  # error
three(x, y, w, powr=1.0)  # error
three_called(x, y, w, powr=1.0)  # error
four(x, y, w, x, powr=1.0)  # error
four_called(x, y, w, x, powr=1.0)  # error
four.Module(power="1")  # error
spread(x, weight=w)  # error
Pinball(p=0.9)  # error
Boxes(reduction="men")  # error
losskit.DiceCELoss(reduction="none")  # error
losskit.ComboLoss(reduction="none")  # error
functional.dice_bce_loss(x, y, reduction="none")  # error
