from typing import Dict

import torch
import torch.nn as nn


class UncertaintyWeightedLoss(nn.Module):
    """Homoscedastic uncertainty weighting of task losses (Kendall, Gal & Cipolla, 2018).

    s_i = log sigma_i^2 is learned per task. Regression losses (mean squared error) enter as
    0.5 * exp(-s) * L + 0.5 * s, classification losses (cross entropy) as exp(-s) * L + 0.5 * s.
    Tasks that are missing in a batch are skipped.

    Remember to hand the parameters of this module to the optimizer. The total may be negative.
    """

    def __init__(self, tasks: Dict[str, str] = None, init: float = 0.0):
        super().__init__()
        tasks = tasks or {"depth": "regression", "seg": "classification", "normal": "regression"}
        for kind in tasks.values():
            assert kind in ("regression", "classification"), kind
        self.kinds = dict(tasks)
        self.log_vars = nn.ParameterDict({k: nn.Parameter(torch.tensor(float(init))) for k in tasks})

    def forward(self, losses: Dict[str, torch.Tensor]) -> torch.Tensor:
        total = None
        for name, loss in losses.items():
            s = self.log_vars[name]
            factor = 0.5 if self.kinds[name] == "regression" else 1.0
            term = factor * torch.exp(-s) * loss + 0.5 * s
            total = term if total is None else total + term
        if total is None:
            raise ValueError("no losses given")
        return total
