import torch
import torch.nn as nn


class QuantileLoss(nn.Module):
    """Pinball loss for several quantiles at once.

    preds: (N, Q), one column for each quantile, target: (N,)
    """

    def __init__(self, quantiles=(0.1, 0.5, 0.9)):
        super().__init__()
        self.register_buffer("q", torch.tensor(quantiles))

    def forward(self, preds, target):
        q = self.q.to(preds.dtype)
        diff = target.unsqueeze(1) - preds
        loss = torch.where(diff >= 0, q * diff, (1 - q) * diff)
        return loss.sum(dim=1).mean()
