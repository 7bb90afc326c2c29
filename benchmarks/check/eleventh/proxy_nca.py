import torch
import torch.nn as nn
import torch.nn.functional as F


class ProxyNCALoss(nn.Module):
    """ProxyNCA++ style loss: softmax over the negative squared distances to the class proxies."""

    def __init__(self, num_classes, embedding_size, scale=3.0):
        super().__init__()
        self.proxies = nn.Parameter(torch.randn(num_classes, embedding_size) / 8)
        self.scale = scale

    def forward(self, embeddings, labels):
        x = self.scale * F.normalize(embeddings, p=2, dim=-1)
        p = self.scale * F.normalize(self.proxies, p=2, dim=-1)
        dist = (x.unsqueeze(1) - p.unsqueeze(0)).pow(2).sum(-1)
        return F.cross_entropy(-dist, labels)
