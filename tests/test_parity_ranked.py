"""The Lovász loss against kornia, segmentation_models_pytorch and toolbelt: value and gradient."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from losskit import LovaszLoss
from peers import SINGLE, agree, binary, multiclass, peer

PER_IMAGE = {"sample": True, "batch": False}  # what smp and toolbelt call each pool
CLASS_WEIGHT = torch.tensor([0.5, 2.0, 1.0, 3.0], dtype=torch.float64)

pools = pytest.mark.parametrize("pool", PER_IMAGE)


def in_single(loss: Any) -> Any:
    """smp and toolbelt rank float32 alone."""
    return lambda x, t: loss(x.float(), t)


def lacking() -> list[Tensor]:
    """Targets with every class, without class 3 in one image, and without it in all."""
    _, target = multiclass()
    one, all_ = target.clone(), target.clone()
    one[0][one[0] == 3] = 0
    all_[all_ == 3] = 0
    return [target, one, all_]


def test_hinge_is_kornia() -> None:
    logits, target = binary()
    kornia = peer("kornia").LovaszHingeLoss()
    for labels in (target, torch.zeros_like(target), torch.ones_like(target)):
        agree(LovaszLoss(), lambda x, t: kornia(x, t.squeeze(1)), logits, labels)


@pools
def test_hinge_is_smp_and_toolbelt(pool: Any) -> None:
    logits, target = binary()
    smp = peer("smp").LovaszLoss("binary", per_image=PER_IMAGE[pool])
    toolbelt = peer("toolbelt").BinaryLovaszLoss(per_image=PER_IMAGE[pool])
    for labels in (target, torch.zeros_like(target)):
        for theirs in (smp, toolbelt):
            agree(LovaszLoss(pool=pool), in_single(theirs), logits, labels, tolerance=SINGLE)


def test_hinges_of_labels_are_the_mean_over_channels() -> None:
    """smp's own multi-label mode ranks all channels as one."""
    logits, target = binary((3, 4, 6, 5))
    smp = peer("smp").LovaszLoss("binary", per_image=True)

    def channels(x: Tensor, t: Tensor) -> Tensor:
        return torch.stack([smp(x[:, c], t[:, c]) for c in range(4)]).mean()

    agree(LovaszLoss(mode="multilabel"), in_single(channels), logits, target, tolerance=SINGLE)


@pytest.mark.parametrize("lacks", [0, 1, 2])
def test_softmax_over_all_classes_is_kornia(lacks: int) -> None:
    logits, target = multiclass()[0], lacking()[lacks]
    agree(LovaszLoss(classes="all"), peer("kornia").LovaszSoftmaxLoss(), logits, target)
    weighted = peer("kornia").LovaszSoftmaxLoss(weight=CLASS_WEIGHT)  # multiplied by the weight, divided by C
    ours = LovaszLoss(classes="all", class_weight=CLASS_WEIGHT)
    agree(ours, lambda x, t: weighted(x, t) * 4 / CLASS_WEIGHT.sum(), logits, target)


@pools
@pytest.mark.parametrize("lacks", [0, 1, 2])
def test_softmax_over_present_classes_is_smp_and_toolbelt(pool: Any, lacks: int) -> None:
    """toolbelt's takes probabilities."""
    logits, target = multiclass()[0], lacking()[lacks]
    smp = peer("smp").LovaszLoss("multiclass", per_image=PER_IMAGE[pool])
    agree(LovaszLoss(pool=pool), in_single(smp), logits, target, tolerance=SINGLE)
    toolbelt = peer("toolbelt").LovaszLoss(per_image=PER_IMAGE[pool])
    ours = LovaszLoss(pool=pool, from_logits=False)
    agree(ours, in_single(toolbelt), logits.softmax(1), target, tolerance=SINGLE)


@pools
def test_ignored_pixels_are_smp(pool: Any) -> None:
    logits, target = multiclass()
    target[:, 3:] = 255
    smp = peer("smp").LovaszLoss("multiclass", per_image=PER_IMAGE[pool], ignore_index=255)
    agree(LovaszLoss(pool=pool, ignore_index=255), in_single(smp), logits, target, tolerance=SINGLE)
    logits, target = binary()
    target[..., 3:] = 255
    smp = peer("smp").LovaszLoss("binary", per_image=PER_IMAGE[pool], ignore_index=255)
    agree(LovaszLoss(pool=pool, ignore_index=255), in_single(smp), logits, target, tolerance=SINGLE)


@pytest.mark.parametrize("shape", [(2, 3, 7), (2, 3, 2, 3, 4)])
def test_other_dimensions_are_images_reshaped(shape: tuple[int, ...]) -> None:
    logits, target = multiclass(shape)
    kornia = peer("kornia").LovaszSoftmaxLoss()

    def as_image(x: Tensor, t: Tensor) -> Tensor:
        value: Tensor = kornia(x.flatten(2).unsqueeze(2), t.flatten(1).unsqueeze(1))
        return value

    agree(LovaszLoss(classes="all"), as_image, logits, target)
