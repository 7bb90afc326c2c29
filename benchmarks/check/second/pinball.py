import torch
import torch.nn as nn


class PinballLoss(nn.Module):
    """Quantile loss for several quantiles at once.

    preds: (N, Q), one column per quantile; target: (N,).
    Under-prediction costs q, over-prediction 1 - q per unit.
    """

    def __init__(self, quantiles=(0.1, 0.5, 0.9)):
        super().__init__()
        q = torch.tensor(quantiles, dtype=torch.get_default_dtype())
        if not bool(((q > 0) & (q < 1)).all()):
            raise ValueError("quantiles must lie in (0, 1)")
        self.register_buffer("q", q)

    def forward(self, preds, target):
        if preds.shape != (target.shape[0], self.q.numel()) or target.dim() != 1:
            raise ValueError("expected preds (N, Q) and target (N,)")
        q = self.q.to(preds.dtype)
        error = target.unsqueeze(1) - preds
        # (q - 1) * error is positive where error < 0
        return torch.maximum(q * error, (q - 1) * error).sum(dim=1).mean()
