import torch
import torch.nn as nn
import torch.nn.functional as F


class TverskyLoss(nn.Module):
    """Tversky loss for multi-class segmentation (Salehi et al., 2017).

    TI = TP / (TP + alpha * FP + beta * FN), averaged over classes.

    Args:
        alpha: weight of the false positives.
        beta: weight of the false negatives. A larger beta raises recall.
        smooth: numerical constant.
    """

    def __init__(self, alpha=0.3, beta=0.7, smooth=1.0):
        super().__init__()
        self.alpha = alpha
        self.beta = beta
        self.smooth = smooth

    def forward(self, logits, target):
        num_classes = logits.shape[1]
        probs = F.softmax(logits, dim=1)
        onehot = F.one_hot(target, num_classes).movedim(-1, 1).to(probs.dtype)

        dims = (0,) + tuple(range(2, logits.dim()))
        tp = (probs * onehot).sum(dims)
        fp = (onehot * (1 - probs)).sum(dims)
        fn = (probs * (1 - onehot)).sum(dims)
        ti = (tp + self.smooth) / (tp + self.alpha * fp + self.beta * fn + self.smooth)
        return (1 - ti).mean()
