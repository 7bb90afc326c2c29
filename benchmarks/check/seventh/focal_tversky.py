import torch
import torch.nn as nn


class FocalTverskyLoss(nn.Module):
    """Focal Tversky loss for highly unbalanced binary segmentation.

    TI = TP / (TP + alpha * FP + beta * FN)

    Args:
        alpha: penalty of the false positives.
        beta: penalty of the false negatives. Use ``beta > alpha`` to
            favour recall on small lesions.
        gamma: focal exponent.
        smooth: additive smoothing.
    """

    def __init__(self, alpha=0.3, beta=0.7, gamma=0.75, smooth=1.0):
        super().__init__()
        self.alpha = alpha
        self.beta = beta
        self.gamma = gamma
        self.smooth = smooth

    def tversky_index(self, y_pred, y_true):
        y_pred = y_pred.flatten(1)
        y_true = y_true.flatten(1)
        tp = (y_true * y_pred).sum(dim=1)
        fp = (y_true * (1 - y_pred)).sum(dim=1)
        fn = ((1 - y_true) * y_pred).sum(dim=1)
        return (tp + self.smooth) / (
            tp + self.alpha * fp + self.beta * fn + self.smooth
        )

    def forward(self, logits, target):
        """logits, target: (B, 1, H, W)"""
        probs = torch.sigmoid(logits)
        ti = self.tversky_index(probs, target.float())
        return (1 - ti).clamp(min=1e-6).pow(self.gamma).mean()
