import torch
import torch.nn as nn


class QuantileHuberLoss(nn.Module):
    """Eq. 10 of QR-DQN (Dabney et al. 2018).

    theta:        (batch, N) predicted quantiles of Q(s, a), for tau_i = (2 i - 1) / (2 N)
    theta_target: (batch, N) quantiles of r + gamma * Z(s', a*), no gradient
    mean over the target quantiles, sum over the predicted ones, mean over the batch
    """

    def __init__(self, N=32, kappa=1.0):
        super().__init__()
        self.kappa = kappa
        self.register_buffer("quantile_tau", (torch.arange(N, dtype=torch.float32) * 2 + 1) / (2.0 * N))

    def forward(self, theta, theta_target):
        # (batch, N predicted, N target)
        td_error = theta_target.detach().unsqueeze(1) - theta.unsqueeze(2)
        abs_td = td_error.abs()
        huber = torch.where(abs_td <= self.kappa, 0.5 * td_error.pow(2), self.kappa * (abs_td - 0.5 * self.kappa))

        tau = self.quantile_tau.to(theta.dtype)
        quantil_l = abs(tau - (td_error.detach() < 0).to(theta.dtype)) * huber / self.kappa
        return quantil_l.mean(dim=2).sum(dim=1).mean()
