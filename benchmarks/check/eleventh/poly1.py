import torch.nn as nn
import torch.nn.functional as F


class Poly1CrossEntropyLoss(nn.Module):
    def __init__(self, epsilon=1.0, reduction="mean"):
        super().__init__()
        self.epsilon = epsilon
        self.reduction = reduction

    def forward(self, logits, labels):
        one_hot = F.one_hot(labels, num_classes=logits.size(-1)).to(logits.dtype)
        pt = (one_hot * F.softmax(logits, dim=-1)).sum(dim=-1)
        ce = F.cross_entropy(logits, labels, reduction="none")
        poly1 = ce + self.epsilon * (1 - pt)
        if self.reduction == "mean":
            return poly1.mean()
        if self.reduction == "sum":
            return poly1.sum()
        return poly1
