import torch
import torch.nn as nn
import torch.nn.functional as F


class LatentPredictionLoss(nn.Module):
    """1 - cosine similarity between predicted and target token embeddings.

    z: predictor output (B, N, D), h: target encoder output (B, N, D)
    """

    def forward(self, z, h):
        h = h.detach()
        return 1 - F.cosine_similarity(z, h, dim=1).mean()
