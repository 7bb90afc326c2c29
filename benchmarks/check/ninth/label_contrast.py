import torch
import torch.nn as nn
import torch.nn.functional as F


class LabelContrast(nn.Module):
    """Supervised contrastive loss (Khosla et al., 2020), one view per sample.

    For every anchor the log-probability of the samples of its class among all
    other samples of the batch is averaged, and the anchors are averaged.
    Batches come from an ordinary shuffled loader.

    Args:
        temperature (float): default 0.1

    Shape:
        - features: (N, D); they are L2-normalised here
        - labels: (N,)
    """

    def __init__(self, temperature=0.1):
        super().__init__()
        self.temperature = temperature

    def forward(self, features, labels):
        z = F.normalize(features, dim=1)
        sim = z @ z.t() / self.temperature
        n = z.size(0)
        self_mask = torch.eye(n, dtype=torch.bool, device=z.device)
        positives = (labels.view(-1, 1) == labels.view(1, -1)) & ~self_mask
        log_denom = torch.logsumexp(sim.masked_fill(self_mask, -1e9), dim=1, keepdim=True)
        log_prob = sim - log_denom
        count = positives.sum(dim=1)
        mean_log_prob = (log_prob * positives).sum(dim=1) / count
        return -mean_log_prob.mean()
