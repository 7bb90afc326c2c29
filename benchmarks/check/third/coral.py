import torch
import torch.nn as nn
import torch.nn.functional as F


class CoralLoss(nn.Module):
    """Cao, Mirjalili & Raschka 2020. logits (N, K - 1), y (N,) with values 0 .. K - 1,
    importance_weights (K - 1,) optional, one per threshold"""

    def __init__(self, importance_weights=None, reduction='mean'):
        super().__init__()
        if importance_weights is not None:
            importance_weights = torch.as_tensor(importance_weights, dtype=torch.float32)
        self.register_buffer('importance_weights', importance_weights)
        self.reduction = reduction

    def forward(self, logits, y):
        thresholds = torch.arange(logits.shape[1], device=y.device)
        levels = (y.unsqueeze(1) > thresholds).to(logits.dtype)

        term1 = F.logsigmoid(logits) * levels + (F.logsigmoid(logits) - logits) * (1 - levels)
        if self.importance_weights is not None:
            term1 = term1 * self.importance_weights.to(logits)

        val = -torch.sum(term1, dim=1)
        if self.reduction == 'mean':
            return torch.mean(val)
        elif self.reduction == 'sum':
            return torch.sum(val)
        return val
