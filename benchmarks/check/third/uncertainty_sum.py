import torch
import torch.nn as nn


class MultiTaskUncertaintyLoss(nn.Module):
    """Kendall et al. 2018: sum_i exp(-s_i) * L_i + s_i, with s_i = log sigma_i^2 learned.

    forward(loss_1, ..., loss_n) takes the scalar task losses
    """

    def __init__(self, num_tasks=3):
        super().__init__()
        self.num_tasks = num_tasks
        self.log_vars = nn.Parameter(torch.zeros(num_tasks))

    def forward(self, *loss_list):
        n = len(loss_list)
        assert n <= self.num_tasks
        losses = torch.tensor(loss_list, device=self.log_vars.device)
        s = self.log_vars[:n]
        return (torch.exp(-s) * losses + s).sum()
