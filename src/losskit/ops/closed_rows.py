"""Closed forms of losses of class scores: see losskit.ops.closed_forms."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from losskit.ops.closed_forms import FEW, Found, finite
from losskit.ops.values import above_zero

_MOST_STEPS = 30
_MEAN, _NO_LABEL = 1, -100  # of PyTorch's operators: the reduction, and a label that valid ones differ from


def asymmetric_softmax(
    input: Tensor, label: Tensor, gamma_negative: float, gamma_positive: float, smoothing: float, derive: bool
) -> Found | None:
    """`AsymmetricSoftmaxLoss` of class indices (N, 1, *)."""
    count, spread = label.numel(), smoothing / input.shape[1]
    log_p = F.log_softmax(input, 1)
    p = log_p.exp()
    own_p, own_log = p.gather(1, label), log_p.gather(1, label)
    others = p.scatter(1, label, 0.0).sum(1, keepdim=True)  # 1 - p of the true class without cancellation
    own_log = torch.where(own_p > 0.5, torch.log1p(-others.clamp_max(0.5)), own_log)
    powered, share = others**gamma_positive, 1 - smoothing + spread
    factor = _power(p, log_p, gamma_negative).scatter_(1, label, 0.0)
    each = factor * log_p
    value = -(share * powered * own_log + spread * each.sum(1, keepdim=True)).mean(dtype=torch.float64)
    if not derive:
        return finite(value, None)
    slope = each.mul_(gamma_negative).add_(factor).mul_(-spread / count)  # by log p; 0 for the true class
    own_slope = powered
    if gamma_positive:
        falling = torch.where(others > 0, powered / torch.where(others > 0, others, 1.0), 0.0)
        own_slope = powered - gamma_positive * falling * own_p * own_log
    own_slope = own_slope * (-share / count)
    total = slope.sum(1, keepdim=True)
    gradient = slope.addcmul_(p, total + own_slope, value=-1)
    return finite(value, gradient.scatter_(1, label, own_slope * others - own_p * total))


def _power(p: Tensor, log_p: Tensor, exponent: float) -> Tensor:
    """`p ** exponent` as a new tensor."""
    if exponent == 4:
        return (p * p).square_()
    return p**exponent if exponent in (1, 2, 3) else (exponent * log_p).exp_()


def zlpr(input: Tensor, yes: Tensor, derive: bool) -> Found | None:
    """`ZLPRLoss` of labels (N, C, *)."""
    scores = torch.where(yes, -input, input)
    high_yes, high_no = (torch.where(chosen, scores, 0.0).amax(1, keepdim=True).clamp_min_(0) for chosen in (yes, ~yes))
    each = scores.sub_(torch.where(yes, high_yes, high_no)).exp_()
    of_yes = each * yes
    of_no = each - of_yes
    sum_yes = of_yes.sum(1, keepdim=True) + (-high_yes).exp()
    sum_no = of_no.sum(1, keepdim=True) + (-high_no).exp()
    value = (sum_yes.log() + high_yes + sum_no.log() + high_no).mean(dtype=torch.float64)
    if not derive:
        return finite(value, None)
    count = sum_no.numel()
    return finite(value, of_no.div_(count * sum_no).sub_(of_yes.div_(count * sum_yes)))


def nll(input: Tensor, label: Tensor, derive: bool) -> Found | None:
    """`NLLLoss` of log-probabilities (N, C, *) and class indices (N, 1, *)."""
    if not input.amax().item() <= above_zero(input):
        return None
    if input.dim() == 2:
        operators, given = torch.ops.aten, (label.squeeze(1), None, _MEAN, _NO_LABEL)
        value, total = operators.nll_loss_forward(input, *given)
        if not derive:
            return finite(value, None)
        return finite(value, operators.nll_loss_backward(torch.ones_like(value), input, *given, total))
    value = -input.gather(1, label).mean(dtype=torch.float64)
    gradient = torch.zeros_like(input).scatter_(1, label, -1 / label.numel()) if derive else None
    return finite(value, gradient)


def multi_margin(input: Tensor, label: Tensor, power: int, margin: float, derive: bool) -> Found | None:
    """`MultiMarginLoss` of class indices (N, 1, *), for few scores with PyTorch's own operators."""
    if input.dim() == 2 and input.numel() <= FEW:
        operators, given = torch.ops.aten, (input, label.squeeze(1), power, margin, None, _MEAN)
        value = operators.multi_margin_loss(*given)
        return finite(value, operators.multi_margin_loss_backward(torch.ones_like(value), *given) if derive else None)
    violation = input - (input.gather(1, label) - margin)
    some = violation > 0
    violation = violation.clamp_min_(0).scatter_(1, label, 0.0)
    count = label.numel() * input.shape[1]
    value = (violation if power == 1 else violation.square()).sum(dtype=torch.float64) / count
    if not derive:
        return finite(value, None)
    slope = some.scatter_(1, label, False).to(input.dtype) if power == 1 else violation.mul_(2)
    slope.div_(count)
    return finite(value, slope.scatter_(1, label, -slope.sum(1, keepdim=True)))


def multi_label_margin(input: Tensor, target: Tensor, derive: bool) -> Found | None:
    """`MultiLabelMarginLoss` of lists of class indices, with PyTorch's own operators."""
    low, high = (int(each) for each in target.aminmax())
    if low < -1 or high >= input.shape[-1] or not math.isfinite(input.sum().item()):  # the operators ignore NaN
        return None
    operators = torch.ops.aten
    value, listed = operators.multilabel_margin_loss_forward(input, target, 1)
    if not derive:
        return finite(value, None)
    one = torch.ones_like(value)
    return finite(value, operators.multilabel_margin_loss_backward(one, input, target, 1, listed))


def bi_tempered(input: Tensor, label: Tensor, t1: float, t2: float, derive: bool) -> Found | None:
    """`BiTemperedLoss` of class indices (N, 1, *), for t1 below 1 and t2 above."""
    heavy, power = t2 - 1, 2 - t1
    scores = input - input.amax(1, keepdim=True)
    shift = torch.zeros_like(scores[:, :1])
    for _ in range(_MOST_STEPS):  # Newton's method from below
        base = 1 - heavy * (scores - shift)
        p = base.pow(-1 / heavy)
        step = (p.sum(1, keepdim=True) - 1).div_(p.div_(base).sum(1, keepdim=True))
        shift += step
        if not step.amax().item() > 1e-4:  # the next step is about its square, below float32 precision
            break
    scores, shift = scores.double(), shift.double()
    base = (1 + heavy * shift).sub(scores, alpha=heavy)  # float64: powers of confident predictions cancel
    p = base.pow(-1 / heavy)
    slope = p / base
    step = (p.sum(1, keepdim=True) - 1) / slope.sum(1, keepdim=True)
    p.addcmul_(slope, step, value=-1)  # a first-order update is enough for a step of about 1e-7
    slope = torch.div(p, base.add_(heavy * step), out=base)
    total = slope.sum(1, keepdim=True)
    own_p = p.gather(1, label)
    if not own_p.amin().item() > 0:  # its negative power would be infinite
        return None
    powered = p.pow(1 - t1)
    logarithm = (own_p.pow(1 - t1) - 1) / (1 - t1)
    value = ((powered * p).sum(1, keepdim=True) / power - 1 / power - logarithm).mean()
    if not derive:
        return finite(value, None)
    of_p = powered.scatter_add_(1, label, -own_p.pow(-t1))
    mean = (of_p * slope).sum(1, keepdim=True) / total
    return finite(value, (of_p - mean).mul_(slope).div_(label.numel()).float())
