import torch
import torch.nn as nn
import torch.nn.functional as F


class MulticlassDiceLoss(nn.Module):
    """Dice pooled over the whole batch, averaged over the classes that occur.

    Pixels labelled ``ignore_index`` take no part in any sum. Classes that do
    not occur in the batch are left out of the mean; if nothing is labelled the
    loss is 0.

    Shapes: logits (N, C, *), target (N, *) int
    """

    def __init__(self, ignore_index: int = 255, eps: float = 1e-6):
        super().__init__()
        self.ignore_index = ignore_index
        self.eps = eps

    def forward(self, logits, target):
        target = target.long()
        valid = target != self.ignore_index
        keep = valid.unsqueeze(1)
        logits = torch.where(keep, logits, torch.zeros_like(logits))
        if logits.dtype in (torch.float16, torch.bfloat16):
            logits = logits.float()
        probs = logits.softmax(dim=1) * keep
        hot = F.one_hot(target.masked_fill(~valid, 0), logits.shape[1])
        hot = hot.movedim(-1, 1).to(probs.dtype) * keep

        dims = (0,) + tuple(range(2, logits.dim()))
        inter = (probs * hot).sum(dims)
        size = probs.sum(dims) + hot.sum(dims)
        dice = (2 * inter + self.eps) / (size + self.eps)
        present = (hot.sum(dims) > 0).to(dice.dtype)
        return ((1 - dice) * present).sum() / present.sum().clamp(min=1)
