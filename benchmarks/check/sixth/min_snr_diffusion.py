import torch
from torch import nn
import torch.nn.functional as F


def cosine_alphas_cumprod(timesteps, s=0.008):
    x = torch.linspace(0, timesteps, timesteps + 1, dtype=torch.float64)
    f = torch.cos(((x / timesteps) + s) / (1 + s) * torch.pi * 0.5) ** 2
    f = f / f[0]
    betas = torch.clip(1 - (f[1:] / f[:-1]), 0, 0.999)
    return torch.cumprod(1. - betas, dim=0)


class MinSNRDiffusionLoss(nn.Module):
    """ mse on the denoiser output, with the Min-SNR-gamma weighting of Hang et al. (https://arxiv.org/abs/2303.09556) """

    def __init__(
        self,
        timesteps = 1000,
        objective = 'pred_v',
        min_snr_loss_weight = True,
        min_snr_gamma = 5
    ):
        super().__init__()
        assert objective in {'pred_noise', 'pred_x0', 'pred_v'}
        self.objective = objective

        alphas_cumprod = cosine_alphas_cumprod(timesteps)
        snr = alphas_cumprod / (1 - alphas_cumprod)

        maybe_clipped_snr = snr.clone()
        if min_snr_loss_weight:
            maybe_clipped_snr.clamp_(min = min_snr_gamma)

        if objective == 'pred_noise':
            loss_weight = maybe_clipped_snr / snr
        elif objective == 'pred_x0':
            loss_weight = maybe_clipped_snr
        else:
            loss_weight = maybe_clipped_snr / (snr + 1)

        self.register_buffer('loss_weight', loss_weight.float())

    def forward(self, model_out, target, t):
        loss = F.mse_loss(model_out, target, reduction = 'none')
        loss = loss.flatten(1).mean(dim = 1)
        loss = loss * self.loss_weight[t]
        return loss.mean()
