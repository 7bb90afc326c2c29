import torch
import torch.nn as nn
import torch.nn.functional as F


class DiceCELoss(nn.Module):
    """Cross entropy plus soft Dice over the classes present in the labels.

    A class that occurs in no valid pixel is skipped by the Dice part, so its
    denominator is always at least one pixel and needs no smoothing term.

    Args:
        ce_weight: weight of the cross entropy.
        ignore_index: label of the void pixels.
    """

    def __init__(self, ce_weight=1.0, ignore_index=255):
        super().__init__()
        self.ce_weight = ce_weight
        self.ignore_index = ignore_index

    def forward(self, logits, target):
        c = logits.shape[1]
        valid = target != self.ignore_index
        if not valid.any():
            return logits.sum() * 0.0
        logp = F.log_softmax(logits, dim=1).movedim(1, -1)[valid]  # P x C
        target = target[valid]

        ce = F.nll_loss(logp, target)
        onehot = F.one_hot(target, c).to(logp.dtype)
        probs = logp.exp()
        count = onehot.sum(0)
        present = count > 0
        inter = (probs * onehot).sum(0)[present]
        dice = 2 * inter / (probs.sum(0)[present] + count[present])
        return self.ce_weight * ce + (1 - dice).mean()
