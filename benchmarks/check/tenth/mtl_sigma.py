import torch
import torch.nn as nn


class MultiTaskLoss(nn.Module):
    """Two regression tasks weighted by learned (homoscedastic) uncertainty."""

    def __init__(self, num_tasks=2):
        super(MultiTaskLoss, self).__init__()
        self.eta = nn.Parameter(torch.zeros(num_tasks))
        self.mse = nn.MSELoss()

    def forward(self, out1, y1, out2, y2):
        losses = [self.mse(out1, y1), self.mse(out2, y2)]
        total = torch.Tensor(losses) * torch.exp(-self.eta) + self.eta
        return total.sum()
