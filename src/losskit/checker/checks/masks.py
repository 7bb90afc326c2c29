"""Masks: what they leave out changes nothing, and is in no denominator."""

from __future__ import annotations

import math
from collections.abc import Iterator

import torch
from torch import Tensor

from losskit.checker.calling import MASKS
from losskit.checker.checks.tools import close, code, require_steady, tried, value
from losskit.checker.finding import Found, Severity
from losskit.checker.registry import check
from losskit.checker.roles import emphasises, masks_out
from losskit.checker.subject import Subject


@check(
    "masked-counts",
    Severity.WRONG,
    why="Masked samples are trained on, or shrink the step.",
    fix="Select by the mask before computing anything, and divide by the number of selected elements.",
    consequence_of=("unused-argument",),
    applies=lambda spec: any(each in MASKS for each in spec.arguments) and not spec.way.inside,
)
def masked_counts(subject: Subject) -> Iterator[Found]:
    """Is masking samples out the same as removing them, whatever their values?"""
    require_steady(subject)
    if emphasises(subject.words):
        return
    if subject.spec.layout.startswith("several"):
        yield from _optional(subject)
        return
    tensors = subject.example(batch=4)
    target = tensors[-1] if subject.spec.labels else tensors[0]
    name = next(each for each in subject.spec.arguments if each in MASKS)
    needed = next((each for each in subject.spec.way.extras if each.name == name), None)
    mask = torch.ones(target.shape[:1] if needed is not None and needed.per_sample else target.shape, dtype=torch.bool)
    mask[3:] = False
    if needed.out if needed is not None else masks_out(name, subject.words):
        mask = ~mask
    right = value(subject, *(t[:3] for t in tensors))
    spoilt = (torch.cat([tensors[0][:3], tensors[0][3:] + 5.0]), *tensors[1:])
    for given in (tensors, spoilt):
        found = tried(value, subject, *given, **{name: mask})
        if found is not None and not close(found, right):
            rows = tried(value, subject, *given, **{name: mask[..., 0]}) if mask.dim() > 1 else None
            if rows is not None and close(rows, right):
                continue  # its mask has no dimension of features
            harmless = needed is None and given is tensors and _blind(subject, tensors, spoilt, {name: mask})
            harmless = harmless or _by_position(subject, name, mask)
            grade = Severity.PROPERTY if harmless else None
            yield Found(
                "masking a sample out is not the same as removing it",
                {"masked": found, "removed": right},
                code(subject, *given, arguments={name: mask}),
                grade,
            )
            return


def _by_position(subject: Subject, name: str, like: Tensor) -> bool:
    """Whether masking the last position of every sample is the same as removing it, as in a mean per sample."""
    spec = subject.spec
    if not spec.labels or not spec.spatial or like.dim() < 2:
        return False
    tensors = subject.example(batch=4)
    mask = torch.full_like(like, bool(like.reshape(-1)[0]))
    mask[..., -1] = ~mask[..., -1]
    spoilt = (torch.cat([tensors[0][..., :-1], tensors[0][..., -1:] + 5.0], -1), *tensors[1:])
    right = tried(value, subject, *(each[..., :-1].contiguous() for each in tensors))
    found = [tried(value, subject, *each, **{name: mask}) for each in (tensors, spoilt)]
    return right is not None and all(each is not None and close(each, right) for each in found)


def _blind(subject: Subject, one: tuple[Tensor, ...], other: tuple[Tensor, ...], mask: dict[str, Tensor]) -> bool:
    """Whether masked values do not matter, so that only the denominator includes them."""
    return close(value(subject, *one, options=None, **mask), value(subject, *other, options=None, **mask))


def _optional(subject: Subject) -> Iterator[Found]:
    """Whether an optional mask of tensors that are known by shape only leaves a sample out of the mean, too."""
    tensors = subject.example(batch=4)
    name = next(each for each in subject.spec.arguments if each in MASKS)
    before = value(subject, *tensors)
    if any(each.dim() == 0 or len(each) != 4 for each in tensors) or masks_out(name, subject.words):
        return
    narrow = (len(tensors[0]), 1, *tensors[0].shape[2:])
    for shape in dict.fromkeys([*(tuple(each.shape) for each in tensors[::-1]), narrow, (4,), (4, 1)]):
        for dtype in (torch.float32, torch.bool):
            mask = torch.ones(shape, dtype=dtype)
            whole = tried(value, subject, *tensors, **{name: mask})
            if whole is None or not close(whole, before):
                continue
            mask[3] = 0
            found = tried(value, subject, *tensors, **{name: mask})
            right = tried(value, subject, *(each[:3] for each in tensors))
            if found is None or right is None or not math.isfinite(right) or close(found, right):
                return
            if close(found, 0.75 * right):
                yield Found(
                    f"{name} leaves a sample out of the sum, but its elements stay in the denominator of the mean",
                    {"masked": found, "removed": right},
                    code(subject, *tensors, arguments={name: mask}),
                )
            return
