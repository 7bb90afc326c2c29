import torch
import torch.nn as nn


class UncertaintyWeightedLoss(nn.Module):
    """Multi-task weighting by homoscedastic uncertainty (Kendall et al.).

    Regression tasks get 0.5 * exp(-s) * L + 0.5 * s, classification tasks
    exp(-s) * L + 0.5 * s, with a learned s = log(sigma^2) per task. The total
    can become negative.

    Args:
        task_types: sequence of "reg" / "cls".
    """

    def __init__(self, task_types=("reg", "cls")):
        super().__init__()
        factors = [{"reg": 0.5, "cls": 1.0}[t] for t in task_types]
        self.register_buffer("factor", torch.tensor(factors))
        self.log_vars = nn.Parameter(torch.zeros(len(factors)))

    def forward(self, losses):
        losses = torch.stack([l.reshape(()) for l in losses])
        if losses.shape != self.log_vars.shape:
            raise ValueError("one loss per task expected")
        return (self.factor * torch.exp(-self.log_vars) * losses + 0.5 * self.log_vars).sum()
