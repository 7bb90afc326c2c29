"""Sentinels: numbers in a target that mark what was not measured, and the denominator of the mean over the others."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator

import torch
from torch import Tensor

from losskit.checker.checks.tools import close, code, is_random, pull, tried, value
from losskit.checker.claims.kinds import kind
from losskit.checker.finding import Found
from losskit.checker.subject import Subject

_USUAL = (0.0, math.nan, -1.0)
_COMPARED = r"[><!=]=? ?(-?\d+(?:\.\d+)?)"
_OVER_ALL = (
    r"over all (pixels|positions|elements)|all (pixels|elements) count|including (the )?(missing|unlabel|invalid)"
)


@kind("$^", code=r"(>|!=|==|>=) ?-?\d|isnan|isfinite|nan_to_num")
def unmeasured(subject: Subject) -> Iterator[Found]:
    """Whether targets that are left out of the errors are left out of the mean, too."""
    spec, words = subject.spec, subject.words
    if not (spec.two and spec.kind == "regression" and spec.layout in ("same", "bare")) or is_random(subject):
        return
    if words.say(_OVER_ALL) or re.search(r"nanmean|nonzero|count|valid\w*\.sum|mask\w*\.sum|numel", words.code):
        return
    written = {float(each) for each in re.findall(_COMPARED, words.code)}
    tensors = subject.example(batch=4, dtype=torch.float64)
    input, target = tensors[0], tensors[1].abs() + 0.5
    if input.shape != target.shape:
        return
    along = input.dim() - 1 if input.dim() > 1 and input.shape[-1] > 1 else 0
    for mark in dict.fromkeys([*_USUAL, *sorted(written)]):
        marked = target.clone()
        marked.narrow(along, -1, 1).fill_(mark)
        if not _left_out(subject, input, target, marked, along):
            continue
        kept = [each.narrow(along, 0, each.shape[along] - 1).contiguous() for each in (input, target)]
        found, right = value(subject, input, marked), tried(value, subject, *kept)
        share = kept[0].numel() / input.numel()
        if right is not None and close(found, right * share, 1e-6) and not close(found, right, 1e-6):
            yield Found(
                f"positions whose target is {mark:g} get no gradient, but are in the denominator of the mean",
                {"with such positions": found, "without them": right},
                code(subject, input, marked),
                None,
                "Divide by the number of positions that count: (error * valid).sum() / valid.sum().clamp(min=1).",
            )
            return


def _left_out(subject: Subject, input: Tensor, target: Tensor, marked: Tensor, along: int) -> bool:
    """Whether the marked positions alone have no gradient, and have one with another target."""
    found, usual = tried(pull, subject, input, marked), tried(pull, subject, input, target)
    if found is None or usual is None or not (found.finite and usual.finite):
        return False
    there = [each.gradient.narrow(along, -1, 1) for each in (found, usual)]
    rest = found.gradient.narrow(along, 0, input.shape[along] - 1)
    return not bool(there[0].any()) and bool((there[1] != 0).all()) and bool((rest != 0).all())
