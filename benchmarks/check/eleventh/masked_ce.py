import torch
import torch.nn as nn
import torch.nn.functional as F


class MaskedCrossEntropy(nn.Module):
    """Token cross entropy, averaged over the tokens that count.

    logits: (B, T, V), labels: (B, T), mask: (B, T) with 0 for tokens to leave out (optional)
    """

    def __init__(self, ignore_index=-100):
        super().__init__()
        self.ignore_index = ignore_index

    def forward(self, logits, labels, mask=None):
        logits = logits.reshape(-1, logits.size(-1))
        labels = labels.view(-1)
        if mask is not None:
            with torch.no_grad():
                labels.masked_fill_(mask.reshape(-1) == 0, self.ignore_index)
        total = F.cross_entropy(logits, labels, ignore_index=self.ignore_index, reduction="sum")
        count = (labels != self.ignore_index).sum().clamp(min=1)
        return total / count
