import torch
import torch.nn as nn


def compute_scale_and_shift(prediction, target, mask):
    """Least squares fit of scale * prediction + shift to the target, per image."""
    n = torch.sum(mask, (1, 2)).clamp(min=1)
    mean_p = torch.sum(mask * prediction, (1, 2)) / n
    mean_t = torch.sum(mask * target, (1, 2)) / n
    dev_p = mask * (prediction - mean_p.view(-1, 1, 1))
    dev_t = mask * (target - mean_t.view(-1, 1, 1))
    var = torch.sum(dev_p * dev_p, (1, 2)) / n
    cov = torch.sum(dev_p * dev_t, (1, 2)) / n

    # constant predictions: only the shift is determined
    usable = var > 1e-12
    scale = torch.where(usable, cov / torch.where(usable, var, torch.ones_like(var)), torch.zeros_like(var))
    return scale, mean_t - scale * mean_p


def reduction_batch_based(image_loss, M):
    # average of all valid pixels of the batch
    divisor = torch.sum(M)
    return torch.sum(image_loss) / divisor.clamp(min=1)


def mse_loss(prediction, target, mask):
    M = torch.sum(mask, (1, 2))
    res = prediction - target
    image_loss = torch.sum(mask * res * res, (1, 2))
    return reduction_batch_based(image_loss, 2 * M)


def gradient_loss(prediction, target, mask):
    M = torch.sum(mask, (1, 2))
    diff = mask * (prediction - target)
    grad_x = torch.abs(diff[:, :, 1:] - diff[:, :, :-1]) * mask[:, :, 1:] * mask[:, :, :-1]
    grad_y = torch.abs(diff[:, 1:, :] - diff[:, :-1, :]) * mask[:, 1:, :] * mask[:, :-1, :]
    return reduction_batch_based(torch.sum(grad_x, (1, 2)) + torch.sum(grad_y, (1, 2)), M)


class ScaleAndShiftInvariantLoss(nn.Module):
    """Disparity loss up to an unknown scale and shift per image (MiDaS). All inputs are (B, H, W)."""

    def __init__(self, alpha=0.5, scales=4):
        super().__init__()
        self.alpha = alpha
        self.scales = scales

    def forward(self, prediction, target, mask):
        mask = mask.to(prediction.dtype)
        target = torch.where(mask > 0, target, torch.zeros_like(target))
        scale, shift = compute_scale_and_shift(prediction, target, mask)
        aligned = scale.view(-1, 1, 1) * prediction + shift.view(-1, 1, 1)

        total = mse_loss(aligned, target, mask)
        if self.alpha > 0:
            for s in range(self.scales):
                k = 2 ** s
                total = total + self.alpha * gradient_loss(
                    aligned[:, ::k, ::k], target[:, ::k, ::k], mask[:, ::k, ::k])
        return total
