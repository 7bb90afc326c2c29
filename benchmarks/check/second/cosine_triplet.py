import torch
import torch.nn as nn
import torch.nn.functional as F


class CosineTripletLoss(nn.Module):
    """Triplet margin loss in cosine space."""

    def __init__(self, margin=0.2):
        super().__init__()
        self.margin = margin

    def forward(self, anchor, positive, negative):
        d_pos = F.cosine_similarity(anchor, positive, dim=1)
        d_neg = F.cosine_similarity(anchor, negative, dim=1)
        return F.relu(d_pos - d_neg + self.margin).mean()
