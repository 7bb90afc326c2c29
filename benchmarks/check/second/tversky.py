import torch
from torch import nn


class TverskyLoss(nn.Module):
    """Tversky loss for binary segmentation.

    Args:
        alpha: weight of the false positives
        beta: weight of the false negatives (raise it to gain recall)
        smooth: avoids division by zero on empty masks

    Takes logits and a binary mask of the same shape (N, 1, H, W).
    """

    def __init__(self, alpha=0.3, beta=0.7, smooth=1.0):
        super().__init__()
        self.alpha = alpha
        self.beta = beta
        self.smooth = smooth

    def forward(self, inputs, targets):
        inputs = torch.sigmoid(inputs).flatten(1)
        targets = targets.to(inputs.dtype).flatten(1)

        tp = (inputs * targets).sum(1)
        fp = ((1 - inputs) * targets).sum(1)
        fn = (inputs * (1 - targets)).sum(1)

        index = (tp + self.smooth) / (tp + self.alpha * fp + self.beta * fn + self.smooth)
        return (1 - index).mean()
