import torch
import torch.nn as nn


class BarlowTwinsLoss(nn.Module):
    """Barlow Twins: the cross-correlation matrix of the two views' embeddings,
    each standardised along the batch, is pushed towards the identity.

    Args:
        lambda_param: weight of the redundancy reduction term.
    """

    def __init__(self, lambda_param=5e-3, eps=1e-5):
        super().__init__()
        self.lambda_param = lambda_param
        self.eps = eps

    def _normalize(self, z_a, z_b):
        combined = torch.cat([z_a, z_b], dim=0)
        mean = combined.mean(dim=0)
        var = combined.var(dim=0, unbiased=False)
        combined = (combined - mean) / torch.sqrt(var + self.eps)
        return combined.chunk(2, dim=0)

    def forward(self, z_a, z_b):
        n, d = z_a.shape
        z_a, z_b = self._normalize(z_a, z_b)
        c = z_a.t() @ z_b / n
        on_diag = (torch.diagonal(c) - 1).pow(2).sum()
        off_mask = ~torch.eye(d, dtype=torch.bool, device=c.device)
        off_diag = c[off_mask].pow(2).sum()
        return on_diag + self.lambda_param * off_diag
