import math

import torch
import torch.nn as nn
import torch.nn.functional as F


class ArcMarginLoss(nn.Module):
    def __init__(self, embedding_dim=16, num_classes=5, s=30.0, m=0.5):
        super().__init__()
        self.weight = nn.Parameter(torch.empty(num_classes, embedding_dim))
        nn.init.xavier_uniform_(self.weight)
        self.s = s
        self.cos_m, self.sin_m = math.cos(m), math.sin(m)
        self.th = math.cos(math.pi - m)
        self.mm = math.sin(math.pi - m) * m

    def forward(self, embeddings: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        cos = F.linear(F.normalize(embeddings), F.normalize(self.weight))
        if cos.dtype in (torch.float16, torch.bfloat16):
            cos = cos.float()
        cos = cos.clamp(-1 + 1e-6, 1 - 1e-6)
        sin = torch.sqrt(1 - cos * cos)
        phi = cos * self.cos_m - sin * self.sin_m
        # beyond pi - m the curve would turn up again: continue linearly
        phi = torch.where(cos > self.th, phi, cos - self.mm)
        hit = F.one_hot(labels, cos.size(1)).bool()
        return F.cross_entropy(self.s * torch.where(hit, phi, cos), labels)
