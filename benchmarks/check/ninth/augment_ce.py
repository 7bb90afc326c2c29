import torch
import torch.nn as nn
import torch.nn.functional as F


class AugmentCE(nn.Module):
    r"""Cross-entropy with label smoothing (Szegedy et al.).

    The one-hot target y becomes :math:`(1 - \epsilon) y + \epsilon / K`.

    Args:
        label_smoothing (float): epsilon in [0, 1). Default: 0.1
        size_average (bool): mean over the batch if True, else sum

    Shape:
        - input: (N, K) logits
        - target: (N,) class indices, or (N, K) class probabilities
    """

    def __init__(self, label_smoothing=0.1, size_average=True):
        super().__init__()
        self.label_smoothing = label_smoothing
        self.size_average = size_average

    def forward(self, input, target):
        if target.dim() == 1:
            target = F.one_hot(target, num_classes=input.size(-1))
        target = target.to(input.dtype)
        if self.label_smoothing > 0.0:
            share = self.label_smoothing / input.size(-1)
            target = target * (1.0 - share) + share
        loss = -(target * F.log_softmax(input, dim=-1)).sum(dim=-1)
        return loss.mean() if self.size_average else loss.sum()
