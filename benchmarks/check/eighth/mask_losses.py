from typing import Dict

import torch
import torch.nn.functional as F


def mask_losses(pred_masks: torch.Tensor, gt_masks: torch.Tensor, num_objects: float,
                bce_coef: float = 5.0, dice_coef: float = 5.0) -> Dict[str, torch.Tensor]:
    """Losses of the matched masks in a query based segmenter.

    Both terms are summed over the matched queries and divided by
    ``num_objects`` (the number of objects over all GPUs, at least 1). The
    cross entropy of a mask is the mean over its points.

    Args:
        pred_masks: (M, P) logits at P sampled points.
        gt_masks: (M, P) zeros and ones.
        num_objects: normalizer.
        bce_coef, dice_coef: coefficients of the terms in the total.

    Returns:
        dict with ``loss_mask``, ``loss_dice`` (both without coefficient) and
        ``loss``, the weighted sum.
    """
    gt = gt_masks.to(pred_masks.dtype)
    bce = F.binary_cross_entropy_with_logits(pred_masks, gt, reduction="none").mean(1).sum() / num_objects

    prob = pred_masks.sigmoid()
    numerator = 2 * (prob * gt).sum(1)
    denominator = prob.sum(1) + gt.sum(1)
    dice = (1 - (numerator + 1) / (denominator + 1)).sum() / num_objects

    return {"loss_mask": bce, "loss_dice": dice, "loss": bce_coef * bce + dice_coef * dice}
