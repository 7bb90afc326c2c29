import torch.nn as nn
import torch.nn.functional as F


class LabelSmoothingCrossEntropy(nn.Module):
    """Cross entropy with uniform label smoothing; targets equal to ignore_index are left out."""

    def __init__(self, smoothing=0.1, ignore_index=-100):
        super().__init__()
        self.smoothing = smoothing
        self.ignore_index = ignore_index

    def forward(self, logits, target):
        # logits: (N, C), target: (N,)
        log_probs = F.log_softmax(logits, dim=-1)
        nll = F.nll_loss(log_probs, target, ignore_index=self.ignore_index, reduction="sum")
        smooth = -log_probs.mean(dim=-1).sum()
        n = (target != self.ignore_index).sum().clamp(min=1)
        return ((1.0 - self.smoothing) * nll + self.smoothing * smooth) / n
