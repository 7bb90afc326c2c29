import torch
import torch.nn as nn
import torch.nn.functional as F


class AMSoftmaxLoss(nn.Module):
    def __init__(self, in_features, num_classes, s=30.0, m=0.35):
        super().__init__()
        self.s = s
        self.m = m
        self.weight = nn.Parameter(torch.empty(num_classes, in_features))
        nn.init.xavier_normal_(self.weight)

    def forward(self, x, labels):
        cosine = F.linear(F.normalize(x), F.normalize(self.weight))
        margin = torch.zeros_like(cosine).scatter_(1, labels.unsqueeze(1), self.m)
        return F.cross_entropy(self.s * (cosine - margin), labels)
