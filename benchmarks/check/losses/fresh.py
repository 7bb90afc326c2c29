"""Losses that were written after the checker was mended, of kinds that it had not been mended for."""

import torch
import torch.nn.functional as F
from torch import nn

from check.cases import faulty, sound


@sound("repository: ArcFace with its own weights, five identities")
class ArcFace(nn.Module):
    def __init__(self, num_classes=5, dim=3):
        super().__init__()
        torch.manual_seed(0)
        self.weight = nn.Parameter(torch.randn(num_classes, dim))

    def forward(self, embeddings, labels):
        cosine = F.linear(F.normalize(embeddings), F.normalize(self.weight.to(embeddings)))
        margin = 0.2 * F.one_hot(labels, len(self.weight))
        return F.cross_entropy(10 * (cosine - margin), labels)


@sound("detection: focal loss of Gaussian heatmaps")
def heatmap_focal(logits, heatmap):
    yes, no = F.logsigmoid(logits), F.logsigmoid(-logits)
    p = logits.sigmoid()
    at = heatmap.eq(1).to(p)
    cost = at * yes * (1 - p) ** 2 + (1 - at) * no * p**2 * (1 - heatmap) ** 4
    return -cost.sum() / at.sum().clamp_min(1)


@sound("forecasting: one quantile")
class Pinball(nn.Module):
    def __init__(self, quantile=0.9):
        super().__init__()
        self.quantile = quantile

    def forward(self, prediction, target):
        if prediction.shape != target.shape:
            raise ValueError("shapes differ")
        error = target - prediction
        return torch.maximum(self.quantile * error, (self.quantile - 1) * error).mean()


@sound("insurance: Poisson deviance of log-rates")
def poisson_of_logs(log_rate, count):
    if log_rate.shape != count.shape:
        raise ValueError("shapes differ")
    return (log_rate.exp() - count * log_rate).mean()


@sound("metric learning: multi-similarity with labels")
class MultiSimilarity(nn.Module):
    def forward(self, embeddings, labels):
        z = F.normalize(embeddings, dim=1)
        s = z @ z.T
        same = labels.unsqueeze(0) == labels.unsqueeze(1)
        self_ = torch.eye(len(z), dtype=torch.bool)
        near = (-2 * (s - 0.5)).exp().masked_fill(~same | self_, 0.0).sum(1)
        far = (10 * (s - 0.5)).exp().masked_fill(same, 0.0).sum(1)
        return ((1 + near).log() / 2 + (1 + far).log() / 10).mean()


@sound("translation: label smoothing as a divergence")
class SmoothedDivergence(nn.Module):
    def forward(self, logits, labels):
        target = torch.full_like(logits, 0.1 / (logits.shape[1] - 1))
        target.scatter_(1, labels.unsqueeze(1), 0.9)
        return F.kl_div(logits.log_softmax(1), target, reduction="sum") / labels.numel()


@sound("language model: logits (N, L, C), labels (N, L)")
def tokens(logits, labels):
    if logits.dim() != 3:
        raise ValueError("logits (N, L, C)")
    return F.cross_entropy(logits.reshape(-1, logits.shape[-1]), labels.reshape(-1))


@sound("quality assessment: earth mover's distance of histograms")
def earth_mover(logits, histogram):
    if logits.shape != histogram.shape:
        raise ValueError("shapes differ")
    gap = (logits.softmax(1) - histogram).cumsum(1)
    return (gap.square().mean(1) + 1e-12).sqrt().mean()


@sound("segmentation: Dice with a weight for each class")
class WeightedDice(nn.Module):
    def __init__(self, class_weights=None):
        super().__init__()
        self.class_weights = class_weights

    def forward(self, logits, labels):
        p = logits.softmax(1).flatten(2)
        hot = F.one_hot(labels, logits.shape[1]).movedim(-1, 1).to(p).flatten(2)
        score = (2 * (p * hot).sum((0, 2)) + 1) / (p.sum((0, 2)) + hot.sum((0, 2)) + 1)
        w = torch.ones_like(score) if self.class_weights is None else torch.as_tensor(self.class_weights).to(score)
        return 1 - (w * score).sum() / w.sum()


@sound("depth: scale-invariant logarithmic error, valid pixels only")
def silog(pred, target, valid_mask):
    d = (pred - target) * valid_mask
    n = valid_mask.sum().clamp_min(1)
    return (d.square().sum() / n - 0.5 * (d.sum() / n) ** 2 + 1e-8).sqrt()


@faulty("no-graph", thread="question: torch.where makes the mask, then IoU")
def where_threshold(output, target):
    p = torch.where(output > 0, torch.ones_like(output), torch.zeros_like(output))
    both = (p * target).sum()
    return 1 - (both + 1) / (p.sum() + target.sum() - both + 1)


@faulty(
    "rewards-errors",
    "labels-left-out",
    "wrong-answers-unlearnt",
    thread="question: labels from 1 to C, in a set from 0",
)
def labels_minus_one(output, target):
    return F.cross_entropy(output, (target - 1).clamp_min(0))


@faulty("rewards-errors", thread="question: contrastive loss with 0 for alike, labels of 1 for alike")
def contrastive_inverted(x1, x2, label):
    if not bool((label >= 0).all()):
        raise ValueError("0 or 1")
    d = (x1 - x2).square().sum(1)
    far = (2 - (d + 1e-8).sqrt()).clamp_min(0).square()
    return -(label * d + (1 - label) * far).mean()


@faulty("not-finite", thread="question: log(1 - softmax) of a sure answer")
def complement(x, y):
    p = x.softmax(1)
    hot = F.one_hot(y, x.shape[1]).movedim(-1, 1).to(p)
    return -(hot * p.log() + (1 - hot) * (1 - p).log()).sum(1).mean()


@faulty("not-finite", thread="question: cosine by hand, NaN for a zero vector")
def cosine_by_hand(prediction, target):
    if prediction.shape != target.shape:
        raise ValueError("shapes differ")
    dots = (prediction * target).sum(-1)
    return (1 - dots / (prediction.square().sum(-1).sqrt() * target.square().sum(-1).sqrt())).mean()


@faulty("slope-disagrees", thread="question: two losses divided by their own values")
def balanced_by_item(pred, target):
    a, b = F.l1_loss(pred, target), F.mse_loss(pred, target)
    return a / (a.item() + 1e-8) + b


@faulty("unused-argument", thread="issue: alpha is stored, the focal loss does not use it")
class AlphaUnused(nn.Module):
    def __init__(self, alpha=0.25, gamma=2.0):
        super().__init__()
        self.alpha, self.gamma = alpha, gamma

    def forward(self, logits, targets):
        bce = F.binary_cross_entropy_with_logits(logits, targets, reduction="none")
        return ((1 - (-bce).exp()) ** self.gamma * bce).mean()


@faulty("no-graph", thread="question: loss.data is returned")
class ReturnsData(nn.Module):
    def forward(self, logits, labels):
        return F.cross_entropy(logits, labels).data


@faulty("wrong-dimension", thread="question: Dice with a softmax over height")
class SoftmaxOverHeight(nn.Module):
    def forward(self, logits, labels):
        p = logits.softmax(2) if logits.dim() > 2 else logits.softmax(0)
        hot = F.one_hot(labels, logits.shape[1]).movedim(-1, 1).to(p)
        return 1 - (2 * (p * hot).sum() + 1) / (p.sum() + hot.sum() + 1)


@faulty("one-label-only", "not-finite", thread="question: weights from the inverse frequency of the batch")
def inverse_frequency(logits, mask):
    share = mask.mean()
    weight = mask / share + (1 - mask) / (1 - share)
    return (weight * F.binary_cross_entropy_with_logits(logits, mask, reduction="none")).mean()
