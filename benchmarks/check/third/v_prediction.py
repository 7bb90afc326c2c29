import math

import torch
from torch import nn


class VPredictionLoss(nn.Module):
    """v-prediction objective, cosine schedule. x0 and noise are mixed by the caller:
    x_t = sqrt(a) x0 + sqrt(1 - a) noise, the network predicts v = sqrt(a) noise - sqrt(1 - a) x0.

    With gamma given, weights are min(SNR, gamma) / (SNR + 1).
    """

    def __init__(self, timesteps=1000, s=0.008, gamma=5.0):
        super().__init__()
        steps = torch.arange(timesteps + 1, dtype=torch.float64) / timesteps
        f = torch.cos((steps + s) / (1 + s) * math.pi / 2) ** 2
        a = (f / f[0])[1:].clamp(1e-5, 1 - 1e-5)
        snr = a / (1 - a)
        w = torch.ones_like(snr) if gamma is None else snr.clamp(max=gamma) / (snr + 1)
        self.register_buffer("alphas_cumprod", a.float())
        self.register_buffer("weights", w.float())

    def forward(self, v_pred, x0, noise, t):
        a = self.alphas_cumprod[t].to(x0.dtype).view(-1, *([1] * (x0.dim() - 1)))
        v = a.sqrt() * noise - (1 - a).sqrt() * x0
        per_sample = ((v_pred - v) ** 2).flatten(1).mean(1)
        return (self.weights[t].to(per_sample.dtype) * per_sample).mean()
