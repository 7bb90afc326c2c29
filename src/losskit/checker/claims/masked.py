"""Missing targets and lengths of sequences: what is missing has no effect, on the value and on the gradient."""

from __future__ import annotations

import re
from collections.abc import Iterator

import torch

from losskit.checker.checks.tools import BACKWARD, code, pull, tried, value
from losskit.checker.claims.kinds import kind
from losskit.checker.finding import Found
from losskit.checker.subject import Subject

_MISSING = (
    r"\bnans?\b[^.]{0,40}(miss|unobserved|not observed|gap|invalid|unknown)|"
    r"(missing|unobserved|not observed|invalid|unknown)[^.]{0,40}\bnans?\b"
)


@kind(r"\bnan", code=r"isnan|nan_to_num\(\s*(y|t|target\w*|label\w*|gt|y_?true)\b|isfinite|nanmean|nansum")
def missing_targets(subject: Subject) -> Iterator[Found]:
    """Whether a target of NaN, which stands for a missing one, leaves value and gradient finite."""
    spec = subject.spec
    if not spec.two or spec.scores in ("images", "boxes") or spec.layout not in ("same", "bare", "no-channel"):
        return
    input, target = subject.example(batch=4)
    target = target.clone()
    target.reshape(-1)[: max(1, target.numel() // 4)] = torch.nan
    masks = {}
    for each in spec.way.extras:
        if each.is_mask and not each.per_sample:
            mask = torch.isnan(target) if each.out else ~torch.isnan(target)
            masks[each.name] = mask if each.boolean else mask.to(input.dtype)
    found = tried(pull, subject, input, target, **masks)
    if found is None or found.finite:
        return
    said = re.search(_MISSING, subject.words.all) is not None
    if found.value.isfinite().all() or said:
        what = "value" if not found.value.isfinite().all() else "gradient"
        yield Found(
            f"missing targets (NaN) make the {what} NaN"
            + (": 0 * NaN in the backward pass" if what == "gradient" else ""),
            {"value": float(found.value), "NaN in the gradient": int((~found.gradient.isfinite()).sum())},
            code(subject, input, target, arguments=masks, lines=BACKWARD),
            None,
            "Select before computing: input[observed] - target[observed].",
        )


_LENGTHS = r"(^|_)(len|lens|length|lengths|seq_len|seq_lens)$"


@kind(r"lengths?\b|_lens?\b")
def lengths(subject: Subject) -> Iterator[Found]:
    """Whether exactly the steps before the length of a sequence count."""
    spec, names = subject.spec, subject.parameters
    at = [n for n, name in enumerate(names[: len(spec.tensors)]) if re.search(_LENGTHS, name.lower())]
    if re.search(r"prompt|prefix|context|source|src|history|left.?pad|shift|next|causal|crf", subject.words.all):
        return  # what comes before the length is left out on purpose
    if len(at) != 1 or not spec.layout.startswith("several"):
        return
    tensors = [each.clone() for each in subject.example(batch=2)]
    wide = tensors[0]
    if wide.dim() < 2 or wide.shape[1] < 4 or tensors[at[0]].shape != wide.shape[:1]:
        return
    steps = wide.shape[1]
    tensors[at[0]] = torch.tensor([steps - 2, steps])
    found = tried(pull, subject, *tensors)
    if found is None or not found.finite:
        return
    moved = found.gradient[0].abs().reshape(steps, -1).sum(1) > 0
    if bool(moved[-2:].any()) and not bool(moved[-1] and not moved[-2]):
        last = int(moved.nonzero().max())
        yield Found(
            f"step {last} of a sequence of length {steps - 2} is trained on: steps 0 to {steps - 3} are its own",
            {"gradient there": float(found.gradient[0, last].abs().max())},
            code(subject, *tensors, lines=BACKWARD),
            None,
            "mask = torch.arange(T) < lengths[:, None]",
        )
    elif not moved[: steps - 2].all() and moved.any():
        first = int((~moved[: steps - 2]).nonzero()[0])
        yield Found(
            f"step {first} of a sequence of length {steps - 2} is not trained on",
            {"gradient there": 0.0},
            code(subject, *tensors, lines=BACKWARD),
            None,
            "mask = torch.arange(T) < lengths[:, None]",
        )


@kind(r"soft.?(label|target)|mixup|cutmix")
def soft_targets(subject: Subject) -> Iterator[Found]:
    """Whether the loss is lowest at a soft target, not for its largest class alone."""
    spec = subject.spec
    if (
        spec.kind != "multiclass"
        or spec.scores != "logits"
        or spec.layout not in ("one-hot", "soft")
        or not spec.softmax
    ):
        return
    if re.search(r"hard|pseudo|sharpen|confiden", subject.words.all):
        return
    for seed in range(4):
        target = (0.7 * torch.randn(4, spec.classes, generator=torch.Generator().manual_seed(seed))).softmax(1)
        target = target.reshape(*target.shape, *(1,) * len(spec.spatial)).expand(-1, -1, *spec.spatial).contiguous()
        costs = [tried(value, subject, n * target.log(), target) for n in (1.0, 3.0)]
        if costs[0] is None or costs[1] is None or not costs[1] < costs[0] - 1e-4 * abs(costs[0]):
            return
    yield Found(
        "with soft targets the loss is lowest for their largest class alone: prediction and target are exchanged",
        {"at the target": costs[0], "three times as sharp": costs[1]},
        code(subject, 3 * target.log(), target),
        None,
        "-(target * log_softmax(input, 1)).sum(1).mean()",
    )
