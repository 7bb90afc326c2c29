import torch
import torch.nn.functional as F


def masked_huber_loss(pred, target, sample_weight=None, delta=1.0):
    """Huber loss for multi-output regression with missing labels.

    pred: (N, D); target: (N, D), nan where the label is missing;
    sample_weight: (N,) optional.
    """
    if pred.shape != target.shape:
        raise ValueError(f"shape mismatch: {tuple(pred.shape)} vs {tuple(target.shape)}")
    observed = ~torch.isnan(target)
    filled = torch.where(observed, target, torch.zeros_like(target))
    loss = F.huber_loss(pred, filled, reduction="none", delta=delta)
    weight = observed.to(pred.dtype)
    if sample_weight is not None:
        weight = weight * sample_weight.to(pred.dtype).unsqueeze(1)
    return (loss * weight).sum() / weight.sum().clamp(min=1e-8)
