import torch
import torch.nn as nn
import torch.nn.functional as F


class OHEMCrossEntropy(nn.Module):
    """Online hard example mining: cross entropy of the hardest part of the batch.

    forward(logits, labels): logits (N, C) straight from the last linear layer,
    labels (N,) class indices.
    """

    def __init__(self, keep=0.7):
        super().__init__()
        self.keep = keep

    def forward(self, logits, labels):
        scores = F.softmax(logits, dim=1)
        losses = F.cross_entropy(scores, labels, reduction="none")
        k = max(1, int(self.keep * losses.numel()))
        hardest, _ = torch.topk(losses, k)
        return hardest.mean()
