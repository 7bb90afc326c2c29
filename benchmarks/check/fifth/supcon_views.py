import torch
import torch.nn as nn
import torch.nn.functional as F


class SupConLoss(nn.Module):
    """Supervised contrastive loss on several augmented views.

    Args:
        temperature: softmax temperature.
    features (B, V, D) with V >= 2, labels (B,). The other views of a sample
    are always among its positives.
    """

    def __init__(self, temperature=0.1):
        super().__init__()
        self.temperature = temperature

    def forward(self, features, labels):
        b, v, _ = features.shape
        if v < 2:
            raise ValueError("at least two views are needed")
        z = F.normalize(features.reshape(b * v, -1), dim=1)
        y = labels.repeat_interleave(v)

        self_mask = torch.eye(b * v, dtype=torch.bool, device=z.device)
        positives = (y[:, None] == y[None, :]) & ~self_mask
        logits = (z @ z.t() / self.temperature).masked_fill(self_mask, float("-inf"))
        log_prob = logits - torch.logsumexp(logits, dim=1, keepdim=True)
        log_prob = torch.where(positives, log_prob, torch.zeros_like(log_prob))
        return -(log_prob.sum(1) / positives.sum(1)).mean()
