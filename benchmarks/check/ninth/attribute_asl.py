import torch
import torch.nn as nn
import torch.nn.functional as F


class AttributeASL(nn.Module):
    """Asymmetric loss for multi-label attributes (Ridnik et al., 2021).

    Positives: ``-(1 - p)**gp * log p``. Negatives: ``-pm**gn * log(1 - pm)``
    with the shifted probability ``pm = max(p - shift, 0)``. Summed over the
    attributes and averaged over the samples.

    Args:
        gp (float): focusing of positives, 0 or >= 1. Default: 1
        gn (float): focusing of negatives, >= 1. Default: 4
        shift (float): in (0, 1). Default: 0.05

    Shape:
        - z, y: (N, L), logits and {0, 1} labels
    """

    def __init__(self, gp=1.0, gn=4.0, shift=0.05):
        super().__init__()
        if not 0 < shift < 1:
            raise ValueError("shift must be in (0, 1)")
        self.gp, self.gn, self.shift = gp, gn, shift

    def forward(self, z, y):
        y = y.to(z.dtype)
        p = torch.sigmoid(z)
        pm = torch.clamp(p - self.shift, min=0)
        pos = y * (1 - p) ** self.gp * F.logsigmoid(z)
        neg = (1 - y) * pm**self.gn * torch.log1p(-pm)
        return -(pos + neg).sum(dim=1).mean(dim=0)
