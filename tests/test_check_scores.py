"""Precision and scores: predictions rounded to half precision, logits taken as probabilities, sums that are means."""

import pytest
import torch
import torch.nn.functional as F

from losskit.checker import battery
from losskit.checker.spec import Unsure
from losskit.checker.subject import Subject


def found(loss, check):
    return [each.what for each in battery.known(check)(Subject.of(loss)).findings]


def halved(pred, target):
    return F.smooth_l1_loss(pred.half().to(pred.dtype), target)


def brain_float(logits, target):
    probs = logits.to(torch.bfloat16).sigmoid().to(logits.dtype)
    return F.binary_cross_entropy(probs.clamp(1e-4, 1 - 1e-4), target)


def quantised(pred, target):
    return F.mse_loss(pred + (pred.round() - pred).detach(), target)


@pytest.mark.parametrize("loss", [halved, brain_float])
def test_scores_that_are_rounded_to_half_precision_are_a_fault(loss):
    assert "rounded to" in found(loss, "rounds-input")[0]


@pytest.mark.parametrize("loss", [F.smooth_l1_loss, F.binary_cross_entropy_with_logits, quantised])
def test_scores_in_full_precision_and_codes_of_whole_numbers_are_none(loss):
    assert not found(loss, "rounds-input")


def dice(logits, target, activate=torch.Tensor.sigmoid, total=torch.sum, smooth=1.0):
    probs, target = activate(logits).flatten(1), target.flatten(1)
    overlap = 2 * total(probs * target, dim=1) + smooth
    return (1 - overlap / (probs.sum(1) + target.sum(1) + smooth)).mean()


def dice_of_logits(logits, target):
    return dice(logits, target)


def raw_dice(logits, target):
    return dice(logits, target, activate=lambda x: x)


def dice_of_a_mean(logits, target):
    return dice(logits, target, total=torch.mean)


def dice_of_shares(probs, target):
    return dice(probs, target, activate=lambda x: x)


@pytest.mark.parametrize(("loss", "said"), [(raw_dice, "taken as probabilities"), (dice_of_a_mean, "hardly overlaps")])
def test_a_dice_loss_without_its_sigmoid_or_its_sum_is_named(loss, said):
    assert said in found(loss, "contradicts-claim")[0]


@pytest.mark.parametrize("loss", [dice_of_logits, dice_of_shares])
def test_a_dice_loss_of_logits_or_of_probabilities_is_sound(loss):
    assert not found(loss, "contradicts-claim")


def dice_and_bce(logits, target, exchanged=False):
    pair = (target, logits) if exchanged else (logits, target)
    return dice(logits, target) + F.binary_cross_entropy_with_logits(*pair)


def dice_and_exchanged_bce(logits, target):
    return dice_and_bce(logits, target, exchanged=True)


def test_labels_passed_as_the_input_of_a_function_are_named():
    assert "gets the labels as its input" in found(dice_and_exchanged_bce, "misused-function")[0]
    assert not found(dice_and_bce, "misused-function")


def test_a_target_is_no_score_that_should_be_lower():
    def negated_for_negatives(logits, target):
        return (target * F.softplus(-logits) + (target - 1) * F.softplus(logits)).mean()

    with pytest.raises(Unsure):
        Subject.of(negated_for_negatives)
    ranked = Subject.of(lambda positive, negative: F.softplus(negative - positive).mean())
    assert ranked.spec.layout == "above"


def test_a_score_subtracted_from_a_cross_entropy_is_not_half_an_overlap():
    def combo(logits, target):
        """Combo loss: half the cross-entropy minus half the Dice score."""
        score = 1 - dice(logits, target)
        return 0.5 * F.binary_cross_entropy_with_logits(logits, target) - 0.5 * score

    assert not found(combo, "contradicts-claim")
