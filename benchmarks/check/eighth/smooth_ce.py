import torch
import torch.nn as nn
import torch.nn.functional as F


class SmoothCrossEntropyLoss(nn.Module):
    """Cross entropy with label smoothing (Szegedy et al., 2016).

    The one-hot target is mixed with the uniform distribution over the K
    classes: ``y_smooth = (1 - a) * y + a / K``. Targets may be class indices
    (N,) or distributions (N, K), e.g. after mixup.

    Args:
        label_smoothing: the amount ``a`` in [0, 1).
    """

    def __init__(self, label_smoothing: float = 0.1):
        super().__init__()
        self.label_smoothing = label_smoothing

    def forward(self, input: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        num_classes = input.size(-1)
        if target.dim() == 1:
            target = F.one_hot(target, num_classes)
        target = target.to(input.dtype)
        if self.label_smoothing > 0:
            s_by_c = self.label_smoothing / num_classes
            target = target * (1.0 - s_by_c) + s_by_c
        log_prob = F.log_softmax(input, dim=-1)
        return -(target * log_prob).sum(dim=-1).mean()
