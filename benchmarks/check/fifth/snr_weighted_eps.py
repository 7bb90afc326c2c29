import torch
import torch.nn as nn


class SNRWeightedLoss(nn.Module):
    """Epsilon-prediction loss with Min-SNR-gamma weights.

    Args:
        num_steps: length of the cosine schedule; gamma: clipping of the SNR.
    eps_pred, noise: (B, ...); t: (B,) long in [0, num_steps).
    """

    def __init__(self, num_steps=1000, gamma=5.0):
        super().__init__()
        s = 0.008
        x = torch.linspace(0, 1, num_steps + 1, dtype=torch.float64)
        f = torch.cos((x + s) / (1 + s) * torch.pi / 2) ** 2
        betas = (1 - f[1:] / f[:-1]).clamp(max=0.999)
        a_bar = torch.cumprod(1 - betas, 0)
        snr = a_bar / (1 - a_bar)
        self.register_buffer("weight", (snr.clamp(max=gamma) / snr).float())

    def forward(self, eps_pred, noise, t):
        if eps_pred.shape != noise.shape:
            raise ValueError("shape mismatch")
        per_sample = (eps_pred - noise).pow(2).flatten(1).mean(dim=1)
        return (self.weight[t] * per_sample).mean()
