"""Segmentation: overlaps, and cross-entropy of masks."""

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from check.cases import faulty, sound


@sound("tutorial: binary Dice of logits, smoothed on both sides")
def dice_of_logits(logits, mask):
    p = logits.sigmoid().flatten(1)
    t = mask.flatten(1)
    return (1 - (2 * (p * t).sum(1) + 1) / (p.sum(1) + t.sum(1) + 1)).mean()


@sound("question: Dice plus BCE for a U-Net")
class DicePlusBCE(nn.Module):
    def forward(self, logits, mask):
        bce = F.binary_cross_entropy_with_logits(logits, mask)
        p = logits.sigmoid()
        return bce + 1 - (2 * (p * mask).sum() + 1.0) / (p.sum() + mask.sum() + 1.0)


@sound("repository: soft Jaccard of several classes, class indices")
class JaccardOfClasses(nn.Module):
    def forward(self, logits, labels):
        p = logits.softmax(1)
        hot = F.one_hot(labels, logits.shape[1]).movedim(-1, 1).to(p)
        dims = (0, *range(2, p.dim()))
        both = (p * hot).sum(dims)
        either = (p + hot - p * hot).sum(dims)
        return 1 - ((both + 1e-3) / (either + 1e-3)).mean()


@sound("repository: Dice of several classes without the background")
def dice_without_background(logits, labels):
    p = logits.softmax(1)[:, 1:].flatten(2)
    hot = F.one_hot(labels, logits.shape[1]).movedim(-1, 1).to(p)[:, 1:].flatten(2)
    score = (2 * (p * hot).sum(-1) + 1) / (p.sum(-1) + hot.sum(-1) + 1)
    return 1 - score.mean()


@sound("repository: Tversky with its own weights of the two mistakes")
class Tversky(nn.Module):
    def __init__(self, alpha=0.3, beta=0.7):
        super().__init__()
        self.alpha, self.beta = alpha, beta

    def forward(self, logits, mask):
        p, t = logits.sigmoid().flatten(1), mask.flatten(1)
        hit = (p * t).sum(1)
        over, under = (p * (1 - t)).sum(1), ((1 - p) * t).sum(1)
        return 1 - ((hit + 1) / (hit + self.alpha * over + self.beta * under + 1)).mean()


@sound("repository: focal Tversky, its exponent is called alpha")
class FocalTversky(nn.Module):
    def __init__(self, alpha=0.75):
        super().__init__()
        self.alpha = alpha

    def forward(self, logits, mask):
        p, t = logits.sigmoid().flatten(1), mask.flatten(1)
        hit, over, under = (p * t).sum(1), (p * (1 - t)).sum(1), ((1 - p) * t).sum(1)
        return ((1 - (hit + 1) / (hit + 0.3 * over + 0.7 * under + 1)).clamp_min(1e-6) ** self.alpha).mean()


@sound("question: binary cross-entropy with positives weighted")
def weighted_bce(logits, mask):
    return F.binary_cross_entropy_with_logits(logits, mask, pos_weight=torch.tensor(4.0, dtype=logits.dtype))


@sound("repository: Dice of the foreground channel, channels last in one piece")
class DiceOfProbabilities(nn.Module):
    def forward(self, probabilities, mask):
        both = (probabilities * mask).sum()
        return 1 - (2 * both + 1e-5) / ((probabilities**2).sum() + (mask**2).sum() + 1e-5)


@sound("repository: a loss that returns its parts in a dict")
class PartsInADict(nn.Module):
    def forward(self, logits, mask):
        p = logits.sigmoid()
        dice = 1 - (2 * (p * mask).sum() + 1) / (p.sum() + mask.sum() + 1)
        bce = F.binary_cross_entropy_with_logits(logits, mask)
        return {"dice": dice.item(), "loss": bce + dice, "bce": bce.detach()}


@sound("repository: masked BCE, a mask of what was labelled")
def masked_bce(pred, target, mask):
    each = F.binary_cross_entropy_with_logits(pred, target, reduction="none")
    return (each * mask).sum() / mask.sum().clamp_min(1)


@faulty("contradicts-claim", thread="issue: Dice without the factor 2, smoothed; a perfect mask costs a half")
def dice_without_two(logits, mask):
    p = logits.sigmoid().flatten(1)
    t = mask.flatten(1)
    return (1 - ((p * t).sum(1) + 1) / (p.sum(1) + t.sum(1) + 1)).mean()


@faulty("no-graph", thread="question: Dice of thresholded probabilities does not train")
def thresholded_dice(logits, mask):
    p = (logits.sigmoid() > 0.5).float()
    return 1 - (2 * (p * mask).sum() + 1) / (p.sum() + mask.sum() + 1)


@faulty("no-graph", thread="question: Dice in numpy, wrapped with requires_grad")
def dice_in_numpy(logits, mask):
    p = 1 / (1 + np.exp(-logits.detach().cpu().numpy()))
    t = mask.cpu().numpy()
    score = (2 * (p * t).sum() + 1) / (p.sum() + t.sum() + 1)
    return torch.tensor(1 - score, requires_grad=True)


@faulty("rewards-errors", thread="question: Dice goes up, the coefficient is returned as it is")
def dice_coefficient(logits, mask):
    p = logits.sigmoid()
    return (2 * (p * mask).sum() + 1) / (p.sum() + mask.sum() + 1)


@faulty("one-label-only", "not-finite", thread="question: NaN at the first image without foreground")
def dice_without_smoothing(logits, mask):
    p = (logits.sigmoid()).flatten(1)
    t = mask.flatten(1)
    return (1 - 2 * (p * t).sum(1) / (p.sum(1) + t.sum(1))).mean()


@faulty("below-zero", thread="question: Dice loss goes below zero, the constant is in the numerator alone")
def smooth_above_only(logits, mask):
    p, t = logits.sigmoid().flatten(1), mask.flatten(1)
    return (1 - (2 * (p * t).sum(1) + 1) / (p.sum(1) + t.sum(1) + 1e-6)).mean()


@faulty("activated-twice", "misused-function", thread="issue: sigmoid before BCEWithLogitsLoss")
def sigmoid_then_logits(output, mask):
    return F.binary_cross_entropy_with_logits(torch.sigmoid(output), mask)


@faulty("wrong-answers-unlearnt", thread="question: BCE of clamped probabilities stops learning")
def clamped_scores(logits, mask):
    p = logits.clamp(-3, 3).sigmoid()
    return -(mask * p.log() + (1 - mask) * (1 - p).log()).mean()


@faulty("not-finite", "float64-disagrees", thread="question: log of a sigmoid is -inf")
def log_of_sigmoid(logits, mask):
    p = logits.sigmoid()
    return -(mask * p.log() + (1 - mask) * (1 - p).log()).mean()


@faulty("masked-counts", thread="question: mean over what the mask leaves out too")
def mask_mean_over_all(pred, target, mask):
    return (F.binary_cross_entropy_with_logits(pred, target, reduction="none") * mask).mean()


@faulty("wrong-dimension", thread="question: softmax over the batch in a Dice of several classes")
def softmax_over_batch(logits, labels):
    p = logits.softmax(0)
    hot = F.one_hot(labels, logits.shape[1]).movedim(-1, 1).to(p)
    dims = tuple(range(2, p.dim()))
    return 1 - ((2 * (p * hot).sum(dims) + 1) / (p.sum(dims) + hot.sum(dims) + 1)).mean()


@faulty("wrong-dimension", thread="issue: softmax without dim on a map of scores")
def softmax_over_rows(logits, labels):
    p = F.softmax(logits, dim=-1)
    hot = F.one_hot(labels, logits.shape[1]).movedim(-1, 1).to(p)
    return -(hot * (p + 1e-7).log()).sum(1).mean()


@faulty("changes-inputs", thread="question: my labels lose their 255 after the first epoch")
class ClearsIgnored(nn.Module):
    def __init__(self, ignore_label=255):
        super().__init__()
        self.ignore_label = ignore_label

    def forward(self, logits, labels):
        keep = labels != self.ignore_label
        labels[~keep] = 0
        each = F.cross_entropy(logits, labels, reduction="none")
        return each[keep].sum() / keep.sum().clamp_min(1)


@faulty(
    "ignored-changes-value",
    "ignored-gets-gradient",
    thread="PAINS 1: ignore_lb is accepted, border pixels are trained as class 0",
)
class IgnoreLbIsZeroed(nn.Module):
    def __init__(self, ignore_lb=255):
        super().__init__()
        self.ignore_lb = ignore_lb

    def forward(self, logits, labels):
        labels = labels.where(labels != self.ignore_lb, torch.zeros_like(labels))
        return F.cross_entropy(logits, labels)


@faulty("labels-left-out", thread="issue: the last class has no term in a per-class Dice")
def last_class_left_out(logits, labels):
    p = logits.sigmoid()
    total = 0.0
    for c in range(logits.shape[1] - 1):
        t = (labels == c).to(p)
        q = p[:, c]
        total = total + 1 - (2 * (q * t).sum() + 1) / (q.sum() + t.sum() + 1)
    return total / (logits.shape[1] - 1)


@faulty("labels-left-out", thread="issue: a loop over half of the batch")
def first_samples_only(logits, mask):
    n = max(len(logits) // 2, 1)
    return F.binary_cross_entropy_with_logits(logits[:n], mask[:n])


@faulty("one-label-only", "not-finite", thread="PAINS 9: mean over the pixels of each class, one class absent")
def balanced_by_class(logits, mask):
    each = F.binary_cross_entropy_with_logits(logits, mask, reduction="none")
    return 0.5 * (each[mask > 0.5].mean() + each[mask <= 0.5].mean())
