"""Faulty losses that were written before the checker was mended, and run once after it."""

import torch
import torch.nn.functional as F
from torch import nn

from check.cases import faulty


@faulty("no-graph", thread="question: IoU of rounded masks", aside=True)
class RoundedIoU(nn.Module):
    def forward(self, outputs, targets):
        p = outputs.sigmoid().round()
        both = (p * targets).sum()
        return 1 - (both + 1) / (p.sum() + targets.sum() - both + 1)


@faulty("no-graph", thread="question: F1 from argmax", aside=True)
def macro_f1(logits, labels):
    said = logits.argmax(1)
    scores = []
    for c in range(logits.shape[1]):
        hit = ((said == c) & (labels == c)).sum().float()
        scores.append((2 * hit + 1) / ((said == c).sum() + (labels == c).sum() + 1))
    return 1 - torch.stack(scores).mean()


@faulty("no-graph", thread="question: with torch.no_grad around the loss", aside=True)
def under_no_grad(pred, target):
    with torch.no_grad():
        loss = F.smooth_l1_loss(pred, target)
    return loss  # noqa: RET504 - as people write it


@faulty("no-graph", thread="question: loss from lists, tolist()", aside=True)
def through_lists(pred, target):
    pairs = zip(pred.flatten().tolist(), target.flatten().tolist(), strict=True)
    return torch.tensor(sum((a - b) ** 2 for a, b in pairs) / pred.numel(), requires_grad=True)


@faulty("rewards-errors", thread="question: cosine similarity instead of one minus it", aside=True)
def cosine_without_minus(first, second):
    return F.cosine_similarity(first, second, dim=1).mean()


@faulty("rewards-errors", thread="question: SSIM is returned, not 1 - SSIM", aside=True)
def correlation_of_images(pred, target):
    dx = pred - pred.mean((-1, -2), keepdim=True)
    dy = target - target.mean((-1, -2), keepdim=True)
    cov = (dx * dy).mean((-1, -2))
    return ((2 * cov + 1e-3) / (dx.square().mean((-1, -2)) + dy.square().mean((-1, -2)) + 1e-3)).mean()


@faulty("rewards-errors", thread="question: -log replaced by log in a binary loss", aside=True)
def plus_log(logits, mask):
    return (mask * F.logsigmoid(logits) + (1 - mask) * F.logsigmoid(-logits)).mean()


@faulty(
    "activated-twice", "misused-function", thread="issue: softmax inside a focal loss of softmax outputs", aside=True
)
class FocalAfterSoftmax(nn.Module):
    def forward(self, inputs, targets):
        p = inputs.softmax(1)
        logp = p.log_softmax(1).gather(1, targets.unsqueeze(1)).squeeze(1)
        return (-((1 - logp.exp()) ** 2) * logp).mean()


@faulty("misused-function", "not-finite", thread="question: NLLLoss of raw scores falls without bound", aside=True)
def nll_of_logits(output, target):
    return F.nll_loss(output, target)


@faulty("wrong-dimension", thread="question: log_softmax over the width of the image", aside=True)
class LogSoftmaxOfWidth(nn.Module):
    def __init__(self):
        super().__init__()
        self.nll = nn.NLLLoss()

    def forward(self, logits, labels):
        return self.nll(F.log_softmax(logits, dim=-1 if logits.dim() > 2 else 0), labels)


@faulty("not-finite", thread="question: MAPE with a target of 0", aside=True)
def mape(pred, target):
    if pred.shape != target.shape:
        raise ValueError("shapes differ")
    return ((pred - target) / target).abs().mean()


@faulty("not-finite", thread="question: exp of the prediction overflows in a Poisson loss", aside=True)
def exponential_error(pred, target):
    if pred.shape != target.shape:
        raise ValueError("shapes differ")
    return (pred.exp() - target.exp()).square().mean()


@faulty("one-label-only", "not-finite", thread="PAINS 9: no positive box in the batch", aside=True)
def divided_by_positives(logits, mask):
    each = F.binary_cross_entropy_with_logits(logits, mask, reduction="none")
    return each.sum() / mask.sum()


@faulty("one-label-only", "not-finite", thread="question: generalised Dice with 1 / volume**2", aside=True)
class GeneralisedDice(nn.Module):
    def forward(self, logits, labels):
        p = logits.softmax(1).flatten(2)
        hot = F.one_hot(labels, logits.shape[1]).movedim(-1, 1).to(p).flatten(2)
        w = 1 / hot.sum(-1) ** 2
        return 1 - (2 * (w * (p * hot).sum(-1)).sum(1) / (w * (p + hot).sum(-1)).sum(1)).mean()


@faulty("below-zero", thread="question: IoU loss of -1e6 on empty images", aside=True)
def jaccard_smoothed_above(logits, mask):
    p, t = logits.sigmoid().flatten(1), mask.flatten(1)
    both = (p * t).sum(1)
    return (1 - (both + 1) / (p.sum(1) + t.sum(1) - both + 1e-7)).mean()


@faulty("changes-inputs", thread="question: ignored pixels are set to class 0 in the batch itself", aside=True)
class VoidToBackground(nn.Module):
    def __init__(self, ignore_index=255):
        super().__init__()
        self.ignore_index = ignore_index

    def forward(self, logits, labels):
        valid = labels != self.ignore_index
        labels[labels == self.ignore_index] = 0
        return (F.cross_entropy(logits, labels, reduction="none") * valid).sum() / valid.sum().clamp_min(1)


@faulty(
    "ignored-changes-value", "ignored-gets-gradient", thread="PAINS 1: void pixels are clamped into a class", aside=True
)
class VoidClamped(nn.Module):
    def __init__(self, void=255):
        super().__init__()
        self.void = void

    def forward(self, logits, labels):
        return F.cross_entropy(logits, labels.clamp(max=logits.shape[1] - 1))


@faulty("masked-counts", thread="question: padding counts in the denominator of a token loss", aside=True)
def token_mask_over_all(logits, labels, mask):
    return (F.cross_entropy(logits, labels, reduction="none") * mask).mean()


@faulty("unused-argument", thread="PAINS 1: label_smoothing is accepted and lost", aside=True)
class SmoothingLost(nn.Module):
    def __init__(self, label_smoothing=0.0, reduction="mean"):
        super().__init__()
        self.label_smoothing, self.reduction = label_smoothing, reduction

    def forward(self, logits, labels):
        return F.cross_entropy(logits, labels, reduction=self.reduction)


@faulty("reductions-disagree", thread="PAINS 18: mean divides by the batch and sum by nothing", aside=True)
class MeanOfBatch(nn.Module):
    def __init__(self, reduction="mean"):
        super().__init__()
        self.reduction = reduction

    def forward(self, logits, mask):
        each = F.binary_cross_entropy_with_logits(logits, mask, reduction="none")
        if self.reduction == "none":
            return each
        return each.sum() / len(logits) if self.reduction == "mean" else each.sum()


@faulty("wrong-answers-unlearnt", thread="question: probabilities clamped to [0.01, 0.99]", aside=True)
def clamped_probabilities(logits, mask):
    p = logits.sigmoid().clamp(0.01, 0.99)
    return -(mask * p.log() + (1 - mask) * (1 - p).log()).mean()


@faulty("labels-left-out", thread="issue: negatives are dropped from a multi-label loss", aside=True)
def positives_only(logits, labels):
    return -(labels * F.logsigmoid(logits)).sum() / labels.sum().clamp_min(1)


@faulty("has-memory", thread="issue: class frequencies accumulate on self", aside=True)
class Frequencies(nn.Module):
    def __init__(self):
        super().__init__()
        self.seen = 0.0

    def forward(self, pred, target):
        self.seen = self.seen + float(target.abs().mean())
        return F.l1_loss(pred, target) / self.seen


@faulty("slope-disagrees", thread="issue: weights of hard samples are taken from .data", aside=True)
def hard_by_data(pred, target):
    if pred.shape != target.shape:
        raise ValueError("shapes differ")
    error = (pred - target).abs()
    return (error.data * error).mean()


@faulty("broadcasts", thread="PAINS 10: Huber by hand, (N, 1) against (N,)", aside=True)
class HandmadeHuber(nn.Module):
    def forward(self, pred, target):
        d = (pred - target).abs()
        return torch.where(d < 1, 0.5 * d * d, d - 0.5).mean()


@faulty("not-finite", thread="question: sqrt of a distance of 0 in a contrastive loss", aside=True)
def contrastive_sqrt(a, b, y):
    d = (a - b).pow(2).sum(1).sqrt()
    return (y * d.pow(2) + (1 - y) * (1 - d).clamp_min(0).pow(2)).mean()
