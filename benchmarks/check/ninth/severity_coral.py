import torch
import torch.nn as nn
import torch.nn.functional as F


class SeverityCORAL(nn.Module):
    """CORAL loss for ordinal grades 0 .. K-1 from K-1 binary logits.

    Logit k scores the event "grade > k". The binary cross-entropies of the K-1
    tasks are summed (weighted by ``task_weight`` if given) and averaged over
    the patients.

    Args:
        task_weight (sequence or None): K-1 importance weights

    Shape:
        - logits: (N, K-1)
        - grade: (N,) integers
    """

    def __init__(self, task_weight=None):
        super().__init__()
        self.task_weight = task_weight

    def forward(self, logits, grade):
        ranks = torch.arange(logits.size(1), device=grade.device)
        levels = (grade.unsqueeze(1) > ranks).to(logits.dtype)
        ls = F.logsigmoid(logits)
        nll = -(ls * levels + (ls - logits) * (1 - levels))
        if self.task_weight is not None:
            nll = nll * torch.as_tensor(self.task_weight, dtype=nll.dtype, device=nll.device)
        return nll.sum(1).mean()
