"""Promises: dtypes, empty batches and learned weights that the documentation of a loss names."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator

import torch
from torch import Tensor, nn

from losskit.checker.checks.reductions import depends_on_batch
from losskit.checker.checks.tools import additive, code, labelled, tried, value
from losskit.checker.finding import Found
from losskit.checker.subject import Subject


def takes_bool(subject: Subject) -> Iterator[Found]:
    """Whether a target that is documented to be bool is accepted as such."""
    spec, names = subject.spec, subject.parameters
    if not labelled(spec) or spec.indices or spec.layout in ("signs", "soft") or len(names) < 2:
        return
    name = names[subject.order(1)]
    if not subject.words.say(rf"\b{re.escape(name)}\b[^;.]{{0,60}}\bbool") or subject.words.say(r"(not|no) (be )?bool"):
        return
    input, target = subject.example()
    if tried(value, subject, input, target.bool()) is None:
        yield Found(
            f"{name} is documented to be bool, but a bool tensor is refused",
            {"with numbers": value(subject, input, target)},
            code(subject, input, target.bool()),
            None,
            f"{name} = {name}.to(input.dtype)",
        )


_EMPTY = (
    r"(may|can|might) be (0|zero|empty)|(0|zero) (if|when|for) (there (is|are) no|none|no )|"
    r"(0|zero) (if|when|for) an? empty (batch|set|tensor|input)|"
    r"empty (batch|batches|set|tensor|images?)[^.;]{0,30}(allowed|possible|fine|accepted|occur)|"
    r"without any[^.;]{0,40}allowed"
)


def takes_nothing(subject: Subject) -> Iterator[Found]:
    """Whether a number of samples that may be 0 by the documentation gives a finite loss."""
    spec = subject.spec
    of_rows = spec.layout == "boxes" or not spec.labels
    if not subject.words.say(_EMPTY) or not of_rows or spec.kind in ("sequence", "survival") or not additive(spec):
        return
    tensors = tuple(each[:0] for each in subject.example())
    if any(each.numel() for each in tensors):
        return
    found = tried(value, subject, *tensors)
    if found is not None and not math.isfinite(found) and subject.words.say(r"box|match|object|rows|pairs|batch"):
        yield Found(
            f"there may be no rows by its documentation, but then the loss is {found}: a mean over nothing",
            {"value": found},
            code(subject, *tensors),
            None,
            "Sum, and divide by max(count, 1).",
        )


_NONE_VALID = (
    r"(may|can|might|could) (all )?(be|have|contain|leave) (all |entirely |completely )?(false|zeros?|masked|nothing|"
    r"none|empty|no (valid|observed|labell?ed|unmasked|positive))|"
    r"without (any |a )?valid|no valid \w+ (is|are) (allowed|fine)"
)


def masks_everything(subject: Subject) -> Iterator[Found]:
    """Whether a mask that may leave nothing by the documentation gives a finite loss."""
    if not subject.words.say(_NONE_VALID):
        return
    tensors = subject.example()
    masks = {}
    for extra in subject.spec.way.extras:
        if extra.is_mask:
            usual = extra.usual(tensors, subject.spec.labels)
            masks[extra.name] = ~usual if extra.boolean else 1 - usual
    places = [at for at, name in enumerate(subject.spec.tensors) if re.search(r"mask|valid", name.lower())]
    if len(masks) + len(places) != 1:
        return
    tensors = tuple(torch.zeros_like(each) if at in places else each for at, each in enumerate(tensors))
    found = tried(value, subject, *tensors, **masks)
    if found is not None and not math.isfinite(found):
        yield Found(
            f"the mask may leave nothing by its documentation, but then the loss is {found}: a mean over nothing",
            {"value": found},
            code(subject, *tensors, arguments=masks),
            None,
            "Sum, and divide by mask.sum().clamp(min=1).",
        )


_LEARNS = (
    r"\b(learns?|learned|learnt|learnable|trainable)\b[^.;]{0,40}\b(weights?|weighting|uncertaint\w+|temperature|"
    r"scale|variances?|log.?var\w*|balance)|(weights?|temperature|scale|log.?var\w*)( is| are)? (learned|learnable)"
)


def learns(subject: Subject) -> Iterator[Found]:
    """Whether a module that is documented to learn its weights has parameters."""
    criterion = subject.build()
    if not isinstance(criterion, nn.Module) or any(True for _ in criterion.parameters()):
        return
    held = [
        name
        for name, each in vars(criterion).items()
        if isinstance(each, Tensor) and each.is_floating_point() and each.numel() > 0
    ]
    if held and subject.words.say(_LEARNS) and not subject.words.say(r"(fixed|given|not learn|frozen)[^.;]*weights?"):
        yield Found(
            f"it is documented to learn its weights, but has no parameters: {held[0]} is a plain tensor, which no "
            "optimizer gets",
            {"parameters": 0},
            code(subject, lines=("print(list(criterion.parameters()))",)),
            None,
            f"self.{held[0]} = nn.Parameter(...)",
        )


def of_each_image(subject: Subject) -> Iterator[Found]:
    """Whether a loss that is documented as an average over images, such as one of styles, is one."""
    spec, words = subject.spec, subject.words
    images = spec.kind == "regression" and spec.layout in ("same", "images") and spec.two and not spec.way.extras
    if not images or not words.say(r"averaged over the (images|samples)|mean (over|of) the (images|samples)"):
        return
    if words.say(r"mask|valid|visible|weight|whole batch|of the batch"):
        return
    for found in depends_on_batch(subject):
        what = f"it is documented as an average over images, but {found.what}"
        yield Found(what, found.evidence, found.repro, None, "Keep the batch apart: bmm on (N, C, H * W), not mm.")


PROMISES = (takes_bool, takes_nothing, masks_everything, learns, of_each_image)
