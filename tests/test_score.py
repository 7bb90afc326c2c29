"""`criterion.score` is the hard metric with the meaning of the loss."""

from __future__ import annotations

import pytest
import torch

import losskit
from peers import peer

peer("torchvision")  # torchmetrics imports it
from torchmetrics.functional.segmentation import dice_score, mean_iou  # noqa: E402

G = torch.Generator().manual_seed(0)
LOGITS = torch.randn(4, 3, 8, 8, generator=G)
TARGET = torch.randint(0, 3, (4, 8, 8), generator=G)


def test_dice_equals_torchmetrics():
    predicted = LOGITS.argmax(1)
    expected = dice_score(predicted, TARGET, num_classes=3, average="none", input_format="index").mean()
    torch.testing.assert_close(losskit.DiceLoss().score(LOGITS, TARGET), expected)


def test_iou_equals_torchmetrics():
    predicted = LOGITS.argmax(1)
    expected = mean_iou(predicted, TARGET, num_classes=3, per_class=True, input_format="index").mean()
    torch.testing.assert_close(losskit.IoULoss().score(LOGITS, TARGET), expected)


def test_options_of_the_loss_carry_over():
    # One sample, predicted [1, 1, 0, 0], true [1, 0, 1, ignored]: tp 1, fp 1, fn 1.
    logits = torch.tensor([[[5.0, 0.1, -0.1, -5.0]]])
    target = torch.tensor([[[1, 0, 1, 7]]])
    assert losskit.DiceLoss(ignore_index=7).score(logits, target).item() == pytest.approx(2 / 4)
    assert losskit.IoULoss(ignore_index=7).score(logits, target).item() == pytest.approx(1 / 3)
    assert losskit.DiceLoss(ignore_index=7, smooth=1.0).score(logits, target).item() == pytest.approx(3 / 5)
    assert losskit.DiceLoss(ignore_index=7, log=True, squared=True).score(logits, target).item() == pytest.approx(0.5)
    tversky = losskit.TverskyLoss(ignore_index=7, alpha=0.25, beta=1.75)  # 1 / (1 + 0.25 + 1.75)
    assert tversky.score(logits, target).item() == pytest.approx(1 / 3)
    focal = losskit.FocalTverskyLoss(ignore_index=7, alpha=0.25, beta=1.75, gamma=2.0)
    assert focal.score(logits, target).item() == pytest.approx(1 / 3)
    probabilities = losskit.DiceLoss(ignore_index=7, from_logits=False)
    assert probabilities.score(logits.sigmoid(), target).item() == pytest.approx(0.5)


def test_pooling_and_masks_carry_over():
    # Sample 1: tp 1, fp 1. Sample 2: fn 1, tp 1. Pooled: tp 2, fp 1, fn 1.
    logits = torch.tensor([[[3.0, 3.0, -3.0]], [[3.0, -3.0, -3.0]]])
    target = torch.tensor([[[1, 0, 0]], [[1, 1, 0]]])
    assert losskit.IoULoss().score(logits, target).item() == pytest.approx(1 / 2)
    assert losskit.IoULoss(pool="batch").score(logits, target).item() == pytest.approx(2 / 4)
    mask = torch.tensor([[[True, False, True]], [[True, True, True]]])
    assert losskit.IoULoss().score(logits, target, mask=mask).item() == pytest.approx((1 + 1 / 2) / 2)


def test_an_absent_class_scores_one_where_it_is_not_predicted():
    target = torch.zeros(2, 1, 2, 2)
    logits = torch.full((2, 1, 2, 2), -4.0)
    logits[1, 0, 0, 0] = 4.0
    assert losskit.DiceLoss().score(logits, target).item() == pytest.approx(0.5)
    assert losskit.DiceLoss(absent="skip").score(logits, target).item() == 0.0  # nothing counts


def test_an_even_score_is_no_prediction():
    assert losskit.DiceLoss().score(torch.zeros(1, 1, 2), torch.ones(1, 1, 2)).item() == 0.0
