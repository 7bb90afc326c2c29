import torch
import torch.nn as nn
import torch.nn.functional as F
from torch import Tensor


class GeneralizedDiceLoss(nn.Module):
    r"""Generalized Dice (Sudre et al. 2017), one value per image, then averaged.

    .. math:: 1 - 2 \frac{\sum_c w_c \sum_i p_{ci} t_{ci}}{\sum_c w_c \sum_i (p_{ci} + t_{ci})}

    with :math:`w_c` the inverse squared volume of class c. A class without
    pixels gets the weight of a class with one pixel.
    """

    def forward(self, logits: Tensor, labels: Tensor) -> Tensor:
        n, c = logits.shape[:2]
        p = F.softmax(logits, dim=1).reshape(n, c, -1)
        t = F.one_hot(labels.reshape(n, -1), c).transpose(1, 2).to(p.dtype)

        volume = t.sum(-1)
        w = 1.0 / volume.clamp(min=1) ** 2
        num = 2 * (w * (p * t).sum(-1)).sum(1)
        den = (w * (p + t).sum(-1)).sum(1)
        return (1 - num / den).mean()
