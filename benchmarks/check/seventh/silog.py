import torch
import torch.nn as nn


def masked_mean_var(data, mask, dim):
    """Mean and variance of the valid pixels, the dimensions are kept."""
    mask = mask.to(data.dtype)
    mask_sum = mask.sum(dim=dim, keepdim=True).clamp(min=1.0)
    mean = (data * mask).sum(dim=dim, keepdim=True) / mask_sum
    var = (mask * (data - mean) ** 2).sum(dim=dim, keepdim=True) / mask_sum
    return mean, var


class SILog(nn.Module):
    """Scale invariant log error, one value per image.

    sqrt(Var[d] + integrated * Mean[d]^2) with d = log(pred) - log(gt)

    Args:
        weight: weight of the loss.
        integrated: weight of the scale error; 0 is fully scale invariant.
    """

    def __init__(self, weight=1.0, integrated=0.15, eps=1e-6):
        super().__init__()
        self.weight = weight
        self.integrated = integrated
        self.eps = eps

    def forward(self, pred, target, mask):
        """pred, target: (B, 1, H, W) depth; mask: (B, 1, H, W) bool"""
        log_pred = torch.log(pred.clamp(min=self.eps))
        log_target = torch.log(target.clamp(min=self.eps))
        error = (log_pred - log_target).flatten(1)
        mean_error, var_error = masked_mean_var(error, mask.flatten(1), dim=1)

        if var_error.ndim > 1:
            var_error = var_error.mean(dim=-1)

        if self.integrated > 0.0:
            scale_error = mean_error ** 2
            var_error = var_error + self.integrated * scale_error

        out_loss = torch.sqrt(var_error + self.eps)
        return self.weight * out_loss.mean()
