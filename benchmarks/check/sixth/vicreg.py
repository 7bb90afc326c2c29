import torch
from torch import nn
import torch.nn.functional as F


def off_diagonal(x):
    n, m = x.shape
    assert n == m
    return x.flatten()[:-1].view(n - 1, n + 1)[:, 1:].flatten()


class VICReg(nn.Module):
    def __init__(self, sim_coeff=25.0, std_coeff=25.0, cov_coeff=1.0):
        super().__init__()
        self.sim_coeff = sim_coeff
        self.std_coeff = std_coeff
        self.cov_coeff = cov_coeff

    def forward(self, x, y):
        batch_size, num_features = x.shape
        repr_loss = F.mse_loss(x, y)

        x = x - x.mean(dim=0)
        y = y - y.mean(dim=0)

        std_x = torch.sqrt(x.var(dim=0, unbiased=batch_size > 1) + 0.0001)
        std_y = torch.sqrt(y.var(dim=0, unbiased=batch_size > 1) + 0.0001)
        std_loss = torch.mean(F.relu(1 - std_x)) / 2 + torch.mean(F.relu(1 - std_y)) / 2

        cov_x = (x.T @ x) / max(batch_size - 1, 1)
        cov_y = (y.T @ y) / max(batch_size - 1, 1)
        cov_loss = off_diagonal(cov_x).pow(2).sum().div(num_features) + \
            off_diagonal(cov_y).pow(2).sum().div(num_features)

        loss = self.sim_coeff * repr_loss + self.std_coeff * std_loss + self.cov_coeff * cov_loss
        return loss, {"repr": repr_loss.detach(), "std": std_loss.detach(), "cov": cov_loss.detach()}
