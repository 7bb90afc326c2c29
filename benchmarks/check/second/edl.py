import torch
import torch.nn as nn
import torch.nn.functional as F


class EvidentialLoss(nn.Module):
    """Evidential classification (Sensoy et al. 2018), expected cross entropy.

    The KL term pulls misleading evidence, i.e. evidence for the wrong classes,
    to zero; evidence for the true class is not penalised by it.

    logits: (N, C), labels: (N,)
    """

    def __init__(self, kl_weight=0.1):
        super().__init__()
        self.kl_weight = kl_weight

    def kl_to_uniform(self, alpha):
        s = alpha.sum(1)
        c = torch.full_like(s, alpha.size(1))
        term = torch.lgamma(s) - torch.lgamma(alpha).sum(1) - torch.lgamma(c)
        return term + ((alpha - 1) * (torch.digamma(alpha) - torch.digamma(s).unsqueeze(1))).sum(1)

    def forward(self, logits, labels):
        evidence = F.softplus(logits)
        alpha = evidence + 1
        y = F.one_hot(labels, logits.size(1)).to(logits.dtype)
        ce = (y * (torch.digamma(alpha.sum(1, keepdim=True)) - torch.digamma(alpha))).sum(1)
        return (ce + self.kl_weight * self.kl_to_uniform(alpha)).mean()
