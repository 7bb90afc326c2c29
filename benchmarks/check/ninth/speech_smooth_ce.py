import torch
import torch.nn as nn
import torch.nn.functional as F


class SpeechSmoothCE(nn.Module):
    """Label-smoothed cross-entropy for sequences of phones.

    The target gets probability ``1 - smoothing`` and every *other* class
    ``smoothing / (K - 1)``. Frames labelled ``ignore`` are left out of the mean;
    if all are, the loss is 0.

    Args:
        smoothing (float): in [0, 1). Default: 0.1
        ignore (int): default -1

    Shape:
        - x: (N, T, K) logits
        - phones: (N, T)
    """

    def __init__(self, smoothing=0.1, ignore=-1):
        super().__init__()
        self.smoothing = smoothing
        self.ignore = ignore

    def forward(self, x, phones):
        k = x.size(-1)
        logp = F.log_softmax(x, dim=-1)
        keep = phones != self.ignore
        idx = phones.masked_fill(~keep, 0).unsqueeze(-1)
        hit = logp.gather(-1, idx).squeeze(-1)
        rest = logp.sum(-1) - hit
        loss = -(1 - self.smoothing) * hit - self.smoothing / (k - 1) * rest
        loss = loss.masked_fill(~keep, 0.0)
        return loss.sum() / keep.sum().clamp(min=1)
