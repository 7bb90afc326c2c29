import torch
import torch.nn as nn


class MultiTaskLoss(nn.Module):
    """Learned weighting of regression losses by the homoscedastic uncertainty
    (Kendall et al. 2018).

    eta is the log of sigma for every task and is optimised together with the
    network:  L = sum_i 0.5 * exp(-2 * eta_i) * L_i + eta_i

    Args:
        num_tasks: number of tasks
        loss_fn: list of the task losses, MSE by default
    """

    def __init__(self, num_tasks, loss_fn=None):
        super().__init__()
        self.loss_fn = loss_fn or [nn.MSELoss() for _ in range(num_tasks)]
        self.eta = nn.Parameter(torch.zeros(num_tasks))

    def forward(self, outputs, targets):
        # outputs, targets: lists with one tensor per task
        losses = [l(o, y) for l, o, y in zip(self.loss_fn, outputs, targets)]
        losses = torch.Tensor(losses).to(self.eta.device)
        total_loss = 0.5 * losses * torch.exp(-2 * self.eta) + self.eta
        return total_loss.sum()
