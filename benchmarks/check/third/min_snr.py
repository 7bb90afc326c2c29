import torch
from torch import nn


class MinSNRNoiseLoss(nn.Module):
    """eps-prediction loss with Min-SNR-gamma weighting (Hang et al., 2023):
    the weight of a sample at step t is min(SNR(t), gamma) / SNR(t)."""

    def __init__(self, timesteps=1000, beta_start=1e-4, beta_end=0.02, gamma=5.0):
        super().__init__()
        betas = torch.linspace(beta_start, beta_end, timesteps, dtype=torch.float64)
        alphas_cumprod = torch.cumprod(1.0 - betas, dim=0)
        snr = alphas_cumprod / (1 - alphas_cumprod)

        clipped_snr = snr.clone()
        clipped_snr.clamp_(min=gamma)
        self.register_buffer("loss_weight", (clipped_snr / snr).float())

    def forward(self, model_out, noise, t):
        loss = (model_out - noise) ** 2
        loss = loss.flatten(1).mean(dim=1)
        return (loss * self.loss_weight[t].to(loss.dtype)).mean()
