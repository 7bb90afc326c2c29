import torch
import torch.nn as nn


class SILogLoss(nn.Module):
    """Scale-invariant log loss, computed per image and averaged over the batch.

    For the log differences d of one image over its valid pixels

        loss = sqrt(mean(d^2) - variance_focus * mean(d)^2)
             = sqrt(var(d) + (1 - variance_focus) * mean(d)^2)
    """

    def __init__(self, variance_focus: float = 0.85, eps: float = 1e-6):
        super().__init__()
        self.variance_focus = variance_focus
        self.eps = eps

    def forward(self, depth_est: torch.Tensor, depth_gt: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        mask = mask.flatten(1).float()
        log_est = depth_est.flatten(1).clamp(min=self.eps).log()
        log_gt = depth_gt.flatten(1).clamp(min=self.eps).log()
        n_valid = mask.sum(dim=-1, keepdim=True).clamp(min=1.0)

        d = (log_est - log_gt) * mask
        mean_error = d.sum(dim=-1, keepdim=True) / n_valid
        var_error = ((d - mean_error) * mask).square() / n_valid
        var_error = var_error.sum(dim=-1)

        scale_error = mean_error ** 2
        loss = torch.sqrt(var_error + (1.0 - self.variance_focus) * scale_error + self.eps)
        return loss.mean()
