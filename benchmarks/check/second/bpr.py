import torch
import torch.nn as nn


class BPRLoss(nn.Module):
    """Bayesian personalised ranking loss."""

    def forward(self, pos_score, neg_score):
        diff = pos_score - neg_score
        return -torch.log(torch.sigmoid(diff)).mean()
