import torch
import torch.nn.functional as F


def cloud_bce(logits, target, valid=None, class_weight=(1.0, 1.0)):
    """Binary cross-entropy for cloud masks of satellite tiles.

    Args:
        logits: (N, H, W)
        target: (N, H, W) with 1 for cloud
        valid: optional bool (N, H, W); no-data pixels are False. What target
            and logits hold there, NaN included, does not matter.
        class_weight: weights of (clear, cloud) pixels

    Returns:
        The weighted sum of the pixel losses divided by the number of valid
        pixels (not by the weights); 0 for a batch without valid pixels.
    """
    if valid is None:
        valid = torch.ones_like(target, dtype=torch.bool)
    x = logits[valid]
    y = target[valid].to(x.dtype)
    w_clear, w_cloud = class_weight
    weight = w_clear + (w_cloud - w_clear) * y
    loss = F.binary_cross_entropy_with_logits(x, y, reduction="none")
    return (weight * loss).sum() / max(x.numel(), 1)
