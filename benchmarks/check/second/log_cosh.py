import math

import torch
import torch.nn.functional as F


def log_cosh_loss(pred, target, reduction: str = "mean"):
    if pred.shape != target.shape:
        raise ValueError(f"{tuple(pred.shape)} != {tuple(target.shape)}")
    x = pred - target
    loss = x + F.softplus(-2.0 * x) - math.log(2.0)
    if reduction == "none":
        return loss
    if reduction not in ("mean", "sum"):
        raise ValueError(reduction)
    return getattr(loss, reduction)()
