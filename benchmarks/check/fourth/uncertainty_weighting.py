import torch
import torch.nn as nn


class UncertaintyWeighting(nn.Module):
    """Learned task weights after Kendall et al. 2018.

    kinds: list with "regression" or "classification" for each task. The
    parameters are log variances; give self.parameters() to the optimizer.
    forward(losses) takes one scalar loss for each task and returns the total
    and a list with the current weights (floats, for logging).
    """

    def __init__(self, kinds):
        super().__init__()
        self.kinds = list(kinds)
        self.log_var = nn.Parameter(torch.zeros(len(self.kinds)))

    def forward(self, losses):
        total = 0.0
        weights = []
        for i, loss in enumerate(losses):
            s = self.log_var[i]
            w = torch.exp(-s)
            if self.kinds[i] == "regression":
                w = 0.5 * w
            total = total + w * loss + 0.5 * s
            weights.append(w.item())
        return total, weights
