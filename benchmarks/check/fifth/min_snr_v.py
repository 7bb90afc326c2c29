import torch
import torch.nn as nn


class MinSNRLoss(nn.Module):
    """Diffusion MSE with Min-SNR-gamma weighting (Hang et al., 2023).

    The weight of a sample equals min(SNR, gamma) in x0 space, i.e.
    min(SNR, gamma) / SNR for an epsilon model and min(SNR, gamma) / (SNR + 1)
    for a v model.

    Args:
        num_train_timesteps: length of the linear beta schedule.
        prediction_type: "epsilon" or "v_prediction".
    """

    def __init__(self, num_train_timesteps=1000, snr_gamma=5.0, prediction_type="v_prediction"):
        super().__init__()
        if prediction_type not in ("epsilon", "v_prediction"):
            raise ValueError(prediction_type)
        self.snr_gamma = snr_gamma
        self.prediction_type = prediction_type
        betas = torch.linspace(1e-4, 0.02, num_train_timesteps, dtype=torch.float64)
        alphas_cumprod = torch.cumprod(1 - betas, 0)
        self.register_buffer("snr", (alphas_cumprod / (1 - alphas_cumprod)).float())

    def forward(self, model_pred, target, timesteps):
        # model_pred, target: (B, C, H, W); timesteps: (B,) long
        snr = self.snr[timesteps]
        if self.prediction_type == "v_prediction":
            # the velocity objective requires that we divide by snr + 1
            snr = snr + 1
        weights = snr.clamp(max=self.snr_gamma) / snr

        loss = (model_pred.float() - target.float()).pow(2)
        loss = loss.mean(dim=list(range(1, loss.ndim))) * weights
        return loss.mean()
