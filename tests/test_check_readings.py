"""Losses by other authors: the kind that each is tested as, and faults that the checker once missed."""

import functools
import sys
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from torch import nn

sys.path.append(str(Path(__file__).parent.parent / "benchmarks"))
from check.run import UNSEEN, cases

from losskit.checker import battery, roles
from losskit.checker.subject import Subject

THEIRS = {case.name: case for case in cases(UNSEEN)}
KNOWN_NOW = {
    "CTCWrapper": ("sequence", "logits", "batch-first"),
    "VAELoss": ("penalty", "values", "elbo"),
    "FlowMatchingLoss": ("penalty", "values", "several nnn"),
    "CosFaceHead": ("penalty", "values", "several number:N,32;index:N"),
    "AuxHeadLoss": ("multiclass", "logits", "indices"),
    "OKSLoss": ("penalty", "values", "several number:N,K,2;number:N,K,2;flag:N,K;positive:N"),
    "VPredictionLoss": (
        *("penalty", "values"),
        "several number:N,C,H,W;number:N,C,H,W;number:N,C,H,W;share:N",
    ),
    "DeepSurvLoss": ("survival", "values", "survival"),
    "iou_loss": ("regression", "boxes", "boxes"),
}


@pytest.mark.parametrize(("name", "form"), KNOWN_NOW.items(), ids=str)
def test_what_their_losses_take(name, form):
    spec = Subject.of(THEIRS[name].loss).spec
    assert (spec.kind, spec.scores, spec.layout) == form
    assert str(spec)  # the layout is described


def found(loss, check):
    return list(battery.run(Subject.of(loss), select=[check]))


MENDED = [
    *("MulticlassDiceLoss", "AuxHeadLoss", "WeightedFocalLoss", "ArcFaceLoss", "heading_loss", "iou_loss"),
    *("HardTripletLoss", "NTXentLoss", "OneClassCenterLoss", "OCRCTCLoss", "vae_loss", "total_variation"),
    *("DeepSurvLoss", "OrdinalCE"),
]


@pytest.mark.parametrize("name", MENDED)
def test_a_fault_that_was_missed_is_named(name):
    case = THEIRS[name]
    assert any(found(case.loss, fault) for fault in case.faults)


def weighted_dice(weights, skip=0):
    def loss(logits, labels):
        p = logits.softmax(1).flatten(2)
        hot = F.one_hot(labels, logits.shape[1]).movedim(-1, 1).to(p).flatten(2)
        score = (2 * (p * hot).sum((0, 2)) + 1) / (p.sum((0, 2)) + hot.sum((0, 2)) + 1)
        w = torch.tensor(weights).to(score)
        return 1 - (w * score)[skip:].sum() / w[skip:].sum()

    return loss


def half_of_the_last(logits, labels):
    """A cross-entropy in which the last class has half the weight."""
    return F.cross_entropy(logits, labels, weight=torch.tensor([1.0, 1.0, 0.5]).to(logits))


def levels_apart(logits, labels):
    """The earth mover's distance: a neighbouring class costs half of what the next one costs."""
    hot = F.one_hot(labels, logits.shape[1]).movedim(-1, 1)
    return (logits.softmax(1) - hot).cumsum(1).abs().sum(1).mean()


SOUND = {
    "small last class": weighted_dice([1.0, 1.0, 0.3]),
    "without the background": weighted_dice([1.0, 1.0, 1.0], skip=1),
    "half a weight": half_of_the_last,
    "ordered classes": levels_apart,
}


@pytest.mark.parametrize("loss", SOUND.values(), ids=SOUND)
def test_classes_that_weigh_less_are_not_left_out(loss):
    assert not found(loss, "labels-left-out")


class Triplets(nn.Module):
    """A margin that every triplet of a hard batch violates changes only the value."""

    def __init__(self, m=9.0):
        super().__init__()
        self.m = m

    def forward(self, anchor, positive, negative):
        near, far = (anchor - positive).square().sum(1), (anchor - negative).square().sum(1)
        return (near - far + self.m).clamp_min(0).mean()


def test_a_margin_that_is_a_constant_is_not_unused():
    assert not found(Triplets(), "unused-argument")


def test_a_guess_from_shapes_accuses_nobody():
    """Three tensors of one shape are a triplet only by their names, if only the negated loss fits."""

    def velocity(pred, start, end):
        return (pred - (end - start)).square().mean()

    def triplet_of_names(anchor, positive, negative):
        return (anchor - negative).square().mean() - (anchor - positive).square().mean()

    assert not roles.says(roles.TRIPLETS, "velocity pred start end")
    assert not battery.run(Subject.of(velocity)).exit_code()
    assert found(triplet_of_names, "rewards-errors")


def test_a_number_of_masks_is_no_tensor():
    def mask_dice(inputs, targets, num_masks):
        p = inputs.sigmoid().flatten(1)
        t = targets.flatten(1)
        return (1 - (2 * (p * t).sum(-1) + 1) / (p.sum(-1) + t.sum(-1) + 1)).sum() / num_masks

    assert Subject.of(mask_dice).spec.kind == "binary"
    assert Subject.of(functools.partial(mask_dice, num_masks=8)).spec.kind == "binary"
