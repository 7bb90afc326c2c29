import torch
import torch.nn as nn


class NegSamplingLoss(nn.Module):
    """LINE / skip-gram objective with negative sampling: maximises log sigmoid(sign * score).

    score: (N,) dot products of vertex pairs
    sign:  (N,) +1 for observed edges, -1 for sampled ones
    """

    def __init__(self):
        super(NegSamplingLoss, self).__init__()

    def forward(self, score, sign):
        return -torch.mean(torch.sigmoid(sign * score))
