import torch
import torch.nn as nn


class TverskyLoss(nn.Module):
    """Tversky loss for binary masks.

    alpha: weight of the false positives
    beta: weight of the false negatives
    inputs: logits, targets: 0/1 masks of the same shape
    """

    def __init__(self, alpha=0.3, beta=0.7, smooth=1.0):
        super().__init__()
        self.alpha = alpha
        self.beta = beta
        self.smooth = smooth

    def forward(self, inputs, targets):
        y_pred = torch.sigmoid(inputs).reshape(-1)
        y_true = targets.reshape(-1).to(y_pred.dtype)
        tp = (y_true * y_pred).sum()
        fp = ((1 - y_pred) * y_true).sum()
        fn = (y_pred * (1 - y_true)).sum()
        tversky = (tp + self.smooth) / (tp + self.alpha * fp + self.beta * fn + self.smooth)
        return 1 - tversky
