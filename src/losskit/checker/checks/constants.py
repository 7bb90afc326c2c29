"""Constants: parts of a loss that its own code holds constant with detach() or no_grad(), on purpose."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest import mock

import torch
from torch import Tensor

from losskit.checker import draws
from losskit.checker.checks.curves import curve_of
from losskit.checker.checks.tools import labelled, tried
from losskit.checker.subject import LossRaised, Subject


@contextmanager
def without_detachment() -> Iterator[None]:
    """Within it detach() returns its tensor, and no_grad() and set_grad_enabled() leave the grad mode alone.

    `.data`, `.item()`, NumPy and a custom backward keep what they do.
    """

    def same(x: Tensor) -> Tensor:
        return x

    def nothing(*_: Any) -> None:
        pass

    with (
        mock.patch.multiple(torch.Tensor, detach=same, detach_=same),
        mock.patch.object(torch, "detach", same),
        mock.patch.multiple(torch.no_grad, __enter__=nothing, __exit__=nothing),
        mock.patch.multiple(torch.set_grad_enabled, __init__=nothing, __enter__=nothing, __exit__=nothing),
    ):
        yield


def connected(subject: Subject, *tensors: Tensor) -> tuple[Tensor, Tensor]:
    """The input and the loss, whose graph leads through what the code detaches."""
    criterion = subject.build()
    x = tensors[0].detach().clone().requires_grad_()
    others = [each.clone() for each in tensors[1:]]
    draws.seed()
    with without_detachment(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        made = subject.call(criterion, x.clone(), *others)
    return x, made if made.dim() == 0 else made.mean()


def connected_gradient(subject: Subject, *tensors: Tensor) -> Tensor | None:
    """The gradient through everything that the code detaches; None if there is none."""
    try:
        x, loss = connected(subject, *tensors)
        found = torch.autograd.grad(loss, x, allow_unused=True)[0] if loss.requires_grad else None
    except (LossRaised, RuntimeError):
        return None
    return found


_OPTION = r"\b(detach\w*|stop_?grad\w*|(disable|no|without)_\w*grad\w*)\s*(:\s*bool\s*)?=\s*(true|false)"


def needs_gradient(subject: Subject) -> str:
    """The part that a loss of this kind differentiates, if what it computes is of such a kind; otherwise empty.

    A focal loss differentiates its factor. Losses with other factors for positives than for negatives, such as the
    asymmetric loss, hold theirs constant.
    """
    spec = subject.spec
    logits = labelled(spec) and spec.scores in ("logits", "probabilities") and spec.layout not in ("soft", "signs")
    if not logits or re.search(_OPTION, subject.words.code):
        return ""
    curves = [tried(curve_of, subject, each, {}) for each in ((0, 1) if spec.ignore_index != 0 else (1, 2))]
    powers = [each.power_of(1 - each.sure) for each in curves if each is not None]
    exponents = [each[1] for each in powers if each is not None]
    if len(exponents) == 2 and exponents[0] > 0.1 and abs(exponents[0] - exponents[1]) < 0.03:
        return "the factor (1 - pt) ** gamma of a focal loss"
    return ""
