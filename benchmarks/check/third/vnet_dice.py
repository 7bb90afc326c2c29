import torch
import torch.nn as nn


class _VolDice(torch.autograd.Function):
    # squared-denominator dice of V-Net, one value per sample

    @staticmethod
    def forward(ctx, pred, gt, eps):
        b = pred.shape[0]
        p, g = pred.reshape(b, -1), gt.reshape(b, -1)
        inter = (p * g).sum(1)
        den = (p * p).sum(1) + (g * g).sum(1) + eps
        ctx.save_for_backward(p, g, inter, den)
        ctx.shape = pred.shape
        ctx.eps = eps
        return (2 * inter + eps) / den

    @staticmethod
    def backward(ctx, grad_out):
        p, g, inter, den = ctx.saved_tensors
        num = (2 * inter + ctx.eps).unsqueeze(1)
        d = den.unsqueeze(1)
        gp = 2 * g / d - 2 * p * num / (d * d)
        return (grad_out.unsqueeze(1) * gp).reshape(ctx.shape), None, None


class VolumetricDice(nn.Module):
    """pred: probabilities (B, D, H, W) or (B, 1, D, H, W); gt: 0/1, same shape."""

    def __init__(self, eps=1e-3, reduction="mean"):
        super().__init__()
        self.eps = eps
        self.reduction = reduction

    def forward(self, pred, gt):
        loss = 1 - _VolDice.apply(pred, gt.to(pred.dtype), self.eps)
        if self.reduction == "mean":
            return loss.mean()
        return loss.sum() if self.reduction == "sum" else loss
