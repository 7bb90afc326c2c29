import torch
import torch.nn as nn


class AutomaticWeightedLoss(nn.Module):
    """Weighs task losses by learned homoscedastic uncertainty.

        sum_i 0.5 * exp(-s_i) * L_i + 0.5 * s_i

    with one log variance s_i per task, trained together with the model:

        awl = AutomaticWeightedLoss(2)
        optimizer = Adam(list(model.parameters()) + list(awl.parameters()))
    """

    def __init__(self, num_tasks=2):
        super().__init__()
        self.log_vars = [torch.zeros(1, requires_grad=True) for _ in range(num_tasks)]

    def forward(self, *losses):
        if len(losses) != len(self.log_vars):
            raise ValueError("expected %d losses" % len(self.log_vars))
        total = 0.0
        for s, loss in zip(self.log_vars, losses):
            total = total + 0.5 * torch.exp(-s) * loss + 0.5 * s
        return total.sum()
