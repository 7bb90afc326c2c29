import torch
import torch.nn as nn
import torch.nn.functional as F


class VICRegLoss(nn.Module):
    """Variance-invariance-covariance regularisation. x, y: (N, D) embeddings of two views."""

    def __init__(self, sim_coeff=25.0, std_coeff=25.0, cov_coeff=1.0):
        super().__init__()
        self.sim_coeff = sim_coeff
        self.std_coeff = std_coeff
        self.cov_coeff = cov_coeff

    def forward(self, x, y):
        n, d = x.shape
        repr_loss = F.mse_loss(x, y)

        x = x - x.mean(dim=0)
        y = y - y.mean(dim=0)
        dof = max(n - 1, 1)
        cov_x = (x.t() @ x) / dof
        cov_y = (y.t() @ y) / dof
        std_x = torch.sqrt(torch.diagonal(cov_x) + 1e-4)
        std_y = torch.sqrt(torch.diagonal(cov_y) + 1e-4)
        std_loss = F.relu(1 - std_x).mean() / 2 + F.relu(1 - std_y).mean() / 2

        off = ~torch.eye(d, dtype=torch.bool, device=x.device)
        cov_loss = cov_x[off].pow(2).sum() / d + cov_y[off].pow(2).sum() / d
        return self.sim_coeff * repr_loss + self.std_coeff * std_loss + self.cov_coeff * cov_loss
