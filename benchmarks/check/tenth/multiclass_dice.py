import torch
import torch.nn.functional as F


def multiclass_dice_loss(logits, labels, include_background=True, eps=1e-6):
    """
    logits: (N, C, H, W) raw scores
    labels: (N, H, W) integer class map
    Dice is computed per sample and class and then averaged.
    """
    num_classes = logits.shape[1]
    probs = logits.softmax(dim=1)
    one_hot = F.one_hot(labels.long(), num_classes).permute(0, 3, 1, 2).to(probs.dtype)
    if not include_background:
        probs, one_hot = probs[:, 1:], one_hot[:, 1:]
    inter = (probs * one_hot).sum(dim=(2, 3))
    card = probs.sum(dim=(2, 3)) + one_hot.sum(dim=(2, 3))
    dsc = (2 * inter + eps) / (card + eps)
    return 1.0 - dsc.mean()
