import torch
import torch.nn as nn


class EMDLoss(nn.Module):
    """Squared earth mover's distance for ordered classes (NIMA style ratings).

    Predicted and target distributions over the K ratings are compared through
    their cumulative sums: ``mean_k |CDF_pred(k) - CDF_true(k)|^r``, averaged over
    the batch.

    Args:
        r: exponent, 2 for training and 1 for the plain distance.

    Shape:
        - logits: (N, K)
        - target: (N, K) vote counts (at least one vote per row), normalized
          inside, or (N,) integer ratings
    """

    def __init__(self, r: int = 2):
        super().__init__()
        self.r = r

    def forward(self, logits: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        if target.dim() == 1:
            target = nn.functional.one_hot(target, logits.size(1))
        target = target.to(logits.dtype)
        target = target / target.sum(dim=1, keepdim=True)
        diff = logits.softmax(dim=1).cumsum(dim=1) - target.cumsum(dim=1)
        return diff.abs().pow(self.r).mean()
