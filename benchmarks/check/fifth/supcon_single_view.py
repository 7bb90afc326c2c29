import torch
import torch.nn as nn
import torch.nn.functional as F


class SupervisedContrastiveLoss(nn.Module):
    """Supervised contrastive loss (Khosla et al., 2020) on one view.

    Args:
        temperature: softmax temperature.
    Input: features (N, D), labels (N,). Samples with the same label are
    positives of each other; batches are drawn at random from the data set.
    """

    def __init__(self, temperature=0.07):
        super().__init__()
        self.temperature = temperature

    def forward(self, features, labels):
        features = F.normalize(features, dim=1)
        n = features.shape[0]
        eye = torch.eye(n, dtype=torch.bool, device=features.device)
        mask = (labels.view(-1, 1) == labels.view(1, -1)) & ~eye
        mask = mask.to(features.dtype)

        logits = features @ features.t() / self.temperature
        logits = logits - logits.max(dim=1, keepdim=True).values.detach()
        exp_logits = torch.exp(logits) * (~eye).to(features.dtype)
        log_prob = logits - torch.log(exp_logits.sum(1, keepdim=True))

        mean_log_prob_pos = (mask * log_prob).sum(1) / mask.sum(1)
        return -mean_log_prob_pos.mean()
