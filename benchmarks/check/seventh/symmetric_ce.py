import torch
import torch.nn as nn
import torch.nn.functional as F


class SCELoss(nn.Module):
    """Symmetric cross entropy for learning with noisy labels.

    alpha * CE(p, y) + beta * RCE(y, p), where log(0) of the one-hot label is
    replaced by log(1e-4).
    """

    def __init__(self, alpha, beta, num_classes=10):
        super().__init__()
        self.alpha = alpha
        self.beta = beta
        self.num_classes = num_classes

    def forward(self, pred, labels):
        # CCE
        ce = F.cross_entropy(pred, labels)

        # RCE
        pred = F.softmax(pred, dim=1)
        pred = torch.clamp(pred, min=1e-7, max=1.0)
        label_one_hot = F.one_hot(labels, self.num_classes).float()
        label_one_hot = torch.clamp(label_one_hot, min=1e-4, max=1.0)
        rce = -torch.sum(pred * torch.log(label_one_hot), dim=1)

        return self.alpha * ce + self.beta * rce.mean()
