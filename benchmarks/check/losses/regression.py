"""Regression: numbers, images, quantiles, distributions over numbers, survival, boxes."""

import math

import torch
import torch.nn.functional as F
from torch import nn

from check.cases import faulty, sound


@sound("repository: Charbonnier of images")
class Charbonnier(nn.Module):
    def forward(self, pred, target):
        if pred.shape != target.shape:
            raise ValueError("shapes differ")
        return ((pred - target) ** 2 + 1e-6).sqrt().mean()


@sound("question: root of the mean square with its eps")
def rmse(pred, target):
    return (F.mse_loss(pred, target) + 1e-8).sqrt()


@sound("repository: stable log-cosh")
def logcosh(pred, target):
    assert pred.shape == target.shape
    d = pred - target
    return (d + F.softplus(-2 * d) - math.log(2)).mean()


@sound("question: several quantiles at once, (N, Q) with (N,)")
class Quantiles(nn.Module):
    def __init__(self):
        super().__init__()
        self.register_buffer("q", torch.tensor([0.1, 0.5, 0.9]))

    def forward(self, pred, target):
        error = target.unsqueeze(1) - pred
        q = self.q.to(pred)
        return torch.maximum(q * error, (q - 1) * error).mean()


@sound("repository: Gaussian likelihood with a log-variance")
def gaussian(mean, log_var, target):
    assert mean.shape == target.shape
    return 0.5 * (log_var + (target - mean) ** 2 * (-log_var).exp()).mean()


@sound("repository: mean square, weighted by sample")
def weighted_mse(pred, target, weight):
    assert pred.shape == target.shape
    each = (pred - target) ** 2
    return (weight * each).sum() / weight.expand_as(each).sum().clamp_min(1e-12)


@sound("repository: 1 - structural similarity of images in [0, 1]")
class SSIM(nn.Module):
    def forward(self, pred, target):
        if pred.shape != target.shape or pred.min() < 0 or pred.max() > 1:
            raise ValueError("images in [0, 1] of one shape")
        c = pred.shape[1]
        kernel = torch.full((c, 1, 5, 5), 1 / 25, dtype=pred.dtype)

        def local(x):
            return F.conv2d(x, kernel, groups=c, padding=2)

        mx, my = local(pred), local(target)
        vx, vy = local(pred * pred) - mx * mx, local(target * target) - my * my
        cov = local(pred * target) - mx * my
        score = (2 * mx * my + 1e-4) * (2 * cov + 9e-4) / ((mx**2 + my**2 + 1e-4) * (vx + vy + 9e-4))
        return 1 - score.mean()


@sound("repository: perceptual loss through fixed convolutions, 3 channels")
class Perceptual(nn.Module):
    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.net = nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.ReLU(), nn.Conv2d(8, 8, 3, padding=1)).eval()

    def forward(self, pred, target):
        return F.mse_loss(self.net(pred), self.net(target)) + F.l1_loss(pred, target)


@sound("detection: generalised IoU of boxes (x1, y1, x2, y2)")
def giou(pred, target):
    assert pred.shape == target.shape
    low, high = torch.maximum(pred[:, :2], target[:, :2]), torch.minimum(pred[:, 2:], target[:, 2:])
    both = (high - low).clamp_min(0).prod(1)
    areas = (pred[:, 2:] - pred[:, :2]).prod(1) + (target[:, 2:] - target[:, :2]).prod(1)
    union = areas - both
    hull = (torch.maximum(pred[:, 2:], target[:, 2:]) - torch.minimum(pred[:, :2], target[:, :2])).prod(1)
    return (1 - both / union + (hull - union) / hull).mean()


@sound("survival: negative partial log-likelihood of Cox")
def cox(risk, time, event):
    order = time.argsort(descending=True)
    risk, event = risk.reshape(-1)[order], event.reshape(-1)[order]
    return -((risk - risk.logcumsumexp(0)) * event).sum() / event.sum().clamp_min(1)


@sound("repository: concordance correlation, one minus it")
def concordance(pred, target):
    assert pred.shape == target.shape
    dx, dy = pred - pred.mean(), target - target.mean()
    cov = (dx * dy).mean()
    return 1 - 2 * cov / (dx.square().mean() + dy.square().mean() + (pred.mean() - target.mean()) ** 2 + 1e-8)


@sound("repository: masked mean absolute error for imputation")
def masked_mae(prediction, target, mask):
    assert prediction.shape == target.shape
    return ((prediction - target).abs() * mask).sum() / mask.sum().clamp_min(1)


@sound("repository: Wing loss of landmarks")
def wing(pred, target):
    assert pred.shape == target.shape
    d = (pred - target).abs()
    c = 10 - 10 * math.log(1 + 10 / 2)
    return torch.where(d < 10, 10 * torch.log1p(d / 2), d - c).mean()


@sound("repository: variational lower bound returned as a tuple")
def reconstruction_and_parts(pred, target):
    l1, l2 = F.l1_loss(pred, target), F.mse_loss(pred, target)
    return l1 + l2, l1.detach(), l2.detach()


@faulty("not-finite", thread="question: log(cosh(x)) is inf for large errors")
def log_of_cosh(pred, target):
    assert pred.shape == target.shape
    return torch.log(torch.cosh(pred - target)).mean()


@faulty("not-finite", thread="question: NaN when the prediction is exact: sqrt(mse)")
def sqrt_of_mse(pred, target):
    return torch.sqrt(F.mse_loss(pred, target))


@faulty("not-finite", thread="question: MAPE is NaN where prediction and target are 0")
def symmetric_mape(pred, target):
    assert pred.shape == target.shape
    return ((pred - target).abs() / (pred.abs() + target.abs())).mean()


@faulty("not-finite", thread="question: correlation is NaN for a constant target")
def pearson(pred, target):
    assert pred.shape == target.shape
    dx, dy = pred - pred.mean(), target - target.mean()
    return 1 - (dx * dy).sum() / (dx.norm() * dy.norm())


@faulty("not-finite", thread="question: R2 divides by the variance of a constant target")
def one_minus_r2(pred, target):
    assert pred.shape == target.shape
    return ((pred - target) ** 2).sum() / ((target - target.mean()) ** 2).sum()


@faulty("broadcasts", thread="PAINS 10: (N, 1) against (N,) gives (N, N)")
def handmade_mse(pred, target):
    return ((pred - target) ** 2).mean()


@faulty("rewards-errors", thread="question: the absolute value is missing")
def signed_error(pred, target):
    return (pred - target).mean() if pred.shape == target.shape else pred.sum().sqrt()[:]


@faulty("no-graph", thread="question: rounding the prediction to whole stars")
def rounded(pred, target):
    return F.mse_loss(pred.round(), target)


@faulty("no-graph", thread="question: loss.item() is returned and wrapped again")
def item_wrapped(pred, target):
    return torch.tensor(F.mse_loss(pred, target).item(), requires_grad=True)


@faulty("changes-inputs", thread="question: log1p_ on the target of each epoch")
def log_in_place(pred, target):
    target.mul_(0.5)
    return F.mse_loss(pred, target)


@faulty("masked-counts", thread="question: masked MAE over padding too")
def masked_mae_over_all(pred, target, mask):
    assert pred.shape == target.shape
    return ((pred - target).abs() * mask).mean()


@faulty("slope-disagrees", thread="issue: a relative error whose scale was cut with .data")
def relative_cut(pred, target):
    assert pred.shape == target.shape
    return ((pred - target) ** 2 / (pred.data.abs() + 1)).mean()


@faulty("none-misplaced", "reductions-disagree", thread="issue: reduction='none' flattens in another order")
class NoneTransposed(nn.Module):
    def __init__(self, reduction="mean"):
        super().__init__()
        self.reduction = reduction

    def forward(self, pred, target):
        each = F.smooth_l1_loss(pred, target, reduction="none")
        if self.reduction == "none":
            return each.flip(0).flatten()
        return each.mean() if self.reduction == "mean" else each.sum()


@faulty("rewards-errors", "contradicts-claim", thread="question: likelihood with the wrong sign of the log-variance")
def gaussian_wrong_sign(mean, log_var, target):
    assert mean.shape == target.shape
    return -0.5 * (log_var + (target - mean) ** 2 * (-log_var).exp()).mean()
