import torch
import torch.nn as nn


class HeteroscedasticLoss(nn.Module):
    """aleatoric uncertainty, network predicts mean and s = log(sigma^2) (Kendall & Gal)"""

    def forward(self, mean, log_var, target):
        precision = torch.exp(-log_var)
        return torch.mean(0.5 * precision * (target - mean) ** 2 + 0.5 * log_var)
