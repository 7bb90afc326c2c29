"""Reference formulas of all losses, which contenders must match in float64 before they are timed."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from bench import catalogue, own
from bench.workloads import DIFFERENCES

ALPHA, BETA = 0.3, 0.7  # weights of the Tversky loss


def loss(
    name: str, pool: str, logits: Tensor, target: Tensor, mask: Tensor | None = None, dtype: torch.dtype = torch.float64
) -> Tensor:
    """The loss by its formula, over unmasked elements."""
    if name in (*own.ELEMENTS, *own.TERMS):
        return own.plain(name, logits.double(), target.double() if target.is_floating_point() else target)
    if name in catalogue.WORKS:
        return catalogue.right(name, logits, target)
    return torch.stack([_part(part, pool, logits.to(dtype), target, mask) for part in name.split("+")]).sum()


def _part(name: str, pool: str, x: Tensor, target: Tensor, mask: Tensor | None) -> Tensor:
    if name == "lovasz":
        return _lovasz(x, target, pool)
    if name in DIFFERENCES:
        return _of_difference(name, (x - target.to(x.dtype)).abs()).mean()
    if name in ("bce", "ce", "focal"):
        values = _of_truth(name, x, target)
        return (values if mask is None else values[mask]).mean()
    p, t = (
        (x.sigmoid(), target.to(x.dtype)) if x.shape[1] == 1 else (x.softmax(1), one_hot(target, x.shape[1], x.dtype))
    )
    if mask is not None:
        p, t = p * mask, t * mask
    places = [d for d in range(x.dim()) if d > 1 or (d == 0 and pool == "batch")]
    both, predicted, true = ((p * t).sum(places), p.sum(places), t.sum(places))
    if name == "dice":
        return (1 - 2 * both / (predicted + true)).mean()
    if name == "jaccard":
        return (1 - both / (predicted + true - both)).mean()
    return (1 - both / (both + ALPHA * (predicted - both) + BETA * (true - both))).mean()


def _of_difference(name: str, error: Tensor) -> Tensor:
    """The Huber loss with delta = 1, which equals smooth L1."""
    if name == "mse":
        return error**2
    return error if name == "l1" else torch.where(error < 1, error**2 / 2, error - 0.5)


def _of_truth(name: str, x: Tensor, target: Tensor) -> Tensor:
    """Cross-entropy or focal loss; a soft label is a weighted mean of both labels."""

    def value(log_p: Tensor) -> Tensor:
        return -((1 - log_p.exp()) ** 2 * log_p) if name == "focal" else -log_p

    if x.shape[1] == 1:
        t = target.to(x.dtype)
        return t * value(F.logsigmoid(x)) + (1 - t) * value(F.logsigmoid(-x))
    return value(x.log_softmax(1).gather(1, target.unsqueeze(1)))


def _lovasz(x: Tensor, target: Tensor, pool: str) -> Tensor:
    """Errors in descending order, each times its increment of the Jaccard loss, over present classes."""
    if x.shape[1] == 1:
        t = target.to(x.dtype)
        errors = F.relu(1 - x * (2 * t - 1))
    else:
        t = one_hot(target, x.shape[1], x.dtype)
        errors = (t - x.softmax(1)).abs()
    errors, t = (v.unsqueeze(-1).flatten(2) for v in (errors, t))  # (N, C, S)
    if pool == "batch":
        errors, t = (v.transpose(0, 1).flatten(1).unsqueeze(0) for v in (errors, t))
    errors, order = errors.sort(-1, descending=True)
    t = t.gather(-1, order)
    true = t.sum(-1, keepdim=True)
    jaccard = 1 - (true - t.cumsum(-1)) / (true + (1 - t).cumsum(-1))
    value = (errors * jaccard.diff(dim=-1, prepend=torch.zeros_like(true))).sum(-1)  # (N or 1, C)
    if x.shape[1] == 1:
        return value.mean()
    occurs = (true.squeeze(-1) > 0).to(x.dtype)
    return ((value * occurs).sum(1) / occurs.sum(1)).mean()


def one_hot(target: Tensor, classes: int, dtype: torch.dtype = torch.float64) -> Tensor:
    """(N, *) class indices to (N, C, *)."""
    shape = (target.shape[0], classes, *target.shape[1:])
    return torch.zeros(shape, dtype=dtype, device=target.device).scatter_(1, target.unsqueeze(1), 1.0)
