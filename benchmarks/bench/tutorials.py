"""Common tutorial snippets, with smooth 0 and gamma 2, so that they compute the same as the others."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from bench.formulas import ALPHA, BETA


def _flat(inputs: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
    """(C, positions): the flattened single channel, or softmax and one-hot target."""
    if inputs.shape[1] == 1:
        return torch.sigmoid(inputs).view(1, -1), targets.view(1, -1)
    hot = F.one_hot(targets, inputs.shape[1]).movedim(-1, 1).float()
    return F.softmax(inputs, 1).transpose(0, 1).flatten(1), hot.transpose(0, 1).flatten(1)


def dice(inputs: Tensor, targets: Tensor, smooth: float = 0.0) -> Tensor:
    inputs, targets = _flat(inputs, targets)
    intersection = (inputs * targets).sum(1)
    return (1 - (2.0 * intersection + smooth) / (inputs.sum(1) + targets.sum(1) + smooth)).mean()


def jaccard(inputs: Tensor, targets: Tensor, smooth: float = 0.0) -> Tensor:
    inputs, targets = _flat(inputs, targets)
    intersection = (inputs * targets).sum(1)
    union = (inputs + targets).sum(1) - intersection
    return (1 - (intersection + smooth) / (union + smooth)).mean()


def tversky(inputs: Tensor, targets: Tensor, smooth: float = 0.0, alpha: float = ALPHA, beta: float = BETA) -> Tensor:
    inputs, targets = _flat(inputs, targets)
    tp = (inputs * targets).sum(1)
    fp = ((1 - targets) * inputs).sum(1)
    fn = (targets * (1 - inputs)).sum(1)
    return (1 - (tp + smooth) / (tp + alpha * fp + beta * fn + smooth)).mean()


def bce(inputs: Tensor, targets: Tensor) -> Tensor:
    inputs, targets = torch.sigmoid(inputs).view(-1), targets.view(-1)
    return F.binary_cross_entropy(inputs, targets)


def ce(inputs: Tensor, targets: Tensor) -> Tensor:
    return F.nll_loss(F.log_softmax(inputs, 1), targets)


def focal(inputs: Tensor, targets: Tensor, gamma: float = 2.0) -> Tensor:
    if inputs.shape[1] == 1:
        loss = F.binary_cross_entropy_with_logits(inputs, targets, reduction="none")
    else:
        loss = F.cross_entropy(inputs, targets, reduction="none")
    pt = torch.exp(-loss)
    return ((1 - pt) ** gamma * loss).mean()


def lovasz(inputs: Tensor, targets: Tensor) -> Tensor:
    """Per image, as in the code of the paper (Berman, Triki, Blaschko 2018, arXiv:1705.08790)."""
    if inputs.shape[1] == 1:
        losses = [_hinge(x.view(-1), t.view(-1)) for x, t in zip(inputs, targets, strict=True)]
        return sum(losses, inputs.new_zeros(())) / len(losses)
    probabilities = F.softmax(inputs, 1)
    losses = [_classes(p.flatten(1), t.view(-1)) for p, t in zip(probabilities, targets, strict=True)]
    return sum(losses, inputs.new_zeros(())) / len(losses)


def _hinge(logits: Tensor, labels: Tensor) -> Tensor:
    signs = 2.0 * labels.float() - 1.0
    errors, order = torch.sort(1.0 - logits * signs, dim=0, descending=True)
    return torch.dot(F.relu(errors), _steps(labels[order]))


def _classes(probabilities: Tensor, labels: Tensor) -> Tensor:
    losses = []
    for c in range(probabilities.shape[0]):
        foreground = (labels == c).float()
        if foreground.sum() == 0:
            continue
        errors, order = torch.sort((foreground - probabilities[c]).abs(), 0, descending=True)
        losses.append(torch.dot(errors, _steps(foreground[order])))
    return torch.stack(losses).mean()


def _steps(sorted_truth: Tensor) -> Tensor:
    total = sorted_truth.sum()
    intersection = total - sorted_truth.float().cumsum(0)
    union = total + (1 - sorted_truth).float().cumsum(0)
    jaccard = 1.0 - intersection / union
    jaccard[1:] = jaccard[1:] - jaccard[:-1]
    return jaccard
