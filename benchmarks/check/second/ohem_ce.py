import math

import torch
import torch.nn as nn
import torch.nn.functional as F


class OhemCrossEntropy(nn.Module):
    """Cross entropy over the hard pixels only."""

    def __init__(self, thresh=0.7, min_kept=16, ignore_index=255):
        super().__init__()
        self.loss_thresh = -math.log(thresh)
        self.min_kept = min_kept
        self.ignore_index = ignore_index

    def forward(self, logits, target):
        loss = F.cross_entropy(logits, target, ignore_index=self.ignore_index, reduction="none")
        loss = loss[target != self.ignore_index]
        if loss.numel() == 0:
            return logits.sum() * 0.0
        ranked = loss.detach()
        k = min(self.min_kept, loss.numel())
        kth = torch.topk(ranked, k).values[-1]
        cut = kth.clamp(max=self.loss_thresh)
        return loss[ranked >= cut].mean()
