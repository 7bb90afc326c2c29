"""Numbers: finite, and the same in every precision."""

from __future__ import annotations

import math
import re
import time
from collections.abc import Iterator

import torch
from torch import Tensor
from torch.nn.functional import normalize

from losskit.checker.checks.edges import exact
from losskit.checker.checks.tools import (
    ANSWERS,
    BACKWARD,
    HALVES,
    away,
    close,
    code,
    labelled,
    precise,
    pull,
    require_steady,
    rounding,
    tried,
    value,
)
from losskit.checker.finding import Found, Severity
from losskit.checker.listening import heard
from losskit.checker.registry import check
from losskit.checker.repro import literal
from losskit.checker.spec import Spec
from losskit.checker.subject import Subject


def saturated(spec: Spec) -> tuple[float, ...]:
    """Sizes of large scores; for losses of real numbers, which may grow exponentially, they are smaller."""
    if spec.labels:
        return (20.0, 100.0) if spec.scores == "probabilities" else (20.0, 100.0, 1e4)
    if spec.kind == "regression" and spec.scores == "values":
        return (1.0, 10.0, 1e4)
    logits = "logit" in spec.tensors[0].lower() or spec.layout.startswith("several log:")
    logits = logits and not any(map(_grows, spec.tensors[1:]))
    return (1.0, 10.0, 100.0) if logits and spec.kind == "penalty" else (1.0, 10.0)


def _grows(name: str) -> bool:
    """Whether a further tensor may be in an exponential itself."""
    return re.search(r"log|var|scale|sigma|std|score|pred|student|teacher|z|feat|emb", name.lower()) is not None


@check(
    "not-finite",
    Severity.WRONG,
    why="One NaN or infinite gradient turns every weight of the model into NaN at the next step.",
    fix="Compute from logits: logsigmoid, log_softmax, softplus; no log or power of a number that can be 0.",
)
def not_finite(subject: Subject) -> Iterator[Found]:
    """Are value and gradient finite, however large the scores?"""
    for dtype in (torch.float32, torch.bfloat16) if subject.spec.scores != "boxes" else (torch.float32,):
        for scale in saturated(subject.spec):
            for answer in ANSWERS:
                tensors = subject.example(dtype=dtype, scale=scale, correct=answer, batch=2)
                found = tried(pull, subject, *tensors)
                if found is None or found.finite:
                    continue
                said = {None: "random", True: "correct", False: "wrong"}[answer]
                what = "value" if not found.value.isfinite().all() else "gradient"
                yield Found(
                    f"the {what} is not finite for {said} {subject.spec.scores} of size {scale:g} in {name(dtype)}",
                    {"value": float(found.value), "gradient": _some(found.gradient)},
                    code(subject, *tensors, lines=BACKWARD),
                    Severity.TRAP if dtype == torch.bfloat16 or _of_unit_vectors(subject, tensors) else None,
                )
                return
    for what, tensors in exact(subject):
        found = tried(pull, subject, *tensors)
        if found is not None and not found.finite:
            what = f"the {'gradient' if found.value.isfinite().all() else 'value'} is not finite for {what}"
            numbers = {"value": float(found.value), "gradient": _some(found.gradient)}
            yield Found(what, numbers, code(subject, *tensors, lines=BACKWARD))
            return


def _of_unit_vectors(subject: Subject, tensors: tuple[Tensor, ...]) -> bool:
    """Whether it compares embeddings whose length it leaves to the model, and is finite if that is 1."""
    named = re.search(r"contrast|sup_?con|info_?nce|nt_?xent|simclr|\bclip\b", subject.words.all)
    if not named or re.search(r"normali[sz]e\(|cosine|\.norm\(", subject.words.code):
        return False
    unit = tuple(normalize(each, dim=-1) if each.is_floating_point() and each.dim() > 1 else each for each in tensors)
    found = tried(pull, subject, *unit)
    return found is not None and found.finite


def name(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")


def _some(gradient: Tensor) -> list[float]:
    bad = gradient[~gradient.isfinite()]
    return [float(each) for each in (bad if len(bad) else gradient.reshape(-1))[:3]]


@check(
    "float64-disagrees",
    Severity.WRONG,
    why="Training runs in float32: its loss, or its gradient, is not that of the formula.",
    fix="Compute in log space, and do not add constants such as 1e-8 to numbers near 1.",
    consequence_of=("not-finite",),
)
def float64_disagrees(subject: Subject) -> Iterator[Found]:
    """Are value and gradient in float32 those of float64?"""
    require_steady(subject)
    usual = precise(subject, *subject.example())
    for scale in (1.0, 12.0, 20.0) if subject.spec.labels else (1.0,):
        for answer in ANSWERS:
            tensors = subject.example(scale=scale, correct=answer)
            found, right = pull(subject, *tensors), precise(subject, *tensors)
            if not (found.finite and right.finite):
                continue
            least = 0.1 * float(usual.value.abs()) if answer is True else 0.0  # near its minimum, errors are relative
            value_off = away(found.value, right.value, max(least, 1e-2))
            slope_off = (
                0.0 if answer is True else away(found.gradient, right.gradient, 1e-5 * float(usual.gradient.norm()))
            )
            if value_off > 1e-3 or slope_off > 0.05:
                by_rounding = rounding(subject, tensors, torch.finfo(torch.float32).eps)
                value_gap = float((found.value.double() - right.value.double()).abs())
                slope_gap = float((found.gradient.double() - right.gradient.double()).norm())
                if (value_off <= 1e-3 or value_gap < 8 * by_rounding[0]) and (
                    slope_off <= 0.05 or slope_gap < 8 * by_rounding[1]
                ):
                    continue
                yield Found(
                    f"{'the value' if value_off > 1e-3 else 'the gradient'} in float32 is not that in float64",
                    {"float32": float(found.value), "float64": float(right.value), "gradient off by": slope_off},
                    code(subject, *tensors, lines=("print({call}, " + _in_double(subject) + ")",)),
                )
                return


def _in_double(subject: Subject) -> str:
    return subject.call_code().replace(subject.spec.tensors[0], f"{subject.spec.tensors[0]}.double()", 1)


@check(
    "half-disagrees",
    Severity.WRONG,
    why="Mixed precision passes float16 and bfloat16 scores to the loss, and a wrong finite number goes unnoticed.",
    fix="Start with input = input.float().",
    consequence_of=("not-finite", "float64-disagrees"),
)
def half_disagrees(subject: Subject) -> Iterator[Found]:
    """Are value and gradient in float16 and bfloat16 those of float64?"""
    require_steady(subject)
    seen = set()
    for dtype in HALVES:
        for scale, answer in ((1.0, None), (12.0, None), (12.0, False), (12.0, True)):
            if scale > 1 and (not subject.spec.labels or subject.spec.scores == "probabilities"):
                continue  # probabilities round to 0 and 1
            tensors = subject.example(dtype=dtype, scale=scale, correct=answer)
            found = in_half(subject, tensors)
            if found is not None and found.severity not in seen:
                seen.add(found.severity)
                yield found


def in_half(subject: Subject, tensors: tuple[Tensor, ...], made: tuple[str, ...] = ()) -> Found | None:
    """What is wrong with a loss of half-precision scores, compared with its float64."""
    found = tried(pull, subject, *tensors)
    right = precise(subject, *tensors)
    if found is None or not right.finite or float(right.value.abs()) > 6e4:
        return None  # refusing half precision is no fault, nor is a number that it cannot represent
    dtype = tensors[0].dtype
    best = name(right.value.dtype)
    numbers = {name(dtype): float(found.value), best: float(right.value)}
    repro = code(subject, *(made or tensors), lines=BACKWARD)
    if not found.finite:
        what = "value" if not found.value.isfinite() else "gradient"
        return Found(f"in {name(dtype)} the {what} is not finite", numbers, repro, Severity.TRAP)
    lost = _vanished(subject, found.gradient, right.gradient)
    gap = abs(float(found.value) - float(right.value))
    coarse = 4 * rounding(subject, tensors, torch.finfo(dtype).eps)[0]
    if not close(float(found.value), float(right.value), 0.03, 0.005) and gap > coarse:
        also = ", and the gradient is 0" if lost else ""
        squares = subject.spec.kind == "regression" and dtype == torch.float16  # which overflow in any such loss
        squares |= subject.spec.layout == "images"  # local variances are small differences of squares
        grade = Severity.TRAP if squares or gap < 0.3 * abs(float(right.value)) else None
        return Found(f"in {name(dtype)} the value is finite and wrong{also}", numbers, repro, grade)
    if lost:
        return Found(f"in {name(dtype)} the gradient is 0 where it should not be", numbers, repro, Severity.TRAP)
    return None


def _vanished(subject: Subject, found: Tensor, right: Tensor) -> bool:
    """Whether a gradient that matters, and that the precision can represent, is 0 everywhere."""
    usual = precise(subject, *subject.example()).gradient
    least = max(4 * torch.finfo(found.dtype).tiny, 1e-3 * float(usual.abs().max()) * usual.numel() / right.numel())
    return not found.any() and float(right.abs().max()) > least


_LONG = 0.3  # seconds of CPU


@check(
    "half-sums-overflow",
    Severity.TRAP,
    why="A 512 x 512 mask in float16 sums past 65504; the loss then stays at one number and nothing is learned.",
    fix="Sum in float32: input.float() first, or .sum(dtype=torch.float32).",
    consequence_of=("half-disagrees", "not-finite", "float64-disagrees"),
    applies=lambda spec: spec.two and spec.takes_spatial(2),
    assumes=True,  # all orders of 64 rows are too many for any machine
)
def half_sums_overflow(subject: Subject) -> Iterator[Found]:
    """Are value and gradient correct in half precision at sizes whose sums exceed float16?"""
    require_steady(subject)
    if _takes_long(subject):  # as a convolution in float16 does on a CPU
        return
    large, made = tiled(subject, 128, torch.float16)
    found = in_half(subject, large, made)
    if found is not None:
        yield Found(f"512 x 512: {found.what}", found.evidence, found.repro, Severity.TRAP)


def _takes_long(subject: Subject) -> bool:
    """Whether a call at 512 x 512 and its gradient take seconds, by those of smaller sizes."""
    before = 0.0
    for times in (16, 32, 64):
        tensors, _ = tiled(subject, times, torch.float16)
        began = time.process_time()
        tried(pull, subject, *tensors)
        spent = time.process_time() - began
        if spent * max(spent / before if before else 0.0, 4.0) > _LONG:
            return True
        before = spent
    return False


def tiled(subject: Subject, times: int, dtype: torch.dtype) -> tuple[tuple[Tensor, ...], tuple[str, ...]]:
    """A sample of 4 x 4 positions, tiled this often along each dimension, and the code that makes it."""
    tensors = subject.example(dtype=dtype, batch=1, size=(4, 4))
    large = tuple(t.repeat(*(1,) * (t.dim() - 2), times, times) for t in tensors)
    return large, tuple(f"{literal(t)}.repeat({'1, ' * (t.dim() - 2)}{times}, {times})" for t in tensors)


@check(
    "float64-lost",
    Severity.CONVENIENCE,
    why="Gradcheck and high-precision work need float64, but get float32's errors.",
    fix="Keep the input's precision: input.to(torch.promote_types(input.dtype, torch.float32)).",
)
def float64_lost(subject: Subject) -> Iterator[Found]:
    """Are float64 scores computed in float64?"""
    if loses_float64(subject):
        tensors = subject.example(dtype=torch.float64, batch=1)
        made = tried(value, subject, *tensors)
        what = "refuses float64 scores" if made is None else "float64 scores are computed in float32"
        yield Found(what, "" if made is None else {"value": made}, code(subject, *tensors))


def loses_float64(subject: Subject) -> bool:
    """Whether a loss of float64 scores refuses them or misses a change that is below float32's precision."""
    lost = 0
    for seed in range(3):
        input, *others = subject.example(seed, dtype=torch.float64)
        direction = torch.randn(input.shape, generator=torch.Generator().manual_seed(seed), dtype=input.dtype)
        slopes = []
        for step in (1e-4, 1e-9):
            ends = [tried(value, subject, input + s * step * direction, *others) for s in (1, -1)]
            if ends[0] is None or ends[1] is None:
                return True
            slopes.append((ends[0] - ends[1]) / (2 * step))
        lost += not close(slopes[1], slopes[0], 0.05, 1e-4)
    return lost > 1


@check(
    "target-sets-precision",
    Severity.PROPERTY,
    why="A mask stored in bfloat16 to save memory silently makes a float32 loss as coarse as bfloat16.",
    fix="target = target.to(input.dtype), once the input is at least float32.",
    applies=lambda spec: labelled(spec) and not spec.indices,
)
def target_sets_precision(subject: Subject) -> Iterator[Found]:
    """Is the precision of the result independent of the target's?"""
    require_steady(subject)
    made_by: tuple[str, ...] = ()
    input, target = subject.example(batch=2)
    if subject.spec.takes_spatial(2):  # more positives than bfloat16 can count
        (input, target), made_by = tiled(subject, 19, torch.float32)
    right = value(subject, input, target)
    for dtype in (torch.bfloat16, torch.float16, torch.float64):
        if not target.is_floating_point():
            return
        made = tried(pull, subject, input, target.to(dtype))
        if made is None:
            continue
        found = float(made.value)
        if not close(found, right, 1e-4, 1e-5) or made.value.dtype in HALVES:
            grade = None if close(found, right, 0.03, 0.005) else Severity.WRONG
            coarse = made.value.dtype in HALVES
            given = (made_by[0], f"{made_by[1]}.to({dtype})") if made_by else (input, target.to(dtype))
            as_what = f"a loss of {name(made.value.dtype)}'s precision" if coarse else "another number"
            yield Found(
                f"float32 scores with a {name(dtype)} target give {as_what}",
                {"value": found, "with a float32 target": right},
                code(subject, *given),
                grade,
            )
            return


@check(
    "integer-targets",
    Severity.CONVENIENCE,
    why="Masks are stored as bool or uint8, class indices as uint8 or int32.",
    fix="Convert the target inside the loss: target.to(input.dtype), or target.long() for class indices.",
    applies=labelled,
)
def integer_targets(subject: Subject) -> Iterator[Found]:
    """Are bool and small-integer targets accepted, with the same loss?"""
    require_steady(subject)
    input, target = subject.example()
    if subject.spec.layout in ("signs", "soft"):
        return
    right = value(subject, input, target)
    kinds = (torch.uint8, torch.int32) if subject.spec.indices else (torch.bool, torch.uint8, torch.int64)
    refused = []
    for dtype in kinds:
        found = tried(value, subject, input, target.to(dtype))
        if found is None:
            refused.append(dtype)
        elif not close(found, right):
            yield Found(
                f"a {name(dtype)} target gives another number",
                {"value": found, f"with {name(target.dtype)}": right},
                code(subject, input, target.to(dtype)),
                Severity.WRONG if re.search(_OF_LABELS, subject.words.all) else Severity.TRAP,
            )
    if refused:
        said = ", ".join(name(dtype) for dtype in refused)
        yield Found(f"refuses a target of {said}", {"refused": said}, code(subject, input, target.to(refused[0])))


_OF_LABELS = r"mask|label|segment|class|logit|prob|binary|dice|iou|jaccard|tversky|entropy|\bbce\b|focal"


@check(
    "autocast",
    Severity.WRONG,
    why="Under autocast the model outputs half-precision scores, and some functions refuse to run.",
    fix="Compute from logits in float32: inside the loss, with torch.autocast(input.device.type, enabled=False).",
    consequence_of=("not-finite", "half-disagrees", "float64-disagrees"),
)
def autocast(subject: Subject) -> Iterator[Found]:
    """Is the loss the same under autocast?"""
    require_steady(subject)
    for scale in (1.0, 12.0) if subject.spec.labels else (1.0,):
        tensors = subject.example(scale=scale)
        right = value(subject, *tensors)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            found = tried(pull, subject, *tensors)
        lines = ('with torch.autocast("cpu", dtype=torch.bfloat16):', "    print({call})")
        repro = code(subject, *tensors, lines=lines)
        if found is None:
            yield Found("raises under autocast", {"float32": right}, repro, Severity.CONVENIENCE)
            return
        if not math.isfinite(right):
            continue
        if not found.finite or not close(float(found.value), right, 0.05, 0.01):
            coarse = 4 * rounding(subject, tensors, torch.finfo(torch.bfloat16).eps)[0]
            if found.finite and abs(float(found.value) - right) < coarse:
                continue
            same = bool(found.value.isfinite().all()) and close(float(found.value), right, 0.05, 0.01)
            what = "the gradient is not finite" if same else "the value changes"
            numbers = {"autocast": float(found.value), "float32": right}
            images = subject.spec.layout == "images"
            yield Found(f"{what} under autocast", numbers, repro, Severity.TRAP if same or images else None)
            return


@check(
    "unsafe-on-gpu-autocast",
    Severity.CONVENIENCE,
    why="binary_cross_entropy raises under autocast on a GPU, so mixed precision stops with an error.",
    fix="binary_cross_entropy_with_logits on the logits.",
)
def unsafe_on_gpu_autocast(subject: Subject) -> Iterator[Found]:
    """Does it avoid what autocast refuses on a GPU?"""
    tensors = subject.example(batch=1)
    if any(call.name == "binary_cross_entropy" for call in heard(subject, *tensors)):
        yield Found(
            "calls binary_cross_entropy on probabilities",
            {"calls": "torch.nn.functional.binary_cross_entropy"},
            code(
                subject, *(t.cpu() for t in tensors), lines=('with torch.autocast("cuda"):  # on a GPU', "    {call}")
            ),
        )
