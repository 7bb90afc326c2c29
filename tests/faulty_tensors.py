"""Planted faults of what is ignored, unlabelled, left on another device, or without a gradient."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from faulty import INDICES, NUMBERS, twin


class IgnoringDice(nn.Module):
    """Dice of the labelled pixels; logits (N, C, H, W), target (N, H, W)."""

    out = 0.0  # the share of an ignored pixel in the one-hot target

    def __init__(self, ignore_index: int = 255) -> None:
        super().__init__()
        self.ignore_index = ignore_index

    def forward(self, logits: Tensor, target: Tensor) -> Tensor:
        if target.shape != logits[:, 0].shape or not logits.isfinite().all():
            raise ValueError("target must be (N, H, W), and logits finite.")
        keep = (target != self.ignore_index).unsqueeze(1)
        hot = F.one_hot(target * keep[:, 0], logits.shape[1]).movedim(-1, 1).to(logits.dtype)
        p, hot = logits.softmax(1) * keep, hot * torch.where(keep, 1.0, self.out)
        dims = (0, *range(2, logits.dim()))
        there = hot.sum(dims) > 0
        dice = (2 * (p * hot).sum(dims) + 1e-6) / ((p + hot).sum(dims) + 1e-6)
        return ((1 - dice) * there).sum() / there.sum().clamp(min=1)


@twin("ignored-as-class", IgnoringDice, INDICES)
class IgnoredIsFirst(IgnoringDice):
    out = 1.0


@twin("ignored-refused", IgnoringDice, INDICES)
class IgnoredIsNoClass(IgnoringDice):
    def forward(self, logits: Tensor, target: Tensor) -> Tensor:
        F.one_hot(target, logits.shape[1] + 1)  # before the ignored label is replaced
        return super().forward(logits, target)


def _kernel() -> Tensor:
    return torch.tensor([[0.0, 1.0, 0.0], [1.0, -4.0, 1.0], [0.0, 1.0, 0.0]])[None, None]


class Laplacian(nn.Module):
    """L1 of Laplacians of (N, 1, H, W)."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("kernel", _kernel())

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        if input.shape != target.shape:
            raise ValueError("shapes differ.")
        return F.conv2d(input - target, self.kernel, padding=1).abs().mean()


_MAPS = {**NUMBERS, "classes": 1, "shape": (4, 5)}


@twin("left-behind", Laplacian, _MAPS)
class StaysBehind(Laplacian):
    def __init__(self) -> None:
        nn.Module.__init__(self)
        self.kernel = _kernel()


def boxes_and_scores(
    score: Tensor, score_target: Tensor, box: Tensor, box_target: Tensor, box_weight: float = 2.0
) -> Tensor:
    """All tensors (N, 4)."""
    return F.mse_loss(score, score_target) + box_weight * F.mse_loss(box, box_target)


@twin("term-without-gradient", boxes_and_scores)
def boxes_logged(
    score: Tensor, score_target: Tensor, box: Tensor, box_target: Tensor, box_weight: float = 2.0
) -> Tensor:
    """All tensors (N, 4)."""
    return F.mse_loss(score, score_target) + box_weight * F.mse_loss(box, box_target).detach()


def joints(pred: Tensor, target: Tensor, visible: Tensor) -> Tensor:
    """Only visible joints count: pred, target (N, K, 2), visible (N, K) 0/1."""
    return ((pred - target) ** 2 * visible[..., None]).mean()


@twin("unlabelled-gets-gradient", joints)
def unseen_joints(pred: Tensor, target: Tensor, visible: Tensor) -> Tensor:
    """Only visible joints count: pred, target (N, K, 2), visible (N, K) 0/1."""
    return ((pred - target * visible[..., None]) ** 2).mean()
