import torch


def soft_dice_loss(logits, target, smooth=1.0):
    """Soft Dice loss for binary masks.

    The Dice score is computed for every image on its own and the scores are
    averaged over the batch, so images with small and with large objects count
    the same.

    Args:
        logits: raw scores, shape (N, 1, H, W)
        target: mask in {0, 1}, shape (N, 1, H, W)
        smooth: added to numerator and denominator
    """
    probs = torch.sigmoid(logits).reshape(-1)
    target = target.to(probs.dtype).reshape(-1)

    intersection = (probs * target).sum()
    cardinality = probs.sum() + target.sum()
    score = (2.0 * intersection + smooth) / (cardinality + smooth)
    return 1.0 - score
