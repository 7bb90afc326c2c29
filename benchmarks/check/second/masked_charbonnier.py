import torch
import torch.nn as nn


class MaskedCharbonnier(nn.Module):
    """Charbonnier penalty sqrt(e^2 + eps^2), averaged over mask == True.

    Targets outside the mask may hold anything, NaN included. An empty mask
    gives 0.
    """

    def __init__(self, eps=1e-3):
        super().__init__()
        self.eps = eps

    def forward(self, pred, target, mask):
        mask = mask.bool().expand_as(pred)
        target = torch.where(mask, target, pred.detach())
        loss = torch.sqrt((pred - target) ** 2 + self.eps ** 2)
        loss = torch.where(mask, loss, torch.zeros_like(loss))
        return loss.sum() / mask.sum().clamp(min=1)
