import torch
import torch.nn as nn


class VolumeDice(nn.Module):
    r"""Generalized Dice loss (Sudre et al., 2017).

    .. math:: GDL = 1 - 2 \frac{\sum_l w_l \sum_n r_{ln} p_{ln}}
                             {\sum_l w_l \sum_n (r_{ln} + p_{ln})}

    with :math:`w_l = 1 / (\sum_n r_{ln})^2`, so that small structures count as
    much as large ones. Volumes are clamped to at least one voxel. The loss is
    averaged over the batch.

    Args:
        eps (float): guard of the division

    Shape:
        - probs: (N, C, ...), softmax probabilities
        - onehot: (N, C, ...), one-hot reference
    """

    def __init__(self, eps=1e-12):
        super().__init__()
        self.eps = eps

    def forward(self, probs, onehot):
        probs = probs.flatten(2)
        onehot = onehot.flatten(2).to(probs.dtype)
        volume = onehot.sum(-1)
        w = 1.0 / volume.clamp(min=1.0).pow(2)
        num = 2.0 * w * (probs * onehot).sum(-1)
        den = w * (probs + onehot).sum(-1)
        score = (num / (den + self.eps)).mean(dim=1)
        return (1.0 - score).mean()
