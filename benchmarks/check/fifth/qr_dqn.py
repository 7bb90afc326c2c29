import torch
import torch.nn as nn


class QuantileHuberLoss(nn.Module):
    """Quantile regression loss of QR-DQN.

    The network predicts ``num_quantiles`` quantiles of the return at the
    fractions tau_i = (2i + 1) / 2N; the target is a set of samples of the
    Bellman target. Sum over predicted quantiles, mean over target samples and
    over the batch.
    """

    def __init__(self, num_quantiles=32, kappa=1.0):
        super().__init__()
        self.kappa = kappa
        tau = (torch.arange(num_quantiles, dtype=torch.float32) + 0.5) / num_quantiles
        self.register_buffer("tau", tau)

    def forward(self, theta, target):
        # theta: (B, N) predicted quantiles, target: (B, N) target samples
        td = target.detach().unsqueeze(1) - theta.unsqueeze(2)  # (B, N, N')
        abs_td = td.abs()
        huber = torch.where(
            abs_td <= self.kappa,
            0.5 * td.pow(2),
            self.kappa * (abs_td - 0.5 * self.kappa),
        )
        rho = torch.abs(self.tau - (td.detach() < 0).to(td.dtype)) * huber / self.kappa
        return rho.mean(dim=2).sum(dim=1).mean()
