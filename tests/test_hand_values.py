"""Values of every label loss worked by hand, with the working beside the number.

Logits are logarithms of odds, so that probabilities are simple fractions.
"""

from __future__ import annotations

from math import exp, log, sqrt
from typing import Any

import pytest
import torch
from torch import Tensor

from losskit import (
    BCEWithLogitsLoss,
    ComboLoss,
    CrossEntropyLoss,
    DiceBCELoss,
    DiceCELoss,
    DiceFocalLoss,
    DiceLoss,
    FocalLoss,
    FocalTverskyLoss,
    GeneralizedCrossEntropyLoss,
    JaccardLoss,
    LovaszLoss,
    MeanFocalLoss,
    NLLLoss,
    SymmetricCrossEntropyLoss,
    TverskyLoss,
    class_weight_from,
)


def same(value: Tensor, expected: Any, tolerance: float = 1e-12) -> None:
    wanted = torch.tensor(expected, dtype=torch.float64)
    torch.testing.assert_close(value.double(), wanted, rtol=tolerance, atol=tolerance / 100)


def yes(*probabilities: float) -> Tensor:
    """Logits (N, 1) whose sigmoid are the probabilities."""
    p = torch.tensor(probabilities, dtype=torch.float64)
    return torch.log(p / (1 - p)).unsqueeze(1)


def labels(*values: float) -> Tensor:
    return torch.tensor(values, dtype=torch.float64).unsqueeze(1)


def line(column: Tensor) -> Tensor:
    """(N, 1) as one sample of one channel, (1, 1, N)."""
    return column.reshape(1, 1, -1)


# p = 1/8, 1/4, 5/8 of three classes, once with truth 0 and once with truth 1.
LOGITS = torch.log(torch.tensor([[1.0, 2.0, 5.0], [1.0, 2.0, 5.0]], dtype=torch.float64))
TRUTH = torch.tensor([0, 1])


SINGLE = 1e-6  # class weights come in the default dtype


# Elements


def test_bce() -> None:
    # t = 1, p = 1/4: log 4;  t = 0, p = 1/5: log 5/4
    x, t = yes(1 / 4, 1 / 5), labels(1, 0)
    same(BCEWithLogitsLoss()(x, t), (log(4) + log(5 / 4)) / 2)
    # the positive three times, still two elements
    same(BCEWithLogitsLoss(pos_weight=3.0)(x, t), (3 * log(4) + log(5 / 4)) / 2)
    # smoothing 0.2 makes t = 1 into 0.9: 0.9 log 4 + 0.1 log 4/3, and t = 0 into 0.1: 0.1 log 5 + 0.9 log 5/4
    smoothed = (0.9 * log(4) + 0.1 * log(4 / 3) + 0.1 * log(5) + 0.9 * log(5 / 4)) / 2
    same(BCEWithLogitsLoss(label_smoothing=0.2)(x, t), smoothed)


def test_bce_divides_by_weight() -> None:
    # weights 3 and 1: (3 log 4 + log 5/4) / 4, where PyTorch divides by 2
    same(BCEWithLogitsLoss()(yes(1 / 4, 1 / 5), labels(1, 0), weight=labels(3, 1)), (3 * log(4) + log(5 / 4)) / 4)


def test_cross_entropy() -> None:
    # truths have p = 1/8 and 1/4
    same(CrossEntropyLoss(reduction="none")(LOGITS, TRUTH), [log(8), log(4)])
    # weights 1 and 3 of the truths: (log 8 + 3 log 4) / 4 = 9/4 log 2
    weighted = CrossEntropyLoss(class_weight=[1.0, 3.0, 7.0])
    same(weighted(LOGITS, TRUTH), 9 / 4 * log(2))
    # smoothing 0.3 leaves 0.7 on the truth and 0.1 on each: the even part is 0.1 (log 8 + log 4 + log 8/5)
    even = 0.1 * (log(8) + log(4) + log(8 / 5))
    same(CrossEntropyLoss(label_smoothing=0.3)(LOGITS, TRUTH), 0.7 * (log(8) + log(4)) / 2 + even)


def test_cross_entropy_weighs_soft_truth_by_its_classes() -> None:
    # t = (1/2, 1/2, 0), weights 1 and 3: (log 8 + 3 log 4) / 2 over a weight of (1 + 3) / 2
    soft = torch.tensor([[0.5, 0.5, 0.0]], dtype=torch.float64)
    same(CrossEntropyLoss(class_weight=[1.0, 3.0, 7.0])(LOGITS[:1], soft), (log(8) + 3 * log(4)) / 4)


def test_prior() -> None:
    # even logits leave the prior: 1/4, 1/2, 1/4
    even = torch.zeros(2, 3, dtype=torch.float64)
    same(CrossEntropyLoss(prior=[10.0, 20.0, 10.0], reduction="none")(even, TRUTH), [log(4), log(2)])
    # p times prior is 1/8 x 8, 1/4 x 4, 5/8 x 16 = 1, 1, 10: truths at 1/12
    same(CrossEntropyLoss(prior=[8.0, 4.0, 16.0])(LOGITS, TRUTH), log(12))


def test_nll() -> None:
    # given log-probabilities -1 and -3 of the truths, weights 2 and 1: (2 + 3) / 3
    given = torch.tensor([[-1.0, -9.0], [-9.0, -3.0], [-5.0, -5.0]], dtype=torch.float64)
    target = torch.tensor([0, 1, -1])
    same(NLLLoss(class_weight=[2.0, 1.0], ignore_index=-1)(given, target), 5 / 3)
    same(NLLLoss(ignore_index=-1, reduction="none")(given, target), [1.0, 3.0, 0.0])


def test_focal() -> None:
    # gamma 2: t = 1, p = 1/4: (3/4)² log 4;  t = 0, p = 1/5: (1/5)² log 5/4
    x, t = yes(1 / 4, 1 / 5), labels(1, 0)
    same(FocalLoss()(x, t), (9 / 16 * log(4) + 1 / 25 * log(5 / 4)) / 2)
    # gamma 1/2: sqrt(3/4) log 4 and sqrt(1/5) log 5/4; alpha 1/4 of yes, 3/4 of no; still divided by 2
    value = (1 / 4 * sqrt(3 / 4) * log(4) + 3 / 4 * sqrt(1 / 5) * log(5 / 4)) / 2
    same(FocalLoss(gamma=0.5, alpha=0.25)(x, t), value)


def test_focal_with_alpha_per_class() -> None:
    # softmax, gamma 1: 1 x 7/8 log 8 and 3 x 3/4 log 4, divided by two positions
    same(FocalLoss(gamma=1.0, alpha=[1.0, 3.0, 7.0])(LOGITS, TRUTH), (7 / 8 * log(8) + 9 / 4 * log(4)) / 2)
    # multi-label, gamma 1, alpha 1/4 and 1/2: positive at 1/4: 1/4 x 3/4 log 4, negative at 1/5: 1/2 x 1/5 log 5/4
    x, t = yes(1 / 4, 1 / 5).reshape(1, 2), labels(1, 0).reshape(1, 2)
    both = FocalLoss(gamma=1.0, alpha=[0.25, 0.5], mode="multilabel")
    same(both(x, t), (3 / 16 * log(4) + 1 / 10 * log(5 / 4)) / 2)


def test_focal_smoothing() -> None:
    # gamma 1, smoothing 0.2, t = 1, p = 1/4: 0.9 x 3/4 log 4 + 0.1 x 1/4 log 4/3
    value = 0.9 * 3 / 4 * log(4) + 0.1 * 1 / 4 * log(4 / 3)
    same(FocalLoss(gamma=1.0, label_smoothing=0.2)(yes(1 / 4), labels(1)), value)


def test_mean_focal() -> None:
    # truths at 1/2 and 1/8: B = (log 2 + 3 log 2) / 2 = log 4, so e^-B = 1/4
    x, t = yes(1 / 2, 7 / 8), labels(1, 0)
    same(MeanFocalLoss()(x, t), 0.8 * (3 / 4) ** 2 * log(4))
    same(MeanFocalLoss(alpha=0.5, gamma=0.5)(x, t), 0.5 * sqrt(3 / 4) * log(4))
    # softmax truths at 1/8 and 1/4: B = 5/2 log 2, e^-B = 2^-2.5
    same(MeanFocalLoss(alpha=1.0, gamma=3.0)(LOGITS, TRUTH), (1 - 2**-2.5) ** 3 * 2.5 * log(2))


def test_generalized_cross_entropy() -> None:
    # q = 1/2: truths at 1/4 and 9/16: (1 - 1/2) / (1/2) = 1 and (1 - 3/4) / (1/2) = 1/2
    same(GeneralizedCrossEntropyLoss(q=0.5, reduction="none")(yes(1 / 4, 7 / 16), labels(1, 0)), [[1.0], [0.5]])
    # q = 1 is 1 - p: 7/8 and 3/4
    same(GeneralizedCrossEntropyLoss(q=1.0)(LOGITS, TRUTH), 13 / 16)
    # the default 0.7 at 1/4: 2^-1.4
    same(GeneralizedCrossEntropyLoss()(yes(1 / 4), labels(1)), (1 - 2**-1.4) / 0.7)


def test_symmetric_cross_entropy() -> None:
    # 0.1 log 4 + 1 x log(10^4) x 3/4
    same(SymmetricCrossEntropyLoss()(yes(1 / 4), labels(1)), 0.1 * log(4) + 3 * log(10))
    # floor e^-2: 0.5 log 8 + 3 x 2 x 7/8 and 0.5 log 4 + 3 x 2 x 3/4
    value = [0.5 * log(8) + 21 / 4, 0.5 * log(4) + 9 / 2]
    same(SymmetricCrossEntropyLoss(alpha=0.5, beta=3.0, floor=exp(-2), reduction="none")(LOGITS, TRUTH), value)


# Regions: p = 1/2 on a positive and 1/4 on a negative, so TP = 1/2, P = 3/4, T = 1, FP = 1/4, FN = 1/2.
X, T = line(yes(1 / 2, 1 / 4)), line(labels(1, 0))


@pytest.mark.parametrize(
    ("loss", "value"),
    [
        (DiceLoss(), 1 - 1 / (7 / 4)),
        (DiceLoss(smooth=1.0), 1 - 2 / (11 / 4)),
        (DiceLoss(squared=True), 1 - 1 / (1 / 4 + 1 / 16 + 1)),
        (DiceLoss(log=True), log(7 / 4)),
        (DiceLoss(log=True, smooth=1.0), log(11 / 8)),
        (JaccardLoss(), 1 - (1 / 2) / (5 / 4)),
        (JaccardLoss(smooth=0.5), 1 - 1 / (7 / 4)),
        (TverskyLoss(alpha=0.2, beta=0.6), 1 - 0.5 / (0.5 + 0.05 + 0.3)),
        (TverskyLoss(alpha=2.0, beta=1.0, smooth=1.0), 1 - 1.5 / 2.5),
        (FocalTverskyLoss(alpha=2.0, beta=1.0, smooth=1.0), 0.4**0.75),
        (FocalTverskyLoss(alpha=1.0, beta=0.5, gamma=2.0), (1 - 0.5 / (0.5 + 0.25 + 0.25)) ** 2),
    ],
    ids=repr,
)
def test_region(loss: Any, value: float) -> None:
    same(loss(X, T), value)


def test_the_l1_overlap_of_fractions() -> None:
    # p = 1/2, 1/4 against t = 1/2, 3/4: |p - t| sums to 1/2, so the overlap is (3/4 + 5/4 - 1/2) / 2 = 3/4
    t = line(labels(1 / 2, 3 / 4))
    same(DiceLoss(overlap="l1")(X, t), 1 - 2 * (3 / 4) / 2)
    same(JaccardLoss(overlap="l1")(X, t), 1 - (3 / 4) / (5 / 4))
    # the product is 1/4 + 3/16 = 7/16, so that the loss is not 0 at p = t
    same(DiceLoss()(X, t), 1 - 2 * (7 / 16) / 2)
    same(DiceLoss(overlap="l1")(X, X.sigmoid()), 0.0)


def test_absent_classes() -> None:
    # absent, p = 1/2 and 1/4: the mean probability is 3/8; the formula with smooth 1 is 1 - 1 / (7/4)
    nothing = torch.zeros_like(T)
    same(DiceLoss(smooth=1.0)(X, nothing), 3 / 8)
    same(DiceLoss(smooth=1.0, absent="formula")(X, nothing), 3 / 7)
    same(DiceLoss(smooth=1.0, absent="skip")(X, nothing), 0.0)
    # averaged with a sample of loss 3/7
    x, t = torch.cat([X, X]), torch.cat([T, nothing])
    same(DiceLoss()(x, t), (3 / 7 + 3 / 8) / 2)
    same(DiceLoss(absent="skip")(x, t), 3 / 7)
    # pooled, the class is present: TP = 1/2, P = 3/2, T = 1
    same(DiceLoss(pool="batch")(x, t), 1 - 1 / (5 / 2))
    # a weight of 1/3 on the second element: (1/2 + 1/12) / (4/3)
    same(DiceLoss()(X, nothing, weight=line(labels(1, 1 / 3))), 7 / 16)


def test_regions_of_classes() -> None:
    # one sample, truths 0 and 1. TP, P, T of the classes: 1/8, 1/4, 1; 1/4, 1/2, 1; 0, 5/4, 0
    x, t = LOGITS.T.unsqueeze(0), TRUTH.unsqueeze(0)
    present = [1 - (1 / 4) / (5 / 4), 1 - (1 / 2) / (3 / 2)]
    same(DiceLoss(reduction="none")(x, t), [[*present, 5 / 8]])
    same(DiceLoss(class_weight=[1.0, 2.0, 5.0])(x, t), (present[0] + 2 * present[1] + 5 * 5 / 8) / 8)
    same(DiceLoss(include_background=False)(x, t), (present[1] + 5 / 8) / 2)
    same(DiceLoss(classes=[0, 1])(x, t), sum(present) / 2)
    same(DiceLoss(absent="skip", class_weight=[1.0, 2.0, 5.0])(x, t), (present[0] + 2 * present[1]) / 3)


def test_scores() -> None:
    # above 1/2: yes, yes, no against 1, 0, 1: TP = 1, P = 2, T = 2
    x, t = line(yes(0.9, 0.6, 0.2)), line(labels(1, 0, 1))
    same(DiceLoss().score(x, t), 1 / 2)
    same(JaccardLoss().score(x, t), 1 / 3)
    same(TverskyLoss(alpha=0.2, beta=0.6).score(x, t), 1 / 1.8)
    same(FocalTverskyLoss(alpha=0.2, beta=0.6).score(x, t), 1 / 1.8)
    same(DiceLoss(log=True, squared=True).score(x, t), 1 / 2)


# Sums of two. On X and T: Dice 3/7, BCE (log 2 + log 4/3) / 2.
BCE = (log(2) + log(4 / 3)) / 2


def test_dice_with_cross_entropy() -> None:
    same(DiceBCELoss()(X, T), 3 / 7 + BCE)
    value = 0.25 * (3 / 7) + 2 * (5 * log(2) + log(4 / 3)) / 2
    same(DiceBCELoss(dice_weight=0.25, bce_weight=2.0, pos_weight=5.0)(X, T), value)
    # one sample: Dice of the classes 4/5, 2/3, 5/8 and cross-entropy 5/2 log 2
    x, t = LOGITS.T.unsqueeze(0), TRUTH.unsqueeze(0)
    same(DiceCELoss()(x, t), (4 / 5 + 2 / 3 + 5 / 8) / 3 + 2.5 * log(2))
    same(
        DiceCELoss(dice_weight=3.0, ce_weight=0.5, include_background=False)(x, t),
        3 * (2 / 3 + 5 / 8) / 2 + 1.25 * log(2),
    )


def test_dice_with_focal() -> None:
    # gamma 2: (1/4 log 2 + 1/16 log 4/3) / 2;  gamma 1, alpha 1/4: (1/8 log 2 + 3/16 log 4/3) / 2
    same(DiceFocalLoss()(X, T), 3 / 7 + (log(2) / 4 + log(4 / 3) / 16) / 2)
    value = 2 * (3 / 7) + 3 * (log(2) / 8 + 3 * log(4 / 3) / 16) / 2
    same(DiceFocalLoss(gamma=1.0, alpha=0.25, dice_weight=2.0, focal_weight=3.0)(X, T), value)


def test_combo() -> None:
    # r 0.4, alpha 0.75: 0.4 (0.75 log 2 + 0.25 log 4/3) / 2 + 0.6 x 3/7
    value = 0.4 * (0.75 * log(2) + 0.25 * log(4 / 3)) / 2 + 0.6 * 3 / 7
    same(ComboLoss(ce_ratio=0.4, alpha=0.75)(X, T), value)
    same(ComboLoss()(X, T), 0.5 * BCE / 2 + 0.5 * 3 / 7)


def test_the_tutorials_combo() -> None:
    # the bracket: 0.75 (log 2 + 0.25 log 4/3) / 2; the score, with smooth 1, is subtracted: 2 / (11/4)
    value = 0.4 * 0.75 * (log(2) + 0.25 * log(4 / 3)) / 2 - 0.6 * 8 / 11
    tutorial = ComboLoss(ce_ratio=0.4, alpha=0.75, variant="tutorial", pool="batch", smooth=1.0)
    same(tutorial(X, T), value)
    # alpha 1/2, r 1/2: negatives have a weight of 1/4
    value = 0.5 * (0.5 * log(2) + 0.25 * log(4 / 3)) / 2 - 0.5 * 8 / 11
    same(ComboLoss(variant="tutorial", pool="batch", smooth=1.0)(X, T), value)


# Ranks


def test_lovasz_hinge() -> None:
    # t = 1, 0, 0 at x = 1/2, 1, -2: errors 1/2, 2, 0. Falling: 2 (no), 1/2 (yes), 0 (no).
    # Mistaking the first leaves 1 of 2: J = 1/2; the first two leave none: J = 1. 2 x 1/2 + 1/2 x 1/2
    x = torch.tensor([[[0.5, 1.0, -2.0]]], dtype=torch.float64)
    t = torch.tensor([[[1, 0, 0]]])
    same(LovaszLoss()(x, t), 5 / 4)
    # without the second element 1/2 (yes), 0 (no): J = 1, so 1/2
    same(LovaszLoss(ignore_index=7)(x, torch.tensor([[[1, 7, 0]]])), 1 / 2)
    # no positive: the largest error, 2
    same(LovaszLoss()(x, torch.zeros_like(t)), 3 / 2 + 1 / 2)


def test_lovasz_softmax() -> None:
    # p0 = 3/4 at both pixels, truths 0 and 1. Class 0: errors 3/4 (no), 1/4 (yes), J = 1/2, 1: 1/2.
    # Class 1: errors 3/4 (yes), 1/4 (no), J = 1, 1: 3/4
    x = torch.log(torch.tensor([[[3.0, 3.0], [1.0, 1.0]]], dtype=torch.float64))
    t = torch.tensor([[0, 1]])
    same(LovaszLoss()(x, t), 5 / 8)
    same(LovaszLoss(class_weight=[1.0, 3.0])(x, t), (1 / 2 + 9 / 4) / 4)
    same(LovaszLoss(classes=[1])(x, t), 3 / 4)
    # class 1 absent: class 0 has errors 1/4, 1/4, both yes: J = 1/2, 1; the loss of class 1 is its largest probability
    only = torch.zeros_like(t)
    same(LovaszLoss()(x, only), 1 / 4)
    same(LovaszLoss(classes="all", class_weight=[1.0, 3.0])(x, only), 1 / 4)


# Class weights


def test_class_weights() -> None:
    # first sample 0 0 1 1, second 1 1 1 1: counts 2 and 6
    targets = torch.tensor([[0, 0, 1, 1], [1, 1, 1, 1]])
    # 8 / (2 x 2) and 8 / (2 x 6); a third class that never occurs has weight 0 and no effect
    same(class_weight_from(targets), [2.0, 2 / 3], SINGLE)
    same(class_weight_from(targets, num_classes=3), [2.0, 2 / 3, 0.0], SINGLE)
    # frequencies where present 2/4 and 6/8, median 5/8
    same(class_weight_from(targets, "median_frequency"), [1.25, 5 / 6], SINGLE)


def test_effective_numbers() -> None:
    # counts 1 and 2, beta 1/2: 1 and (1/2) / (3/4) = 2/3, which average 5/6
    targets = torch.tensor([0, 1, 1, -100])
    same(class_weight_from(targets, "effective_number", beta=0.5), [1.2, 0.8], SINGLE)
    # beta 0 gives every class the same weight
    same(class_weight_from(targets, "effective_number", beta=0.0), [1.0, 1.0])
