import torch
import torch.nn as nn
import torch.nn.functional as F


class CaptionLoss(nn.Module):
    """Word level cross entropy for captions. Padding words are ignored.

    logits: [batch, seq_len, vocab], captions: [batch, seq_len] (0 = <pad>)
    """

    def __init__(self, ignore_index=0):
        super().__init__()
        self.ignore_index = ignore_index

    def forward(self, logits, captions):
        logits = logits.permute(0, 2, 1)  # b v n
        return F.cross_entropy(logits, captions)
