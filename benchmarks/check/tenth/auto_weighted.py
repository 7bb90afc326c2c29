import torch
import torch.nn as nn


class AutomaticWeightedLoss(nn.Module):
    """Learns one log-variance per task and combines the task losses with it.

    losses: tensor (num_tasks,) holding the individual task losses
    Remember to give criterion.parameters() to the optimizer as well.
    """

    def __init__(self, num_tasks=3):
        super().__init__()
        self.log_vars = [nn.Parameter(torch.zeros(1)) for _ in range(num_tasks)]

    def forward(self, losses):
        total = 0
        for i, s in enumerate(self.log_vars):
            total = total + 0.5 * torch.exp(-s) * losses[i] + 0.5 * s
        return total.sum()
