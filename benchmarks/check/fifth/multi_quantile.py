import torch
import torch.nn as nn


class MultiQuantileLoss(nn.Module):
    """Pinball loss for several quantiles at once.

    Args:
        quantiles: levels in (0, 1).
    preds (B, H, Q), target (B, H), mask (B, H) optional. Sum over the
    quantiles, mean over the observed steps.
    """

    def __init__(self, quantiles=(0.1, 0.5, 0.9)):
        super().__init__()
        if not all(0 < q < 1 for q in quantiles):
            raise ValueError("quantiles must lie in (0, 1)")
        self.register_buffer("q", torch.tensor(quantiles, dtype=torch.float32))

    def forward(self, preds, target, mask=None):
        assert preds.shape == target.shape + self.q.shape
        if mask is None:
            mask = torch.ones_like(target, dtype=torch.bool)
        mask = mask.bool()
        target = torch.where(mask, target, torch.zeros_like(target))
        error = target.unsqueeze(-1) - preds
        q = self.q.to(preds.dtype)
        loss = torch.maximum(q * error, (q - 1) * error).sum(-1)
        return (loss * mask).sum() / mask.sum().clamp(min=1)
