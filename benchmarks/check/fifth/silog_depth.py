import torch
import torch.nn as nn


class SILog(nn.Module):
    """Scale-invariant log error for metric depth.

    Per image: sqrt(var(e) + integrated * mean(e)^2), e = log(pred) - log(gt)
    over the valid pixels; mean over the batch.

    Args:
        integrated: share of the scale error, 0 for the fully invariant loss.
    Inputs: pred, target, mask (B, 1, H, W); pred and valid targets are > 0.
    """

    def __init__(self, integrated=0.15, eps=1e-6):
        super().__init__()
        self.integrated = integrated
        self.eps = eps

    def forward(self, pred, target, mask):
        mask = mask.bool()
        safe_target = torch.where(mask, target, torch.ones_like(target))
        error = torch.log(pred.clamp(min=self.eps)) - torch.log(safe_target)
        error = (error * mask).flatten(2)  # B x 1 x HW
        count = mask.flatten(2).sum(-1).clamp(min=1)

        mean_error = error.sum(-1) / count
        sq = (error - mean_error.unsqueeze(-1)).pow(2) * mask.flatten(2)
        var_error = sq.sum(-1) / count
        if var_error.ndim > 1:
            var_error = var_error.mean(dim=-1)

        if self.integrated > 0:
            var_error = var_error + self.integrated * mean_error ** 2
        return torch.sqrt(var_error + self.eps).mean()
