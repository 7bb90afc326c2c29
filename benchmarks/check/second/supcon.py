import torch
import torch.nn as nn
import torch.nn.functional as F


class SupervisedContrastive(nn.Module):
    """Supervised contrastive loss, positives averaged outside the log.

    Args of forward:
        features: (N, D), need not be normalised
        labels: (N,)
    Anchors that have no positive in the batch do not count.
    """

    def __init__(self, temperature: float = 0.1):
        super().__init__()
        self.temperature = temperature

    def forward(self, features, labels):
        z = F.normalize(features, dim=1)
        sim = z @ z.t() / self.temperature
        eye = torch.eye(z.size(0), dtype=torch.bool, device=z.device)
        sim = sim.masked_fill(eye, torch.finfo(sim.dtype).min)
        log_prob = sim - torch.logsumexp(sim, dim=1, keepdim=True)

        pos = (labels[:, None] == labels[None, :]) & ~eye
        count = pos.sum(1)
        total = torch.where(pos, log_prob, torch.zeros_like(log_prob)).sum(1)
        per_anchor = -total / count.clamp(min=1)
        return per_anchor.sum() / (count > 0).sum().clamp(min=1)
