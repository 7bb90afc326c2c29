import torch
import torch.nn as nn


class DiagGaussianKL(nn.Module):
    """KL(N(mu_q, exp(lv_q)) || N(mu_p, exp(lv_p))) for diagonal Gaussians.

    All inputs (N, D); summed over D, then "mean", "sum" or "none" over N.
    """

    def __init__(self, reduction="mean"):
        super().__init__()
        if reduction not in {"mean", "sum", "none"}:
            raise ValueError(reduction)
        self.reduction = reduction

    def forward(self, mu_q, lv_q, mu_p, lv_p):
        log_ratio = lv_q - lv_p
        kl = 0.5 * (torch.expm1(log_ratio) - log_ratio + (mu_q - mu_p) ** 2 * torch.exp(-lv_p))
        kl = kl.sum(dim=-1)
        return kl if self.reduction == "none" else getattr(kl, self.reduction)()
