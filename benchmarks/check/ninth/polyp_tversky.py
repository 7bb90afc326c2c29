import torch
import torch.nn as nn


class PolypTversky(nn.Module):
    r"""Focal Tversky loss (Abraham & Khan, 2019).

    :math:`(1 - TI)^{1/\gamma}` with
    :math:`TI = (TP + s) / (TP + a \cdot FN + b \cdot FP + s)`; as in the paper
    the *first* weight belongs to the false negatives.

    Args:
        a (float): weight of false negatives. Default: 0.7
        b (float): weight of false positives. Default: 0.3
        gamma (float): in (0, 1]. Default: 0.75
        s (float): smoothing. Default: 1.0

    Shape:
        - probabilities, reference: any equal shape, counted as one volume
    """

    def __init__(self, a=0.7, b=0.3, gamma=0.75, s=1.0):
        super().__init__()
        if not 0 < gamma <= 1:
            raise ValueError("gamma must be in (0, 1]")
        self.a, self.b, self.gamma, self.s = a, b, gamma, s

    def forward(self, probabilities, reference):
        g = reference.to(probabilities.dtype)
        tp = torch.sum(probabilities * g)
        missed = torch.sum((1 - probabilities) * g)
        extra = torch.sum(probabilities * (1 - g))
        ti = (tp + self.s) / (tp + self.a * missed + self.b * extra + self.s)
        return torch.clamp(1 - ti, min=0.0) ** (1.0 / self.gamma)
