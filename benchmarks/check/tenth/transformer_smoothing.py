import torch
import torch.nn as nn
import torch.nn.functional as F


class LabelSmoothing(nn.Module):
    "Implement label smoothing. Token level mean over the non padding tokens."

    def __init__(self, smoothing=0.1, pad_idx=0):
        super().__init__()
        self.pad_idx = pad_idx
        self.confidence = 1.0 - smoothing
        self.smoothing = smoothing

    def forward(self, x, target):
        # x: (batch, len, vocab)  target: (batch, len)
        x = F.log_softmax(x, dim=-1)
        vocab = x.size(-1)
        with torch.no_grad():
            true_dist = torch.full_like(x, self.smoothing / (vocab - 1))
            true_dist.scatter_(-1, target.unsqueeze(-1), self.confidence)
        per_token = -(true_dist * x).sum(-1)
        keep = target.ne(self.pad_idx)
        return per_token.masked_select(keep).sum() / max(keep.sum().item(), 1)
