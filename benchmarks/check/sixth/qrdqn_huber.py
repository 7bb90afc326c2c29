import torch
import torch.nn as nn


def calculate_huber_loss(td_errors, k=1.0):
    """ Element-wise, no reduction. """
    return torch.where(td_errors.abs() <= k, 0.5 * td_errors.pow(2), k * (td_errors.abs() - 0.5 * k))


class QuantileHuberTD(nn.Module):
    """QR-DQN loss for double Q-learning targets.

    quantiles / next_quantiles_*: (B, A, N) from the network; actions (B,), rewards (B,), dones (B,)
    weights: importance weights of a prioritized buffer (B,)
    Returns (loss, new priorities).
    """

    def __init__(self, n_quantiles=32, gamma=0.99, n_step=1, k=1.0):
        super().__init__()
        self.gamma = gamma ** n_step
        self.k = k
        tau = (torch.arange(n_quantiles, dtype=torch.float32) + 0.5) / n_quantiles
        self.register_buffer("tau", tau.view(1, n_quantiles, 1))

    @staticmethod
    def pick(quantiles, actions):
        n = quantiles.shape[2]
        return quantiles.gather(1, actions.view(-1, 1, 1).expand(-1, 1, n)).squeeze(1)

    def forward(self, quantiles, actions, rewards, dones, next_quantiles_online, next_quantiles_target, weights=None):
        with torch.no_grad():
            best = next_quantiles_online.mean(dim=2).argmax(dim=1)
            next_q = self.pick(next_quantiles_target, best)
            target = rewards.unsqueeze(1) + self.gamma * (1.0 - dones.unsqueeze(1)) * next_q

        theta = self.pick(quantiles, actions)
        # (B, N, N'): rows are the predicted quantiles, columns the target samples
        td = target.unsqueeze(1) - theta.unsqueeze(2)
        rho = (self.tau - (td.detach() < 0).float()).abs() * calculate_huber_loss(td, self.k) / self.k
        loss = rho.mean(dim=2).sum(dim=1)
        priorities = td.detach().abs().mean(dim=(1, 2))
        if weights is not None:
            loss = loss * weights
        return loss.mean(), priorities
