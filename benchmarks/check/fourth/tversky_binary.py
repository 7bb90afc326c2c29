import torch
from torch import nn


class TverskyLoss(nn.Module):
    """1 - Tversky index for binary masks.

    Args:
        alpha: weight of the false positives (default 0.3)
        beta: weight of the false negatives (default 0.7, favours recall)
        smooth: added to numerator and denominator
    """

    def __init__(self, alpha: float = 0.3, beta: float = 0.7, smooth: float = 1.0):
        super().__init__()
        self.alpha = alpha
        self.beta = beta
        self.smooth = smooth

    def forward(self, logits: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        n = logits.shape[0]
        y_hat = torch.sigmoid(logits).reshape(n, -1)
        y = mask.reshape(n, -1).to(y_hat.dtype)

        tp = (y_hat * y).sum(dim=1)
        fp = ((1 - y_hat) * y).sum(dim=1)
        fn = (y_hat * (1 - y)).sum(dim=1)

        index = (tp + self.smooth) / (tp + self.alpha * fp + self.beta * fn + self.smooth)
        return (1 - index).mean()
