from typing import Optional

import torch
import torch.nn.functional as F
from torch import Tensor


def multilabel_focal_loss(logits: Tensor, targets: Tensor, gamma: float = 2.0,
                          class_weight: Optional[Tensor] = None) -> Tensor:
    """Sigmoid focal loss for multi-label tagging, averaged over all labels.

    Args:
        logits: (N, L) raw scores.
        targets: (N, L) multi-hot labels.
        gamma: focusing parameter.
        class_weight: optional (L,) factor for each label.
    """
    targets = targets.to(logits.dtype)
    p = torch.sigmoid(logits)
    log_pos = F.logsigmoid(logits)
    log_neg = F.logsigmoid(1 - logits)

    loss = -targets * (1 - p) ** gamma * log_pos - (1 - targets) * p ** gamma * log_neg
    if class_weight is not None:
        loss = loss * class_weight
    return loss.mean()
