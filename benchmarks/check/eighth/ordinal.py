from typing import Optional, Sequence

import torch
import torch.nn as nn
import torch.nn.functional as F


class OrdinalLoss(nn.Module):
    """Rank-consistent ordinal regression loss (CORAL).

    K ordered classes are turned into K - 1 binary tasks "is y > k?". The
    losses of the tasks are multiplied by their importance weights, summed,
    and averaged over the batch.

    Args:
        num_classes: number of ordered classes K.
        importance_weights: K - 1 factors, one per task. Default: all ones.
    """

    def __init__(self, num_classes: int = 5, importance_weights: Optional[Sequence[float]] = None):
        super().__init__()
        self.num_classes = num_classes
        if importance_weights is None:
            importance_weights = [1.0] * (num_classes - 1)
        self.register_buffer("importance_weights", torch.tensor(importance_weights, dtype=torch.float32))

    def levels(self, y: torch.Tensor) -> torch.Tensor:
        ks = torch.arange(self.num_classes - 1, device=y.device)
        return (y.unsqueeze(1) > ks).float()

    def forward(self, logits: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        """logits: (N, K - 1) task scores, y: (N,) class indices 0 .. K - 1."""
        levels = self.levels(y).to(logits.dtype)
        task_loss = -(F.logsigmoid(logits) * levels + (F.logsigmoid(logits) - logits) * (1 - levels))
        return task_loss.sum(dim=1).mean()
