import torch
import torch.nn as nn


class AutomaticWeightedLoss(nn.Module):
    """Multi-task loss with learned homoscedastic uncertainty (Kendall et al. 2018).

    losses: tensor (num_tasks,) of the losses of the tasks
    total = sum_i 0.5 * exp(-s_i) * L_i + 0.5 * s_i with s_i = log sigma_i^2 learned
    together with the network.
    """

    def __init__(self, num_tasks=3):
        super().__init__()
        self.log_vars = [nn.Parameter(torch.zeros(())) for _ in range(num_tasks)]

    def forward(self, losses):
        total = 0.0
        for loss, s in zip(losses, self.log_vars):
            total = total + 0.5 * torch.exp(-s) * loss + 0.5 * s
        return total
