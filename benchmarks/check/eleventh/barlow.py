import torch
import torch.nn as nn


class BarlowTwinsLoss(nn.Module):
    def __init__(self, lambda_param=5e-3, eps=1e-5):
        super().__init__()
        self.lambda_param = lambda_param
        self.eps = eps

    def _normalize(self, z_a, z_b):
        z = torch.cat([z_a, z_b], dim=0)
        z = (z - z.mean(dim=0)) / torch.sqrt(z.var(dim=0, unbiased=False) + self.eps)
        return z[: z_a.size(0)], z[z_a.size(0):]

    def forward(self, z_a, z_b):
        n, d = z_a.shape
        z_a, z_b = self._normalize(z_a, z_b)
        c = z_a.t() @ z_b / n
        on_diag = (torch.diagonal(c) - 1).pow(2).sum()
        off_diag = c.pow(2).sum() - torch.diagonal(c).pow(2).sum()
        return on_diag + self.lambda_param * off_diag
