import torch
import torch.nn as nn


class TverskyLoss(nn.Module):
    """Tversky loss for binary segmentation (Salehi et al., 2017).

    ``1 - TP / (TP + alpha * FP + beta * FN)``, computed per image and averaged
    over the batch. With ``alpha = beta = 0.5`` this is the Dice loss; a larger
    ``beta`` pushes the network towards a higher recall.

    Args:
        alpha: coefficient of the false positives.
        beta: coefficient of the false negatives.
        smooth: additive smoothing of numerator and denominator.
    """

    def __init__(self, alpha: float = 0.3, beta: float = 0.7, smooth: float = 1.0):
        super().__init__()
        self.alpha = alpha
        self.beta = beta
        self.smooth = smooth

    def forward(self, y_true: torch.Tensor, y_pred: torch.Tensor) -> torch.Tensor:
        """
        y_true: (N, 1, H, W) binary mask
        y_pred: (N, 1, H, W) logits
        """
        inputs = y_true.flatten(1).to(y_pred.dtype)
        targets = torch.sigmoid(y_pred).flatten(1)

        tp = (inputs * targets).sum(1)
        fp = ((1 - targets) * inputs).sum(1)
        fn = (targets * (1 - inputs)).sum(1)
        tversky = (tp + self.smooth) / (tp + self.alpha * fp + self.beta * fn + self.smooth)
        return (1 - tversky).mean()
