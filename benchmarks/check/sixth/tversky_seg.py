from typing import Tuple

import torch
from torch import Tensor, nn


def soft_confusion(inputs: Tensor, targets: Tensor) -> Tuple[Tensor, Tensor, Tensor]:
    """Soft tp / fp / fn counts of every sample; both arguments are [N, *] in [0, 1]."""
    inputs = inputs.flatten(1)
    targets = targets.flatten(1)
    tp = (inputs * targets).sum(1)
    fp = (inputs * (1 - targets)).sum(1)
    fn = ((1 - inputs) * targets).sum(1)
    return tp, fp, fn


class TverskyLoss(nn.Module):
    """Tversky loss for binary segmentation (Salehi et al., 2017).

    Args:
        alpha: weight of the false positives.
        beta: weight of the false negatives. With beta > alpha missed lesion
            pixels cost more than spurious ones.
        smooth: added to numerator and denominator.
    """

    def __init__(self, alpha: float = 0.3, beta: float = 0.7, smooth: float = 1.0) -> None:
        super().__init__()
        self.alpha = alpha
        self.beta = beta
        self.smooth = smooth

    def forward(self, logits: Tensor, masks: Tensor) -> Tensor:
        if logits.shape != masks.shape:
            raise ValueError(f"shape mismatch: {tuple(logits.shape)} vs {tuple(masks.shape)}")
        y_pred = logits.float().sigmoid()
        y_true = masks.to(y_pred.dtype)

        tp, fp, fn = soft_confusion(y_true, y_pred)
        index = (tp + self.smooth) / (tp + self.alpha * fp + self.beta * fn + self.smooth)
        return (1.0 - index).mean()
