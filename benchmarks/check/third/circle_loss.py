import torch
from torch import nn
import torch.nn.functional as F


class CircleLoss(nn.Module):
    def __init__(self, m: float = 0.25, gamma: float = 64.):
        super(CircleLoss, self).__init__()
        self.m = m
        self.gamma = gamma

    def forward(self, feature: torch.Tensor, label: torch.Tensor) -> torch.Tensor:
        normed = F.normalize(feature)
        sim = normed @ normed.t()
        same = label.unsqueeze(1) == label.unsqueeze(0)
        upper = torch.ones_like(same).triu(diagonal=1)
        sp, sn = sim[same & upper], sim[~same & upper]
        if sp.numel() == 0 or sn.numel() == 0:
            # nothing to compare in this batch
            return sim.sum() * 0.

        # self-paced weights, no gradient through them
        ap = torch.clamp_min(-sp.detach() + 1 + self.m, min=0.)
        an = torch.clamp_min(sn.detach() + self.m, min=0.)

        logit_p = -ap * (sp - (1 - self.m)) * self.gamma
        logit_n = an * (sn - self.m) * self.gamma
        return F.softplus(torch.logsumexp(logit_n, dim=0) + torch.logsumexp(logit_p, dim=0))
