import torch
import torch.nn.functional as F


def multiclass_dice_loss(logits, target, ignore_index=255, eps=1e-6):
    """Soft Dice over the classes present in the batch.

    logits (N, C, H, W); target (N, H, W) with class ids, pixels equal to
    ignore_index do not take part in the loss.
    """
    num_classes = logits.shape[1]
    valid = target != ignore_index
    labels = target.masked_fill(~valid, 0)

    one_hot = F.one_hot(labels, num_classes).permute(0, 3, 1, 2).to(logits.dtype)
    probs = logits.softmax(dim=1) * valid.unsqueeze(1)

    dims = (0, 2, 3)
    intersection = (probs * one_hot).sum(dims)
    cardinality = (probs + one_hot).sum(dims)
    dice = (2 * intersection + eps) / (cardinality + eps)

    present = (one_hot.sum(dims) > 0).to(logits.dtype)
    return ((1 - dice) * present).sum() / present.sum().clamp(min=1)
