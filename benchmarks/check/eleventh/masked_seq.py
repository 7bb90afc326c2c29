import torch
import torch.nn as nn


class SequenceMAELoss(nn.Module):
    """MAE over padded sequences. pred, target: (B, T, F), lengths: (B,) number of valid steps."""

    def forward(self, pred, target, lengths):
        steps = torch.arange(pred.size(1), device=pred.device)
        mask = steps.unsqueeze(0) < lengths.unsqueeze(1)
        mask = mask.unsqueeze(-1).expand_as(pred)
        total = (pred - target).abs().masked_fill(~mask, 0.0).sum()
        return total / mask.sum().clamp(min=1)
