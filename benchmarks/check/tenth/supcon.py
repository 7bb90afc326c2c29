import torch
import torch.nn as nn
import torch.nn.functional as F


class SupConLoss(nn.Module):
    """Supervised contrastive loss, features (B, D), labels (B,)"""

    def __init__(self, temperature=0.1):
        super().__init__()
        self.temperature = temperature

    def forward(self, features, labels):
        features = F.normalize(features, dim=1)
        labels = labels.view(-1, 1)
        mask = torch.eq(labels, labels.t()).to(features.dtype)
        logits = features @ features.t() / self.temperature
        logits = logits - logits.max(dim=1, keepdim=True)[0].detach()

        # remove self-contrast
        not_self = 1 - torch.eye(features.size(0), device=features.device, dtype=features.dtype)
        mask = mask * not_self
        exp_logits = torch.exp(logits) * not_self
        log_prob = logits - torch.log(exp_logits.sum(1, keepdim=True))

        mean_log_prob_pos = (mask * log_prob).sum(1) / mask.sum(1)
        return -mean_log_prob_pos.mean()
