import torch
import torch.nn as nn
import torch.nn.functional as F


class ActionChunkLoss(nn.Module):
    """Mean absolute error on non padded action steps + beta * KL of the latent.

    pred, actions: (B, T, action_dim); is_pad: bool (B, T), True where padded
    mu, logvar: (B, latent)
    """

    def __init__(self, kl_weight=10.0):
        super().__init__()
        self.kl_weight = kl_weight

    def forward(self, pred, actions, is_pad, mu, logvar):
        l1 = F.l1_loss(pred, actions, reduction='none')
        mask = ~is_pad.unsqueeze(-1)
        l1 = (l1 * mask).sum() / mask.sum().clamp_min(1)
        kld = -0.5 * (1 + logvar - mu.pow(2) - logvar.exp())
        kld = kld.sum(-1).mean()
        return l1 + self.kl_weight * kld
