import torch
import torch.nn as nn


class MinSNRDiffusionLoss(nn.Module):
    """MSE diffusion loss with the Min-SNR-gamma weighting
    (https://arxiv.org/abs/2303.09556).

    The weighting is defined on the x0 prediction error as min(SNR, gamma) and
    is translated to the loss of the chosen parameterisation.

    Args:
        num_timesteps: length of the (linear beta) schedule.
        prediction_type: 'epsilon', 'sample' or 'v_prediction'.
        snr_gamma: clipping value of the SNR.
    """

    def __init__(self, num_timesteps=1000, prediction_type="epsilon", snr_gamma=5.0,
                 beta_start=1e-4, beta_end=2e-2):
        super().__init__()
        if prediction_type not in ("epsilon", "sample", "v_prediction"):
            raise ValueError(f"unknown prediction type {prediction_type}")
        betas = torch.linspace(beta_start, beta_end, num_timesteps, dtype=torch.float64)
        alphas_cumprod = torch.cumprod(1.0 - betas, dim=0)
        self.register_buffer("alphas_cumprod", alphas_cumprod.float())
        self.prediction_type = prediction_type
        self.snr_gamma = snr_gamma

    def _at(self, t, ndim):
        a = self.alphas_cumprod[t]
        return a.view(a.shape + (1,) * (ndim - 1))

    def add_noise(self, x0, noise, t):
        a = self._at(t, x0.ndim)
        return a.sqrt() * x0 + (1 - a).sqrt() * noise

    def target(self, x0, noise, t):
        if self.prediction_type == "epsilon":
            return noise
        if self.prediction_type == "sample":
            return x0
        a = self._at(t, x0.ndim)
        return a.sqrt() * noise - (1 - a).sqrt() * x0

    def compute_snr(self, t):
        a = self.alphas_cumprod[t]
        return a / (1 - a)

    def loss_weights(self, t):
        snr = self.compute_snr(t)
        if self.prediction_type == "sample":
            return snr.clamp(max=self.snr_gamma)
        if self.prediction_type == "v_prediction":
            # Velocity objective requires that we add one to SNR values before
            # we divide by them.
            snr = snr + 1
        return snr.clamp(max=self.snr_gamma) / snr

    def forward(self, model_pred, x0, noise, t):
        """
        model_pred: output of the network for the noisy input
        x0, noise: (B, C, H, W); t: (B,) timesteps
        """
        target = self.target(x0, noise, t)
        loss = (model_pred.float() - target.float()).pow(2)
        loss = loss.flatten(1).mean(dim=1)
        return (loss * self.loss_weights(t)).mean()
