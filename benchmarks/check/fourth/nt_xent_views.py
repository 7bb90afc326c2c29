import torch
import torch.nn as nn
import torch.nn.functional as F


class NTXentLoss(nn.Module):
    def __init__(self, temperature: float = 0.1):
        super().__init__()
        self.temperature = temperature

    def forward(self, out_1: torch.Tensor, out_2: torch.Tensor) -> torch.Tensor:
        """out_1, out_2: (N, D), row i of both comes from image i"""
        out_1 = F.normalize(out_1, dim=-1)
        out_2 = F.normalize(out_2, dim=-1)
        n = out_1.shape[0]
        out = torch.cat([out_1, out_2])
        logits = torch.mm(out, out.t()) / self.temperature
        logits.fill_diagonal_(float("-inf"))
        targets = torch.arange(2 * n, device=out.device).roll(n)
        return F.cross_entropy(logits, targets)
