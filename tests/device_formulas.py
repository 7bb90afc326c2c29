"""Losses with user-defined formulas on a device, and losses of differences: see `device_cases`."""

import math
from unittest.mock import patch

import torch

import losskit
from device_cases import (
    WEIGHTS,
    Dice,
    beside_the_definition,
    changed,
    labels,
    made_by,
    of_several,
    planned_as,
    planned_here,
    step,
)
from losskit.core.labels import ClassificationLoss
from losskit.ops.triton import source, terms
from losskit.ops.triton.kernels import printed


class Sides(ClassificationLoss):
    """Different terms of positives and negatives, with a numeric option."""

    always = "sigmoid"
    slope: float = 0.7

    def term(self, log_p):
        return torch.where(log_p < -1, -2 * log_p - 1, log_p * log_p) * self.slope

    def term_of_no(self, log_p):
        return torch.exp(-self.slope * log_p.clamp(min=-5)) - 1


def own(function, **options):
    return losskit.classification_loss(function).Module(**options)


def odd(log_p):
    """An exponential, a hyperbolic tangent, a power, and the logarithm of numbers near 1."""
    p = log_p.exp()
    return (1 - 0.9 * p) ** 1.7 - torch.tanh(log_p) - torch.log1p(p * p / 3) + 0.3


def cubic(log_p):
    return torch.where(log_p < -1, -3 * log_p - 2, -(log_p**3))


def infinite_at_half(log_p):
    """Infinite at p = 1/2, the value in a kernel where there is no element."""
    return torch.where((log_p + math.log(2)).abs() < 1e-4, math.inf, log_p * log_p)


def soft(*, multilabel):
    x, _ = labels()
    t = torch.rand(x.shape, generator=torch.Generator().manual_seed(5))
    return x, t if multilabel else t / t.sum(1, keepdim=True)


FORMULAS = {  # user-defined terms
    "softmax": lambda: (own(odd), labels(), {}),
    "sigmoid": lambda: (own(odd, mode="multilabel"), of_several(), {}),
    "softmax, soft labels": lambda: (own(odd, mode="multiclass"), soft(multilabel=False), {}),
    "sigmoid, soft labels": lambda: (own(odd, mode="multilabel"), soft(multilabel=True), {}),
    "smoothing and weights": lambda: (own(odd, class_weight=WEIGHTS, label_smoothing=0.2), labels(), {}),
    "yes and no": lambda: (Sides(label_smoothing=0.1), of_several(), {}),
    "several terms": lambda: (Dice() + own(odd) + 0.5 * own(cubic) + losskit.FocalLoss(gamma=1.5), labels(), {}),
    "mask and weight": lambda: (own(odd), labels(), {
        "mask": torch.arange(270).view(3, 1, 5, 18)[..., :6] % 4 > 0, "weight": torch.rand(3, 1, 5, 6),
    }),
    "many classes": lambda: (own(odd), labels((2, 70, 40)), {"tile": 64}),
    "many classes, smoothing": lambda: (own(odd, label_smoothing=0.1), labels((2, 70, 40)), {"tile": 64}),
    "infinite where no element is": lambda: (
        own(infinite_at_half, mode="multilabel", label_smoothing=0.1), of_several(), {},
    ),
    "rows": lambda: (own(odd), labels((40, 5)), {}),
    "half": lambda: (own(odd), changed(lambda x: x.bfloat16()), {}),
    "a term of none": lambda: (own(lambda log_p: -log_p), labels(), {}),
}  # fmt: skip


def numbers(shape=(2, 3, 5, 7)):
    """Numbers, and others that are partly equal to them."""
    generator = torch.Generator().manual_seed(3)
    x, t = torch.randn(shape, generator=generator), torch.randn(shape, generator=generator)
    return x, torch.where(t > 1.5, x, t)


def of_two(input, target):
    """Infinite where both are 0, the values in a kernel where there is no element."""
    error = (input - target).abs()
    return torch.log1p(error) ** 1.3 + 0.1 * torch.tanh(input) / (input * input + target * target)


def of_half():
    x, t = numbers()
    return x.half(), t


def masked(x, t):
    mask = torch.arange(t.numel()).view(t.shape) % 3 > 0
    return x, t.where(mask, math.nan), {"mask": mask, "weight": torch.linspace(0, 2, t.numel()).view(t.shape)}


def regression(function, **options):
    return losskit.regression_loss(function).Module(**options)


DIFFERENCES = {  # losses of numbers
    "mse": lambda: (losskit.MSELoss(), *numbers()),
    "l1": lambda: (losskit.L1Loss(), *numbers()),
    "huber": lambda: (losskit.HuberLoss(delta=0.7), *numbers()),
    "smooth l1": lambda: (losskit.SmoothL1Loss(beta=0.3), *numbers()),
    "masked": lambda: (losskit.HuberLoss(delta=0.7), *masked(*numbers())),
    "own": lambda: (regression(of_two), *numbers()),
    "own, masked": lambda: (regression(of_two), *masked(*numbers())),
    "sum": lambda: (regression(of_two, reduction="sum"), *numbers()),
    "normalizer": lambda: (losskit.MSELoss(), *numbers(), {"normalizer": 7.3}),
    "of the catalogue": lambda: (losskit.CharbonnierLoss(), *numbers()),
    "several": lambda: (losskit.MSELoss() + 0.3 * regression(of_two) + losskit.L1Loss(), *numbers()),
    "half": lambda: (losskit.SmoothL1Loss(), *of_half()),
    "channels last": lambda: (
        regression(of_two), *(each.to(memory_format=torch.channels_last) for each in numbers()),
    ),
    "every second": lambda: (losskit.MSELoss(), *(each[::2] for each in numbers((101,)))),
    "many": lambda: (losskit.L1Loss(), *numbers((3, 5000))),
}  # fmt: skip


def of_difference(_, name):
    loss, x, t, *arguments = DIFFERENCES[name]()
    return beside_the_definition(loss, (x, t), *arguments)


def explained(_, name):
    """What `explain` says about a loss with user-defined terms."""
    loss, tensors, _ = FORMULAS[name]()
    with planned_here():
        return str(losskit.explain(loss, tensors[0].requires_grad_(), *tensors[1:]))


def with_another_number(_):
    """A loss while a number in its terms changes: its errors, and how many functions were compiled for it."""
    loss, (x, t) = Sides(), of_several()
    errors, before = [], 0
    with planned_here():
        for k in range(4):
            loss.slope = 0.71 + 0.1 * k
            value, gradient = step(loss, (x, t), {})
            exact, slope = step(loss, (x.double(), t), {})
            errors.append(max((value - exact).abs().item(), (gradient - slope).abs().max().item()))
            before = before or printed.compiled.cache_info().misses
    return errors, printed.compiled.cache_info().misses - before


def with_a_wrong_operation(_, kind):
    """The operator of a loss whose kernel source has a wrong operation or derivative, and its error."""
    wrong = {
        "value": ("tanh", "sigmoid({a})"),
        "slope": ("subtract", "{a} - {b} * 1.001"),
        "difference": ("sign", "{a}"),
    }[kind]
    loss, (x, t) = (losskit.L1Loss(), numbers()) if kind == "difference" else (own(odd), labels())
    with patch.dict(source.VALUES, dict([wrong])), planned_here():
        terms.printed.cache_clear()
        value, gradient = step(loss, (x, t), {})
        served = planned_as(loss)
    terms.printed.cache_clear()
    exact, slope = step(loss, (x.double(), t), {})
    return served, max((value - exact).abs().item(), (gradient - slope).abs().max().item())


def of_terms(_, name):
    """A loss with user-defined terms, compared with the definition."""
    return made_by(FORMULAS[name])
