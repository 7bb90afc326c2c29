import math

import torch
import torch.nn as nn
import torch.nn.functional as F


class ArcMarginLoss(nn.Module):
    """Additive angular margin loss (https://arxiv.org/abs/1801.07698).

    Holds the class centres; takes raw embeddings and labels and returns the
    cross entropy of the scaled, margin-adjusted cosines.

    Args:
        in_features: embedding size
        num_classes: number of identities
        s: feature scale
        m: angular margin (radians)
    """

    def __init__(self, in_features, num_classes, s=64.0, m=0.5):
        super().__init__()
        self.kernel = nn.Parameter(torch.empty(in_features, num_classes))
        nn.init.xavier_uniform_(self.kernel)
        self.s = s
        self.m = m
        self.cos_m = math.cos(m)
        self.sin_m = math.sin(m)
        # issue of cos(theta + m) leaving [0, pi]
        self.mm = math.sin(math.pi - m) * m
        self.threshold = math.cos(math.pi - m)

    def logits(self, embeddings, label):
        n = embeddings.size(0)
        kernel_norm = F.normalize(self.kernel, dim=0)
        cos_theta = torch.mm(F.normalize(embeddings, dim=1), kernel_norm)
        cos_theta = cos_theta.clamp(-1, 1)

        sin_theta = torch.sqrt((1.0 - cos_theta.pow(2)).clamp(min=1e-7))
        cos_theta_m = cos_theta * self.cos_m - sin_theta * self.sin_m

        # theta + m has to stay in [0, pi]; otherwise fall back to a
        # cosface-like penalty which keeps the target logit monotonic
        cond_v = cos_theta - self.threshold
        cond_mask = cond_v > 0
        keep_val = cos_theta - self.mm
        cos_theta_m = torch.where(cond_mask, keep_val, cos_theta_m)

        output = cos_theta.clone()
        idx = torch.arange(n, device=embeddings.device)
        output[idx, label] = cos_theta_m[idx, label]
        return output * self.s

    def forward(self, embeddings, label):
        return F.cross_entropy(self.logits(embeddings, label), label)
