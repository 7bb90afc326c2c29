"""Faults against what a loss of labels, boxes, ranks or tokens claims to be, and the grad mode that it leaves."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from faulty import BINARY, INDICES, light, light_ce, twin

BOXES = {"kind": "regression", "scores": "boxes", "target": "boxes"}
RANKS = {"kind": "ordinal", "scores": "logits", "target": "ranks"}
NEXT = {"kind": "sequence", "scores": "logits", "target": "next"}
HEATMAPS = {"kind": "regression", "scores": "probabilities", "target": "heatmap"}
TAUGHT = {"kind": "distribution", "scores": "logits", "target": "teacher-and-labels"}


class SwitchesOn(nn.Module):
    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        made = light(input, target)
        torch.set_grad_enabled(True)
        return made


twin("changes-grad-mode", light, BINARY)(SwitchesOn)


def _parts(input: Tensor, target: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Intersection, union and enclosing area of boxes."""
    low, high = torch.maximum(input[:, :2], target[:, :2]), torch.minimum(input[:, 2:], target[:, 2:])
    inter = (high - low).clamp(min=0).prod(1)
    union = (input[:, 2:] - input[:, :2]).prod(1) + (target[:, 2:] - target[:, :2]).prod(1) - inter
    hull = torch.maximum(input[:, 2:], target[:, 2:]) - torch.minimum(input[:, :2], target[:, :2])
    return inter, union, hull.prod(1)


def giou_loss(input: Tensor, target: Tensor) -> Tensor:
    inter, union, hull = _parts(input, target)
    return (1 - inter / union + (hull - union) / hull).mean()


@twin("contradicts-claim", giou_loss, BOXES)
def giou_of_intersection(input: Tensor, target: Tensor) -> Tensor:
    inter, union, hull = _parts(input, target)
    return (1 - inter / union + (hull - inter) / hull).mean()


@twin("contradicts-claim", giou_loss, BOXES)
def giou_without_clamp(input: Tensor, target: Tensor) -> Tensor:
    low, high = torch.maximum(input[:, :2], target[:, :2]), torch.minimum(input[:, 2:], target[:, 2:])
    _, union, hull = _parts(input, target)
    inter = (high - low).prod(1)
    union = (input[:, 2:] - input[:, :2]).prod(1) + (target[:, 2:] - target[:, :2]).prod(1) - inter
    return (1 - inter / union + (hull - union) / hull).mean()


class FocalLoss(nn.Module):
    """Focal loss; alpha balances positives, 1 - alpha negatives."""

    def __init__(self, alpha: float = 0.25, gamma: float = 2.0) -> None:
        super().__init__()
        self.alpha, self.gamma = alpha, gamma

    def balance(self, target: Tensor) -> Tensor:
        return self.alpha * target + (1 - self.alpha) * (1 - target)

    def factor(self, sure: Tensor) -> Tensor:
        return (1 - sure).clamp_min(1e-6) ** self.gamma

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        light(input.detach(), target)
        each = F.binary_cross_entropy_with_logits(input.float(), target.float(), reduction="none")
        return (self.balance(target.float()) * self.factor((-each).exp()) * each).sum() / max(each.numel(), 1)


class FocalOfBothSides(FocalLoss):
    """Focal loss; alpha balances positives, 1 - alpha negatives."""

    def balance(self, target: Tensor) -> Tensor:
        return self.alpha * torch.ones_like(target)


class FocalOfEasyOnes(FocalLoss):
    """Focal loss that counts easy examples most."""

    def factor(self, sure: Tensor) -> Tensor:
        return sure**self.gamma


twin("contradicts-claim", FocalLoss, BINARY)(FocalOfBothSides)
twin("contradicts-claim", FocalLoss, BINARY)(FocalOfEasyOnes)


class Smoothed(nn.Module):
    """Cross-entropy with label smoothing."""

    def __init__(self, smoothing: float = 0.1) -> None:
        super().__init__()
        self.smoothing = smoothing

    def true(self, classes: int) -> float:
        return 1 - self.smoothing

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        light_ce(input.detach(), target)
        logs = input.float().log_softmax(1)
        true = -logs.gather(1, target.long().unsqueeze(1)).squeeze(1)
        each = self.true(input.shape[1]) * true - self.smoothing * logs.mean(1)
        return each.sum() / max(each.numel(), 1)


class SmoothedAboveOne(Smoothed):
    """Cross-entropy with label smoothing."""

    def true(self, classes: int) -> float:
        return 1 - self.smoothing / classes


twin("contradicts-claim", Smoothed, INDICES)(SmoothedAboveOne)


def ordinal_levels(input: Tensor, target: Tensor) -> Tensor:
    levels = target.unsqueeze(1) > torch.arange(input.shape[1])
    return F.binary_cross_entropy_with_logits(input, levels.to(input.dtype))


@twin("contradicts-claim", ordinal_levels, RANKS)
def ordinal_levels_from_the_label_on(input: Tensor, target: Tensor) -> Tensor:
    levels = target.unsqueeze(1) >= torch.arange(input.shape[1])
    return F.binary_cross_entropy_with_logits(input, levels.to(input.dtype))


def next_token(input: Tensor, target: Tensor) -> Tensor:
    return F.cross_entropy(input[:, :-1].transpose(1, 2), target[:, 1:])


@twin("contradicts-claim", next_token, NEXT)
def token_before_the_next_one(input: Tensor, target: Tensor) -> Tensor:
    """Next token prediction."""
    return F.cross_entropy(input.transpose(1, 2), target)


def heatmap_focal(input: Tensor, target: Tensor) -> Tensor:
    p, found = input.clamp(1e-4, 1 - 1e-4), (target == 1).to(input.dtype)
    near = (1 - target) ** 4
    each = found * (1 - p) ** 2 * p.log() + (1 - found) * near * p**2 * (1 - p).log()
    return -each.sum() / found.sum().clamp(min=1)


@twin("contradicts-claim", heatmap_focal, HEATMAPS)
def heatmap_without_objects(input: Tensor, target: Tensor) -> Tensor:
    count = (target == 1).sum()
    return heatmap_focal(input, target) * count.clamp(min=1) / count


class Distillation(nn.Module):
    """Knowledge distillation; alpha weighs the soft term."""

    teacher_only = False

    def __init__(self, temperature: float = 4.0, alpha: float = 0.7) -> None:
        super().__init__()
        self.temperature, self.alpha = temperature, alpha

    def forward(self, student: Tensor, teacher: Tensor, labels: Tensor) -> Tensor:
        by = 1.0 if self.teacher_only else self.temperature
        logs, shares = (student / by).log_softmax(1), (teacher / self.temperature).softmax(1)
        soft = F.kl_div(logs, shares, reduction="batchmean") * self.temperature**2
        return self.alpha * soft + (1 - self.alpha) * F.cross_entropy(student, labels)


class DistillationOfPlainStudent(Distillation):
    """Knowledge distillation; alpha weighs the soft term."""

    teacher_only = True


twin("contradicts-claim", Distillation, TAUGHT)(DistillationOfPlainStudent)


class LogitAdjusted(nn.Module):
    """Logit adjustment for long-tailed data."""

    sign = 1.0

    def __init__(self, counts: tuple[float, ...] = (600.0, 100.0, 10.0)) -> None:
        super().__init__()
        self.register_buffer("prior", torch.as_tensor(counts).float().log())

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        shift = self.sign * self.prior.to(input.dtype)
        return light_ce(input + shift.reshape(-1, *(1,) * (input.dim() - 2)), target)


class LogitAdjustedDown(LogitAdjusted):
    """Logit adjustment for long-tailed data."""

    sign = -1.0


twin("contradicts-claim", LogitAdjusted, INDICES)(LogitAdjustedDown)


def dice_loss(input: Tensor, target: Tensor) -> Tensor:
    p, t = input.float().sigmoid().flatten(1), target.float().flatten(1)
    return (1 - (2 * (p * t).sum(1) + 1e-3) / (p.sum(1) + t.sum(1) + 1e-3)).mean()


@twin("contradicts-claim", dice_loss, BINARY)
def dice_by_halves(input: Tensor, target: Tensor) -> Tensor:
    p, t = input.float().sigmoid().flatten(1), target.float().flatten(1)
    return (1 - ((p * t).sum(1) + 1e-3) / (p.sum(1) + t.sum(1) + 1e-3)).mean()


@twin("contradicts-claim", light_ce, INDICES)
def rows_of_pixels(input: Tensor, target: Tensor) -> Tensor:
    light_ce(input.detach(), target)
    return light_ce(input.reshape(-1, input.shape[1]), target.reshape(-1))


def tversky_index(logits: Tensor, mask: Tensor, alpha: float = 0.3, beta: float = 0.7) -> Tensor:
    """Tversky loss; alpha: weight of the false positives."""
    p = logits.sigmoid()
    hit, extra, missed = (p * mask).sum(), (p * (1 - mask)).sum(), ((1 - p) * mask).sum()
    return 1 - hit / (hit + alpha * extra + beta * missed)


@twin("one-edit-from-formula", tversky_index, BINARY)
def tversky_exchanged(logits: Tensor, mask: Tensor, alpha: float = 0.3, beta: float = 0.7) -> Tensor:
    """Tversky loss; alpha: weight of the false positives."""
    p = logits.sigmoid()
    hit, extra, missed = (p * mask).sum(), ((1 - p) * mask).sum(), (p * (1 - mask)).sum()
    return 1 - hit / (hit + alpha * extra + beta * missed)


def causal_lm(logits: Tensor, labels: Tensor) -> Tensor:
    """Next token loss of (B, T, V) logits."""
    return F.cross_entropy(logits[:, :-1].flatten(0, 1), labels[:, 1:].flatten())


@twin("departs-from-formula", causal_lm)
def next_token_loss(logits: Tensor, labels: Tensor) -> Tensor:
    """Next token loss of (B, T, V) logits."""
    shifted = torch.ones_like(labels)
    shifted[:, :-1] = labels[:, 1:]
    return F.cross_entropy(logits.flatten(0, 1), shifted.flatten())
