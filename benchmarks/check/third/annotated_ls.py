import torch
import torch.nn as nn


class LabelSmoothing(nn.Module):
    "Implement label smoothing. x: log-probs (N, V), target: (N,). Summed; divide by the token count outside."

    def __init__(self, size=None, padding_idx=0, smoothing=0.1):
        super(LabelSmoothing, self).__init__()
        self.criterion = nn.KLDivLoss(reduction="sum")
        self.padding_idx = padding_idx
        self.confidence = 1.0 - smoothing
        self.smoothing = smoothing
        self.size = size
        self.true_dist = None

    def forward(self, x, target):
        size = self.size or x.size(1)
        assert x.size(1) == size
        true_dist = torch.full_like(x, self.smoothing / (size - 2), requires_grad=False)
        true_dist.scatter_(1, target.unsqueeze(1), self.confidence)
        true_dist[:, self.padding_idx] = 0
        true_dist.masked_fill_((target == self.padding_idx).unsqueeze(1), 0.0)
        self.true_dist = true_dist
        return self.criterion(x, true_dist.clone().detach())
