import torch
import torch.nn as nn
import torch.nn.functional as F


class SupConLoss(nn.Module):
    """Supervised contrastive loss (Khosla et al., 2020), one view per sample.

    For each anchor the log-probability of its positives (other samples of the
    batch with the same label) against all other samples is averaged over the
    positives; the loss is the mean over the anchors that have one.

    Args:
        temperature: softmax temperature.

    Shape:
        - features: (N, D), L2-normalized inside
        - labels: (N,)
    """

    def __init__(self, temperature: float = 0.1):
        super().__init__()
        self.temperature = temperature

    def forward(self, features: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        n = features.size(0)
        z = F.normalize(features, dim=1)
        self_mask = torch.eye(n, dtype=torch.bool, device=z.device)
        pos_mask = (labels[:, None] == labels[None, :]) & ~self_mask

        logits = z @ z.T / self.temperature
        log_denom = torch.logsumexp(logits.masked_fill(self_mask, float("-inf")), dim=1, keepdim=True)
        log_prob = logits - log_denom

        mean_log_prob_pos = (log_prob * pos_mask).sum(1) / pos_mask.sum(1)
        return -mean_log_prob_pos.mean()
