import torch
import torch.nn as nn


class UncertaintyWeightedLoss(nn.Module):
    """Homoscedastic uncertainty weighting of several task losses.

    s_i = log(sigma_i^2) is learned per task (add ``parameters()`` to the
    optimizer):

        regression:      0.5 * exp(-s) * L + 0.5 * s
        classification:        exp(-s) * L + 0.5 * s

    Args:
        task_types: dict from the task name to 'regression' or
            'classification'.
        init_log_var: initial value of s.
    """

    def __init__(self, task_types, init_log_var=0.0):
        super().__init__()
        for name, kind in task_types.items():
            if kind not in ("regression", "classification"):
                raise ValueError(f"{name}: unknown task type {kind}")
        self.task_types = dict(task_types)
        self.log_vars = nn.ParameterDict({
            name: nn.Parameter(torch.tensor(float(init_log_var)))
            for name in task_types
        })

    def task_weight(self, name):
        s = self.log_vars[name]
        factor = 0.5 if self.task_types[name] == "regression" else 1.0
        return factor * torch.exp(-s), s

    def weights(self):
        """Current weights for logging."""
        return {n: self.task_weight(n)[0].item() for n in self.task_types}

    def forward(self, losses):
        """losses: dict with a scalar tensor per task. Tasks without labels in
        the batch can be left out, their uncertainty gets no update."""
        unknown = set(losses) - set(self.task_types)
        if unknown:
            raise KeyError(f"unknown tasks {sorted(unknown)}")
        total = 0.0
        for name, loss in losses.items():
            weight, s = self.task_weight(name)
            total = total + weight * loss + 0.5 * s
        return total
