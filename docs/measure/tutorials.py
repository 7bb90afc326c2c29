"""The mistakes of the tutorial snippets in numbers, and the results of losskit on the same tensors."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

import losskit
from losskit import functional
from measure import snippets


def gradient(loss: Callable[..., Tensor], input: Tensor, *others: Any) -> Tensor:
    """The gradient of a loss with respect to its input."""
    x = input.detach().clone().requires_grad_()
    loss(x, *others).backward()
    assert x.grad is not None
    return x.grad


def refusal(call: Callable[[], object]) -> str:
    """The message of the error that the call must raise."""
    try:
        call()
    except (TypeError, ValueError, RuntimeError) as error:
        return f"{type(error).__name__}: {error}"
    raise AssertionError("the call raised no error")


def logits(prediction: Tensor, sure: float = 20.0) -> Tensor:
    """Confident logits of a 0/1 prediction."""
    return sure * (2 * prediction - 1)


def square(size: int, side: int, at: int = 0) -> Tensor:
    """An image (1, size, size) with one square object."""
    image = torch.zeros(1, size, size)
    image[:, at : at + side, at : at + side] = 1
    return image


def _mse() -> SimpleNamespace:
    target = torch.arange(8.0)
    output = target.unsqueeze(1) + 0.1
    slope = gradient(snippets.mse, output, target)
    return SimpleNamespace(
        true=functional.mse_loss(output, target.unsqueeze(1)).item(),
        snippet=snippets.mse(output, target).item(),
        best=snippets.mse(torch.full_like(output, target.mean()), target).item(),
        first=slope[0].item(),
        true_first=gradient(functional.mse_loss, output, target.unsqueeze(1))[0].item(),
        refusal=refusal(lambda: functional.mse_loss(output, target)),
    )


def _dice() -> SimpleNamespace:
    theirs, ours = snippets.DiceLoss(), losskit.DiceLoss()
    # One image with a large object, segmented; one with a small object, missed.
    target = torch.stack([square(64, 40), square(64, 4)])
    found = logits(torch.stack([square(64, 40), torch.zeros(1, 64, 64)]))
    empty = torch.zeros(1, 1, 512, 512)
    calm = torch.full_like(empty, -4.0)  # 1.8 % everywhere: correct, with a realistic confidence
    wrong = torch.full_like(empty, 4.0)
    bytes_mask = 255 * target
    return SimpleNamespace(
        whole=theirs(found, target).item(),
        halves=[theirs(found[i : i + 1], target[i : i + 1]).item() for i in range(2)],
        mean=sum(theirs(found[i : i + 1], target[i : i + 1]).item() for i in range(2)) / 2,
        ours_whole=ours(found, target).item(),
        ours_halves=[ours(found[i : i + 1], target[i : i + 1]).item() for i in range(2)],
        empty_right=theirs(calm, empty).item(),
        empty_wrong=theirs(wrong, empty).item(),
        empty_slope=gradient(theirs, wrong, empty).abs().sum().item(),
        ours_empty_right=ours(calm, empty).item(),
        ours_empty_wrong=ours(wrong, empty).item(),
        ours_empty_slope=gradient(ours, wrong, empty).abs().sum().item(),
        bytes=theirs(found, bytes_mask).item(),
        refusal=refusal(lambda: ours(found, bytes_mask)),
    )


def _dice_bce() -> SimpleNamespace:
    theirs, ours = snippets.DiceBCELoss(), losskit.DiceLoss() + losskit.BCEWithLogitsLoss()
    g = torch.Generator().manual_seed(0)
    target = (torch.rand(1, 1, 512, 512, generator=g) < 0.5).float()
    input = torch.randn(1, 1, 512, 512, generator=g) + 2 * target
    half = input.half()
    one, truth = torch.full((1, 1, 4, 4), 30.0), torch.zeros(1, 1, 4, 4)
    truth[..., 0] = 1
    at = (0, 0, 0, 3)  # a confident false positive
    return SimpleNamespace(
        single=theirs(input, target).item(),
        half=theirs(half, target.half()).item(),
        ours_single=ours(input, target).item(),
        ours_half=ours(half, target).item(),
        slope=gradient(theirs, one, truth)[at].item(),
        ours_slope=gradient(ours, one, truth)[at].item(),
        parts=ours.parts(input, target)[1],
    )


def _iou() -> SimpleNamespace:
    theirs, ours = snippets.IoULoss(), losskit.JaccardLoss()
    target = torch.stack([square(64, 40), square(64, 4)])
    missed = logits(torch.stack([square(64, 40), torch.zeros(1, 64, 64)]))
    half = torch.full((1, 1, 8, 8), 0.5)
    soft = torch.zeros_like(half)  # a logit of 0 is a probability of a half
    return SimpleNamespace(
        missed=theirs(missed, target).item(),
        ours_missed=ours(missed, target).item(),
        soft=theirs(soft, half).item(),
        ours_soft=losskit.JaccardLoss(overlap="l1")(soft, half).item(),
    )


def _focal() -> SimpleNamespace:
    theirs, named, ours = snippets.FocalLoss(), losskit.MeanFocalLoss(), losskit.FocalLoss()
    easy, hard = torch.logit(torch.tensor(0.95)), torch.logit(torch.tensor(0.3))
    input, target = torch.stack([easy, hard]), torch.ones(2)

    def ratio(loss: Callable[..., Tensor]) -> float:
        slope = gradient(loss, input, target)
        return (slope[1] / slope[0]).item()

    return SimpleNamespace(
        bce=ratio(F.binary_cross_entropy_with_logits),
        snippet=ratio(theirs),
        ours=ratio(ours),
        value=theirs(input, target).item(),
        named=named(input, target).item(),
        focal=ours(input, target).item(),
    )


def _tversky() -> SimpleNamespace:
    empty = torch.zeros(1, 1, 512, 512)
    target = square(512, 64).unsqueeze(0)
    over = torch.full_like(empty, 4.0)  # predicts foreground everywhere
    theirs, ours = snippets.TverskyLoss(), losskit.TverskyLoss(alpha=0.3, beta=0.7)

    def weighed(input: Tensor, labels: Tensor) -> Tensor:
        return theirs(input, labels, alpha=0.3, beta=0.7)

    return SimpleNamespace(
        slope=gradient(weighed, over, empty).abs().sum().item(),
        object_slope=gradient(weighed, over, target).abs().sum().item(),
        ours_slope=gradient(ours, over, empty).abs().sum().item(),
        alpha_on_fp=theirs(over, target, alpha=0.9, beta=0.1).item(),
        alpha_on_fn=theirs(over, target, alpha=0.1, beta=0.9).item(),
    )


def _masks() -> SimpleNamespace:
    g = torch.Generator().manual_seed(0)
    target = torch.stack([square(32, 8, 2 * i) for i in range(6)]).squeeze(1)  # (M, H, W)
    input = torch.randn(6, 32, 32, generator=g) + 2 * target
    ours = losskit.MaskDiceLoss(scale=1000, eps=1e-6)
    summed = [snippets.mask_dice_summed(input[:m], target[:m]).item() for m in (1, 6)]
    plain = losskit.MaskDiceLoss(smooth=1)
    return SimpleNamespace(
        snippet=snippets.mask_dice(input, target, 6).item(),
        ours=ours(input, target, num_masks=6).item(),
        channel=snippets.mask_dice(input.unsqueeze(1), target.unsqueeze(1), 6).item(),
        ours_channel=ours(input.unsqueeze(1), target.unsqueeze(1), num_masks=6).item(),
        summed=summed,
        ours_summed=[plain(input[:m], target[:m]).item() for m in (1, 6)],
    )


def _smooth_l1() -> SimpleNamespace:
    zero = torch.zeros(1)
    below, above = torch.tensor([0.0999]), torch.tensor([0.1001])
    beta = 0.1
    output = torch.tensor([1.5, 2.0, 0.5])
    target = torch.tensor([1.0, float("nan"), 0.0])
    mask = torch.tensor([True, False, True])
    known = torch.tensor([1.0, 0.0, 0.0])
    return SimpleNamespace(
        below=snippets.smooth_l1(below, zero, beta).item(),
        above=snippets.smooth_l1(above, zero, beta).item(),
        ours_below=functional.smooth_l1_loss(below, zero, beta=beta).item(),
        ours_above=functional.smooth_l1_loss(above, zero, beta=beta).item(),
        masked=snippets.masked_smooth_l1(output, target, mask).item(),
        masked_known=snippets.masked_smooth_l1(output, known, mask).item(),
        ours_masked=functional.smooth_l1_loss(output, target, mask=mask).item(),
        ours_slope=gradient(functional.smooth_l1_loss, output, target, None, mask).tolist(),
    )


def _weight() -> SimpleNamespace:
    target = square(16, 6).unsqueeze(0)
    input = torch.randn(1, 1, 16, 16, generator=torch.Generator().manual_seed(0)) + target
    return SimpleNamespace(
        without=snippets.DiceLoss()(input, target).item(),
        with_weight=snippets.DiceLoss(weight=torch.tensor([1.0, 10.0]))(input, target).item(),
        refusal=refusal(lambda: losskit.DiceLoss(weight=torch.tensor([1.0, 10.0]))),
    )


def _bce() -> SimpleNamespace:
    yes = torch.ones(1)

    def slope(loss: Callable[..., Tensor], logit: float) -> float:
        return gradient(loss, torch.tensor([logit]), yes).item()

    ours = functional.binary_cross_entropy_with_logits
    wrong = -120.0
    background = torch.zeros(1)
    return SimpleNamespace(
        value=snippets.bce_after_sigmoid(torch.tensor([wrong]), yes).item(),
        slope=slope(snippets.bce_after_sigmoid, wrong),
        up=gradient(snippets.bce_after_sigmoid, torch.tensor([20.0]), background).item(),
        ours_value=ours(torch.tensor([wrong]), yes).item(),
        ours_slope=slope(ours, wrong),
        ours_up=gradient(ours, torch.tensor([20.0]), background).item(),
        twice_best=snippets.sigmoid_twice(torch.tensor([40.0]), yes).item(),
        twice_none=snippets.sigmoid_twice(torch.tensor([-40.0]), background).item(),
        twice_slope=slope(snippets.sigmoid_twice, -8.0),
        ours_wrong_slope=slope(ours, -8.0),
    )


def _classes() -> SimpleNamespace:
    labels = torch.zeros(1, 64, 64, dtype=torch.long)
    labels[:, :16] = 1
    labels[:, 60:, 58:] = 2  # a rare class: 24 of 4096 pixels
    predicted = labels.clone()
    predicted[labels == 2] = 0  # missed completely
    input = logits(F.one_hot(predicted, 3).movedim(-1, 1).float())
    return SimpleNamespace(
        share=(labels == 2).float().mean().item(),
        flat=snippets.multiclass_dice(input, labels).item(),
        ours=functional.dice_loss(input, labels).item(),
        per_class=functional.dice_loss(input, labels, reduction="none")[0].tolist(),
    )


def _softmax() -> SimpleNamespace:
    def perfect(classes: int) -> tuple[Tensor, Tensor]:
        labels = torch.arange(classes)
        return logits(F.one_hot(labels, classes).float()), labels

    ours = functional.cross_entropy
    wrong = torch.tensor([[12.0, 0.0, 0.0]])
    label = torch.tensor([1])
    return SimpleNamespace(
        best={c: snippets.cross_entropy_of_softmax(*perfect(c)).item() for c in (3, 10, 1000)},
        ours_best={c: ours(*perfect(c)).item() for c in (3, 10, 1000)},
        slope=gradient(snippets.cross_entropy_of_softmax, wrong, label).abs().max().item(),
        ours_slope=gradient(ours, wrong, label).abs().max().item(),
        probabilities=functional.cross_entropy(wrong.softmax(1), label, from_logits=False).item(),
        ours_value=ours(wrong, label).item(),
    )


mse, dice, dice_bce, iou, focal, tversky = _mse(), _dice(), _dice_bce(), _iou(), _focal(), _tversky()
weight, bce, classes, softmax = _weight(), _bce(), _classes(), _softmax()
masks, smooth_l1 = _masks(), _smooth_l1()
