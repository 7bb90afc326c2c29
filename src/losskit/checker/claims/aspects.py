"""The aspect term of CIoU: alpha may be a constant, v may not."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from losskit.checker.checks.tools import BACKWARD, away, code, pull, tried
from losskit.checker.claims.geometry import corners_of, laid_out, losses_of, overlap_of
from losskit.checker.finding import Found
from losskit.checker.subject import Subject

_NEAR = 2e-3  # relative: rounding in float32 and small constants in denominators


def aspect_is_constant(subject: Subject, form: str, a: Tensor, b: Tensor) -> Iterator[Found]:
    """Whether a loss with the values of CIoU has the gradient of DIoU."""
    n = 1  # a pair that overlaps in part, with different aspects
    x, target = (laid_out(each, form)[n : n + 1] for each in (a, b))
    found = tried(pull, subject, x, target)
    if found is None or not found.gradient.any():
        return
    directions = [each / each.norm() for each in _gradients(x, target, form, aspect=False)]
    complete = [each / each.norm() for each in _gradients(x, target, form, aspect=True)]
    own = found.gradient / found.gradient.norm()
    if min(away(own, each) for each in directions) < _NEAR < min(away(own, each) for each in complete):
        yield Found(
            "the aspect term of the CIoU gets no gradient: v is held constant, so the shapes of boxes are not learned",
            "",
            code(subject, x.float(), target.float(), lines=BACKWARD),
            None,
            "Compute v with its gradient, and only alpha = v / (1 - iou + v) under torch.no_grad().",
        )


def _gradients(x: Tensor, target: Tensor, form: str, aspect: bool) -> Iterator[Tensor]:
    """The gradients of the losses of this overlap: with alpha constant, and with v constant too if not `aspect`."""
    for held in (True, False) if aspect else (True,):
        for at in range(5):
            given = x.clone().requires_grad_()
            o = overlap_of(corners_of(given, form), corners_of(target, form))
            v = o.aspect if aspect else o.aspect.detach()
            alpha = v / (1 - o.iou + v).clamp_min(1e-12)
            alpha = alpha.detach() if held else alpha
            loss = list(losses_of(o.iou, o.centres / o.diagonal + alpha * v))[at]
            yield torch.autograd.grad(loss.sum(), given)[0]
