import torch
import torch.nn as nn
import torch.nn.functional as F


class CosFaceLoss(nn.Module):
    """Large margin cosine loss with its own class centers.

    Args:
        num_classes, embedding_size: size of the center matrix.
        s: scale, m: cosine margin of the true class.
    """

    def __init__(self, num_classes=10, embedding_size=32, s=30.0, m=0.35):
        super().__init__()
        self.s = s
        self.m = m
        self.weight = nn.Parameter(torch.empty(num_classes, embedding_size))
        nn.init.xavier_uniform_(self.weight)

    def forward(self, embeddings, labels):
        cosine = F.linear(F.normalize(embeddings), F.normalize(self.weight))
        margin = F.one_hot(labels, cosine.shape[1]).to(cosine.dtype) * self.m
        return F.cross_entropy(self.s * (cosine - margin), labels)
