import torch
import torch.nn.functional as F


def bce_dice(logits, target, roi=None, dice_weight=0.5, smooth=1.0):
    """BCE + Dice inside a region of interest.

    logits, target: (N, 1, H, W). roi: same shape, 1 where pixels count; all
    pixels count if it is None. Returns a dict with "loss", "bce" and "dice".
    """
    target = target.to(logits.dtype)
    roi = torch.ones_like(logits) if roi is None else roi.to(logits.dtype)

    bce = F.binary_cross_entropy_with_logits(logits, target, reduction="none")
    bce = (bce * roi).sum() / roi.sum().clamp(min=1)

    p = torch.sigmoid(logits) * roi
    t = target * roi
    inter = (p * t).sum(dim=(1, 2, 3))
    total = p.sum(dim=(1, 2, 3)) + t.sum(dim=(1, 2, 3))
    dice = (1 - (2 * inter + smooth) / (total + smooth)).mean()

    loss = (1 - dice_weight) * bce + dice_weight * dice
    return {"loss": loss, "bce": bce.detach(), "dice": dice.detach()}
