"""Several tensors: each has an effect, each prediction a gradient, and what is not labelled has none."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

from losskit.checker import draws
from losskit.checker.checks.tools import close, code, is_random, pull, tried, value
from losskit.checker.finding import Found, Severity
from losskit.checker.registry import check
from losskit.checker.roles import masks_out
from losskit.checker.spec import Spec
from losskit.checker.subject import LossRaised, Subject

Tensors = tuple[Tensor, ...]


def several(spec: Spec) -> bool:
    return spec.layout.startswith("several") and not spec.way.inside


def tensors_without_effect(subject: Subject, tensors: Tensors, before: float) -> Iterator[Found]:
    """Tensors of the call that change nothing, if only their shapes are known."""
    if not subject.spec.layout.startswith("several"):
        return
    bases = [tensors]
    if (near := _near_another(tensors)) is not None:
        bases.append(near)  # where a bounded loss has not saturated
    for at, name in enumerate(subject.spec.tensors):
        changed = [(base, _with(base, at, each)) for base in bases for each in _others(subject, tensors, at)]
        changed = [(base, other) for base, other in changed if not torch.equal(base[at], other[at])]
        if not changed or not all(_same_parts(subject, *each) for each in changed):
            continue
        if all(_same_parts(subject, *each) for each in _drawn(subject, at)):
            yield Found(
                f"{name} is accepted and changes nothing",
                {"value": before, f"with another {name}": before},
                code(subject, *changed[0][1]),
            )
            return


def _others(subject: Subject, tensors: Tensors, at: int) -> list[Tensor]:
    """Other values of a tensor."""
    if subject.spec.tensors[at].lower().endswith(("lengths", "lens", "len")):
        return [tensors[at] * 0 + 1]
    return [*(subject.example(seed, batch=3)[at] for seed in range(7, 11)), tensors[at].roll(1, 0)]


_DRAWS = 24


def _drawn(subject: Subject, at: int) -> Iterator[tuple[Tensors, Tensors]]:
    """Calls of several sizes of numbers, of which only one tensor differs: in a single one it may count nowhere."""
    for seed in range(_DRAWS):
        tensors = subject.example(seed, batch=6, scale=(1.0, 0.1, 3.0)[seed % 3])
        one = tensors[at]
        yield tensors, _with(tensors, at, one.roll(1, 0) if one.dim() else one)
        yield tensors, _with(tensors, at, subject.example(seed + _DRAWS, batch=6)[at])
        order = torch.arange(len(one)) if one.dim() else one
        if one.dim() == 1 and one.dtype != torch.bool:
            # The loss may compare it with a number.
            yield _with(tensors, at, (order % 2).to(one.dtype)), _with(tensors, at, (order // 2 % 2).to(one.dtype))


def _with(tensors: Tensors, at: int, one: Tensor) -> Tensors:
    return (*tensors[:at], one, *tensors[at + 1 :])


def _near_another(tensors: Tensors) -> Tensors | None:
    """The same with a tensor near the first other one of its shape; None if there is none."""
    for at, one in enumerate(tensors):
        for other in tensors[at + 1 :]:
            if one.is_floating_point() and other.shape == one.shape and other.dtype == one.dtype:
                return _with(tensors, at, other + 0.02 * (one - other))
    return None


def _same_parts(subject: Subject, one: Tensors, other: Tensors) -> bool:
    """Whether every number of the result is the same, but for a constant in a denominator; False if it is refused."""
    wide = [tried(_parts, subject, tuple(map(_in_double, each))) for each in (one, other)]
    costs = [tried(_parts, subject, each) for each in (one, other)] if None in wide else wide
    if costs[0] is None or costs[1] is None or len(costs[0]) != len(costs[1]):
        return False
    return all(close(a, b, 1e-9 if None in wide else 1e-7, 1e-12) for a, b in zip(*costs, strict=True))


def _in_double(tensor: Tensor) -> Tensor:
    return tensor.double() if tensor.is_floating_point() else tensor


def _parts(subject: Subject, tensors: Tensors) -> list[float]:
    """All numbers of the result: the loss, and the terms beside it."""
    criterion = subject.build()
    found: list[float] = []

    def listened(*given: Any, **named: Any) -> Any:
        result = criterion(*given, **named)
        found[:] = [float(each.detach().double().mean()) for each in _tensors_in(result)]
        return result

    draws.seed()
    subject.call(listened, *(each.clone() for each in tensors))
    return found


def _tensors_in(result: Any) -> list[Tensor]:
    if isinstance(result, Tensor):
        return [result]
    inner = result.values() if isinstance(result, dict) else result if isinstance(result, (tuple, list)) else ()
    return [tensor for each in inner for tensor in _tensors_in(each)]


# Predictions and their targets.

_OF_TARGETS = r"targets?|gt|truth|true|labels?|y"
_SIDES = re.compile(rf"(^|_)(preds?|predictions?|outputs?|out|hat|est|estimates?|{_OF_TARGETS})(?=_|$)")


def _stem(name: str) -> str:
    found = _SIDES.sub("", name.lower()).strip("_").rstrip("s")
    return found.removesuffix("e") if re.search(r"(x|s|sh|ch)e$", found) else found  # boxes, masses


def pairs_of(subject: Subject, tensors: Tensors) -> Iterator[tuple[int, int]]:
    """The places of each prediction and its target, of one shape and with names that say so."""
    names = [each.lower() for each in subject.spec.tensors]
    for at, name in enumerate(names):
        if re.search(rf"(^|_)({_OF_TARGETS})(_|$)", name) or not tensors[at].is_floating_point():
            continue
        for to, other in enumerate(names):
            said = re.search(rf"(^|_)({_OF_TARGETS})(_|$)", other) and _stem(other) == _stem(name)
            if to != at and said and tensors[to].shape == tensors[at].shape:
                yield at, to
                break


def prediction_without_gradient(subject: Subject) -> Iterator[Found]:
    """The predictions that change the value and get no gradient."""
    if not several(subject.spec):
        return
    tensors = subject.example(batch=4, dtype=torch.float64)
    if is_random(subject):
        return
    for at, _ in pairs_of(subject, tensors):
        name = subject.spec.tensors[at]
        found = [tried(pull, subject, *subject.example(seed, batch=4), of=at) for seed in range(3)]
        if any(each is None or not each.finite or bool(each.gradient.any()) for each in found):
            continue
        moved = [tried(value, subject, *_with(tensors, at, tensors[at] * factor)) for factor in (1.0, 1.01, 1.02)]
        costs = [each for each in moved if each is not None and math.isfinite(each)]
        if len(costs) == 3 and not close(costs[0], costs[1], 1e-7) and not close(costs[1], costs[2], 1e-7):
            yield Found(
                f"{name} changes the value and gets no gradient: its term is a constant for autograd",
                {"value": costs[0], f"with 1.01 * {name}": costs[1], "gradient": 0.0},
                code(subject, *subject.example(batch=4)),
            )
            return


# What is not labelled.

_GATES = (
    r"(^|_)(vis(ib\w*)?|valid(ity)?|mask|observed|"
    r"(target|joint|keypoint|sample|point|pixel)_?(weight|mask|valid)s?)(_|$)"
)
_COUNTS_NOT = (
    r"\b(not|only|un|in)\w*[^.;]{0,40}(count|label|used|visible|valid|match|contribut|foreground|positive|trained)|"
    r"over (the )?(\w+ )?(visible|valid|labelled)|\b1 (if|where|for)|"
    r"ignor|left out|unlabel|invisible|missing|per.?(sample|joint|point|pixel|element) weight|0/1|0 or 1"
)
_OUT = r"\b{}\b[^;.]*\b(1|true|ones?)\b[^;.,]{{0,60}}(not count|ignor|left out|excluded|occluded(?!, 2))"
_OTHERWISE = r"reward|\bq_|policy|contrast|embedding|negatives|causal|attention|smoothness|prompt|pairs"


@check(
    "unlabelled-gets-gradient",
    Severity.WRONG,
    why="Predictions without a label are pulled to whatever the target holds there.",
    fix="Multiply the error by the weight or mask, not only the target or the prediction, and divide by its sum.",
    consequence_of=("no-graph", "not-finite", "unused-argument"),
    applies=several,
)
def unlabelled_gets_gradient(subject: Subject) -> Iterator[Found]:
    """Is the gradient 0 where a mask, a weight or a label of the background says that nothing counts?"""
    tensors = subject.example(batch=4)
    for to, name, spoilt in _gated(subject, tensors):
        found = tried(pull, subject, *spoilt, of=to)
        if found is None or not found.finite or is_random(subject):
            continue
        there, elsewhere = (float(each.abs().max()) for each in (found.gradient[0], found.gradient[1:]))
        if there > 1e-6 * max(elsewhere, 1e-9) and there > 1e-9:
            said = subject.spec.tensors[to]
            yield Found(
                f"where {name} says that nothing counts, {said} still gets a gradient",
                {"largest there": there, "largest elsewhere": elsewhere},
                code(
                    subject,
                    *spoilt,
                    lines=("{call}.mean().backward()", "print({input}.grad)") if to == 0 else ("print({call})",),
                ),
            )
            return
        yield from _in_the_mean(subject, spoilt, name)
    yield from _of_background(subject)


def _gated(subject: Subject, tensors: Tensors) -> Iterator[tuple[int, str, Tensors]]:
    """The place of a prediction, the name of its mask, and the tensors with a mask of 0 for the first sample."""
    spec, words = subject.spec, subject.words
    if re.search(_OTHERWISE, words.all):
        return
    for at, name in enumerate(spec.tensors):
        said = words.clauses.get(name, "")
        about = said or words.text
        out = masks_out(name, words) or words.say(_OUT.format(re.escape(name)))
        if not re.search(_GATES, name.lower()) or (not out and re.search(r"pad|ignore|occl", name.lower())):
            continue
        if not re.search(_COUNTS_NOT, f"{about} {words.text}".lower()) or tensors[at].dim() == 0:
            continue
        gate = tensors[at].clone()
        gate[1:] = not out
        gate[0] = out
        for to, target in pairs_or_first(subject, tensors):
            if _covers(gate, tensors[to]) and at not in (to, target):
                yield to, name, _with(tensors, at, gate)
                break


def pairs_or_first(subject: Subject, tensors: Tensors) -> list[tuple[int, int]]:
    """The pairs by name; otherwise the first two tensors of one shape."""
    found = list(pairs_of(subject, tensors))
    if found:
        return found
    alike = tensors[0].is_floating_point() and len(tensors) > 1 and tensors[0].shape == tensors[1].shape
    return [(0, 1)] if alike else []


def _covers(gate: Tensor, prediction: Tensor) -> bool:
    """Whether the shape of a mask is that of a prediction, without its last dimensions or with 1 in their place."""
    sizes = list(gate.shape)
    while sizes and sizes[-1] == 1:
        sizes.pop()
    fits = all(size in (1, wide) for size, wide in zip(sizes, prediction.shape, strict=False))
    return 0 < len(sizes) <= prediction.dim() and sizes[0] == len(prediction) and fits


_OVER_LABELLED = r"(mean|averag\w+|normali\w+|divid\w+)[^.;]*(visible|valid|labelled|observed|unmasked)"


def _in_the_mean(subject: Subject, spoilt: Tensors, name: str) -> Iterator[Found]:
    """Whether a sample without labels stays out of a mean that is documented to be over labelled ones."""
    if not subject.words.say(_OVER_LABELLED) or any(len(each) != 4 for each in spoilt if each.dim()):
        return
    near = _near_another(spoilt) or spoilt
    found, right = (tried(value, subject, *each) for each in (near, tuple(e[1:] for e in near)))
    if found is not None and right is not None and math.isfinite(right) and not close(found, right, 1e-3):
        yield Found(
            f"it is documented as a mean over what is labelled, but a sample without {name} changes it",
            {"with that sample": found, "without it": right},
            code(subject, *near),
        )


# What only counts where there is an object.

_FOREGROUND = r"\bonly\b[^.;]*(foreground|positive|object|matched)|(foreground|positive|matched)[^.;]*\bonly\b"
_ZERO = r"\b0\b[^.;]{0,15}background|background[^.;]{0,15}\b0\b|objectness|\bobj"
_BOX = r"(^|_)(box(es)?|bbox(es)?|reg|loc|locs|offsets?|deltas|wh|regression)(_|$)"


def _of_background(subject: Subject) -> Iterator[Found]:
    """Whether boxes of the background get a gradient, if only the foreground counts by the documentation."""
    words, names = subject.words, [each.lower() for each in subject.spec.tensors]
    if not words.say(_FOREGROUND) or not words.say(_ZERO):
        return
    tensors = subject.example(batch=4)
    gates = [n for n, name in enumerate(names) if re.search(r"(^|_)(labels?|cls|classes|obj\w*|target)(_|$)", name)]
    boxes = [to for to, _ in pairs_of(subject, tensors) if re.search(_BOX, names[to])]
    for at in gates:
        integers = not tensors[at].is_floating_point() or "obj" in names[at]
        if not integers or tensors[at].dim() != 1 or re.search(r"logit|pred|output", names[at]):
            continue
        gate = tensors[at].clone()
        gate[0], gate[1:] = 0, 1
        for to in boxes:
            given = _with(tensors, at, gate)
            try:
                found = pull(subject, *given, of=to)
            except LossRaised:
                continue
            if found.finite and len(found.gradient) == len(gate) and bool(found.gradient[0].any()):
                yield Found(
                    f"where {names[at]} says background, {names[to]} still gets a gradient",
                    {"largest there": float(found.gradient[0].abs().max())},
                    code(subject, *given),
                )
                return
