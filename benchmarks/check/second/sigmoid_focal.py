from typing import Optional

import torch
import torch.nn.functional as F
from torch import Tensor


def sigmoid_focal_loss(
    logits: Tensor,
    targets: Tensor,
    gamma: float = 2.0,
    alpha: Optional[float] = None,
    reduction: str = "mean",
) -> Tensor:
    if logits.shape != targets.shape:
        raise ValueError("logits and targets must have the same shape")
    t = targets.to(logits.dtype)  # hard labels, 0 or 1
    z = logits * (2 * t - 1)
    log_pt = F.logsigmoid(z)
    # (1 - pt) ** gamma in log space: no pow at 0
    modulator = torch.exp(gamma * F.logsigmoid(-z))
    loss = -modulator * log_pt
    if alpha is not None:
        loss = loss * (alpha * t + (1 - alpha) * (1 - t))

    if reduction == "none":
        return loss
    if reduction == "mean":
        return loss.mean()
    if reduction == "sum":
        return loss.sum()
    raise ValueError(reduction)
