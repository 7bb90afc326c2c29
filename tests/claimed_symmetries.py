"""Further pairs: what may change without changing a loss, what it remembers, and gradients of passed scores."""

import torch
import torch.nn.functional as F
from torch import nn

from claimed import pair


@pair("sign of a quaternion", "same rotation")
def _(mistake):
    def quaternion_distance(q_pred, q_gt):
        apart = (q_pred - q_gt).norm(dim=1)
        return (apart if mistake else torch.minimum(apart, (q_pred + q_gt).norm(dim=1))).mean()

    return quaternion_distance


@pair("Sobel axes", "horizontal stripes")
def _(mistake):
    def sobel_loss(pred, target):
        kernel = torch.tensor([[-1.0, 0, 1], [-2, 0, 2], [-1, 0, 1]], dtype=pred.dtype)
        kernels = torch.stack([kernel, kernel if mistake else kernel.T])[:, None]
        gap = F.conv2d(pred.flatten(0, 1)[:, None], kernels) - F.conv2d(target.flatten(0, 1)[:, None], kernels)
        return gap.abs().mean()

    return sobel_loss


@pair("axes of a map", "horizontal stripes")
def _(mistake):
    def tv_loss(x):
        return x.diff(dim=3).abs().mean() + x.diff(dim=3 if mistake else 2).abs().mean()

    return tv_loss


@pair("Gram matrices of images", "other images of the batch")
def _(mistake):
    def gram_loss(x, style):
        """Mean squared difference of the Gram matrices of each image."""

        def gram(y):
            rows = y.flatten(0, 1).flatten(1) if mistake else y.flatten(2)
            return rows @ rows.mT / y.numel()

        return F.mse_loss(gram(x), gram(style))

    return gram_loss


@pair("weights within an error", "the weights are inside")
def _(mistake):
    def wing_loss(output, target, target_weight):
        w = target_weight.reshape(*target_weight.shape[:2], 1, 1)
        error = ((output - target) * w if mistake else output - target).abs()
        each = torch.where(error < 0.5, torch.log(1 + error / 0.2), error + 0.7)
        return (each if mistake else each * w).mean()

    return wing_loss


@pair("one prediction", "divides by zero")
def _(mistake):
    def sequence_loss(preds, gt, gamma=0.8):
        n = len(preds)
        decay = gamma ** (15 / (n - 1 if mistake else max(n - 1, 1)))
        return sum(decay ** (n - 1 - i) * (each - gt).abs().mean() for i, each in enumerate(preds))

    return sequence_loss


class DINOLoss(nn.Module):
    def __init__(self, mistake=False):
        super().__init__()
        self.mistake = mistake
        self.register_buffer("center", torch.zeros(1, 4))

    def forward(self, student, teacher):
        shares = ((teacher - self.center) / 0.04).softmax(1).detach()
        loss = -(shares * (student / 0.1).log_softmax(1)).sum(1).mean()
        moved = teacher.sum(0) if self.mistake else teacher.mean(0)
        self.center = 0.9 * self.center + 0.1 * moved.detach()
        return loss


@pair("center of a teacher", "the sum of a batch")
def _(mistake):
    return DINOLoss(mistake)


class ELRLoss(nn.Module):
    """Early-learning regularization."""

    def __init__(self, mistake=False):
        super().__init__()
        self.mistake = mistake
        self.register_buffer("kept", torch.zeros(8, 3))

    def forward(self, index, output, label):
        rows = torch.arange(len(index)) if self.mistake else index
        p = output.softmax(1)
        self.kept[rows] = 0.7 * self.kept[rows] + 0.3 * p.detach()
        inner = (self.kept[rows].clone() * p).sum(1)
        return F.cross_entropy(output, label) + 3 * (1 - inner).log().mean()


@pair("samples that are remembered", "not chosen by the index")
def _(mistake):
    return ELRLoss(mistake)


@pair("norm of a gradient", "the norm 1 for each sample")
def _(mistake):
    def gradient_penalty(scores, interpolates):
        (slope,) = torch.autograd.grad(scores.sum(), interpolates, create_graph=True)
        return ((slope if mistake and slope.dim() > 2 else slope.flatten(1)).norm(dim=1) - 1).square().mean()

    return gradient_penalty
