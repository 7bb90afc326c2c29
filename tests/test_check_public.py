"""Losses in the manner of public code that were accused wrongly, and twins of them with a fault that is reported."""

from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from losskit.checker import battery
from losskit.checker.checks.slopes import second_derivative
from losskit.checker.finding import FAULTS
from losskit.checker.quantities.promised import cases_of, differences
from losskit.checker.subject import Subject


def faults(loss, *select):
    return [f.check for f in battery.run(Subject.of(loss), select=select) if f.severity in FAULTS]


class SmoothedRows(nn.Module):
    """Label smoothing of rows of logits."""

    def __init__(self, epsilon: float = 0.1):
        super().__init__()
        self.epsilon = epsilon

    def forward(self, preds: Tensor, target: Tensor) -> Tensor:
        logs = F.log_softmax(preds, dim=-1)
        even = -logs.sum(-1).mean() / preds.size(-1)
        return self.epsilon * even + (1 - self.epsilon) * F.nll_loss(logs, target)


class SmoothedMaps(SmoothedRows):
    """Label smoothing of segmentation maps, logits (N, C, H, W)."""


def auc_surrogate(logits: Tensor, labels: Tensor) -> Tensor:
    """Hinge of each pair of a positive and a negative sample, logits (N, 2)."""
    scores = logits.softmax(1)[:, 1]
    high, low = scores[labels == 1], scores[labels == 0]
    if len(high) == 0 or len(low) == 0:
        return logits.sum() * 0
    return F.relu(1.0 - (high[:, None] - low[None])).mean()


def masked_pairs(predictions: Tensor, targets: Tensor, mask: Tensor) -> Tensor:
    """Masked squared error.

    predictions: (Batch, Num_Texts, 2)
    targets: (Batch, Num_Texts, 2)
    mask: (Batch, Num_Texts), 1 for a text and 0 for padding
    """
    total = predictions.new_zeros(())
    for i in range(2):
        error = (predictions[:, :, i] - targets[:, :, i]).square() * mask.float()
        total = total + error.sum() / mask.sum().clamp(min=1)
    return total / 2


def spectral_angle(pred: Tensor, ref: Tensor) -> Tensor:
    """Mean angle between spectra, (N, C, H, W), in degrees."""
    cos = F.cosine_similarity(pred, ref, dim=1).clamp(-1 + 1e-6, 1 - 1e-6)
    return cos.acos().mean() * 180 / math.pi


class FocalOfClasses(nn.Module):
    """Focal loss: (1 - p)^gamma times the cross entropy, p the probability of the true class."""

    def __init__(self, gamma: float = 2.0):
        super().__init__()
        self.gamma = gamma

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        each = F.cross_entropy(input, target, reduction="none")
        return ((1 - torch.exp(-each)).clamp(min=1e-8) ** self.gamma * each).mean()


class Siamese(nn.Module):
    """Contrastive loss; label: shape (N, 1), 0 for the same person and 1 for different ones."""

    def __init__(self, margin: float = 2.0, keepdim: bool = True):
        super().__init__()
        self.margin, self.keepdim = margin, keepdim

    def forward(self, out1: Tensor, out2: Tensor, label: Tensor) -> Tensor:
        d = F.pairwise_distance(out1, out2, keepdim=self.keepdim)
        return torch.mean((1 - label) * d.pow(2) + label * (self.margin - d).clamp(min=0).pow(2))


class Crossed(Siamese):
    """Contrastive loss; label: shape (N, 1), 0 for the same person and 1 for different ones."""

    def forward(self, out1: Tensor, out2: Tensor, label: Tensor) -> Tensor:
        d = F.pairwise_distance(out1, out2)
        return torch.mean((1 - label) * d.pow(2) + label * (self.margin - d).clamp(min=0).pow(2))


def two_reductions(p: Tensor, target: Tensor, eps: float = 1e-5, reduction: str = "mean") -> Tensor:
    """Dice loss of instance masks; p: (N, H, W) probabilities, target: (N, H, W) masks; 'mean' or 'none'."""
    p, target = p.flatten(1), target.flatten(1)
    loss = 1 - (2 * (p * target).sum(1) + eps) / (p.square().sum(1) + target.square().sum(1) + eps)
    return loss.mean() if reduction == "mean" else loss


@pytest.mark.parametrize(
    ("loss", "reported"),
    [
        (SmoothedRows(), []),
        (SmoothedMaps(), ["wrong-dimension"]),
        (auc_surrogate, []),
        (masked_pairs, []),
        (spectral_angle, []),
        (FocalOfClasses(), []),
        (Siamese(), []),
        (Crossed(), ["samples-crossed"]),
        (two_reductions, []),
    ],
    ids=lambda each: getattr(each, "__name__", type(each).__name__),
)
def test_only_the_twin_with_a_fault_is_reported(loss, reported):
    checks = ("wrong-dimension", "labels-left-out", "contradicts-claim", "float64-disagrees", "not-finite")
    further = ("rewards-errors", "samples-crossed", "reductions-disagree", "one-edit-from-formula")
    assert faults(loss, *checks, *further) == reported


def halved_errors(logits: Tensor, target: Tensor) -> Tensor:
    """Dice loss, from half of the errors."""
    p = logits.sigmoid().flatten(1)
    t = target.flatten(1)
    tp, fp, fn = (p * t).sum(1), (p * (1 - t)).sum(1), ((1 - p) * t).sum(1)
    fp *= 0.5
    fn *= 0.5
    return (1 - (tp + 1) / (tp + fp + fn + 1)).mean()


def error_called_pt(pred: Tensor, target: Tensor, gamma: float = 2.0) -> Tensor:
    """Focal loss whose pt is the error, as in detection libraries."""
    p = pred.sigmoid()
    pt = (1 - p) * target + p * (1 - target)
    focal_weight = pt.pow(gamma)
    return (F.binary_cross_entropy_with_logits(pred, target, reduction="none") * focal_weight).mean()


def agreement(z0: Tensor, z1: Tensor) -> Tensor:
    """InfoNCE of two views, from their similarities."""
    out = F.normalize(torch.cat([z0, z1]), dim=1)
    cov = out @ out.T
    own = torch.eye(len(out), dtype=torch.bool)
    return F.cross_entropy((cov / 0.1).masked_fill(own, -1e9), torch.arange(len(out)).roll(len(z0)))


def distances_of_rows(z1: Tensor, z2: Tensor) -> Tensor:
    """Deep CORAL of two batches of features."""
    cov_1, cov = torch.cov(z1), torch.cov(z2)
    return (cov_1 - cov).square().mean()


@pytest.mark.parametrize("loss", [halved_errors, error_called_pt, agreement])
def test_names_with_another_meaning_are_no_fault(loss):
    assert differences(cases_of(Subject.of(loss))) == []


def test_a_covariance_of_rows_is_reported():
    said = differences(cases_of(Subject.of(distances_of_rows)))
    assert said
    assert all("another shape than the covariance" in each.what for each in said)


def absolute(input: Tensor, target: Tensor) -> Tensor:
    return (input - target).abs().mean()


def test_a_kink_at_an_example_has_no_second_derivative(monkeypatch):
    """At input = target the slope jumps from -1 to 1, so that quotients of differences grow as the step shrinks."""
    subject = Subject.of(absolute)
    _, target = subject.example(dtype=torch.float64)
    monkeypatch.setattr(Subject, "example", lambda self, *_, **__: (target.clone(), target))
    assert list(second_derivative(subject)) == []
