import torch
import torch.nn as nn


class QuantileLoss(nn.Module):
    """Pinball loss for several quantiles at once.

    preds: (N, Q), column i is the estimate of quantile quantiles[i] of the target
    target: (N,)
    """

    def __init__(self, quantiles=(0.05, 0.5, 0.9)):
        super().__init__()
        self.quantiles = quantiles

    def forward(self, preds, target):
        assert preds.size(0) == target.size(0)
        losses = []
        for i, q in enumerate(self.quantiles):
            errors = preds[:, i] - target
            losses.append(torch.max((q - 1) * errors, q * errors).unsqueeze(1))
        return torch.mean(torch.sum(torch.cat(losses, dim=1), dim=1))
