"""Shared by the checks: a loss measured once, comparisons of numbers, and repros."""

from __future__ import annotations

import functools
import math
import re
import warnings
import weakref
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, NamedTuple, TypeVar

import torch
from torch import Tensor, nn

from losskit.checker import draws
from losskit.checker.origin import CannotRebuild
from losskit.checker.spec import Spec
from losskit.checker.subject import LossRaised, Subject

Options = Mapping[str, Any]
T = TypeVar("T")
HALVES = (torch.float16, torch.bfloat16)
ANSWERS = (None, False, True)  # random scores, wrong predictions, correct ones
FORWARD = "print({call})"
BACKWARD = "loss = {call}.mean()", "loss.backward()", "print(loss, {input}.grad)"


class Pulled(NamedTuple):
    """A loss and its gradient with respect to the input."""

    value: Tensor
    gradient: Tensor
    attached: bool  # whether the result depends on the input for autograd

    @property
    def finite(self) -> bool:
        return bool(self.value.isfinite().all()) and bool(self.gradient.isfinite().all())


_CLASSES = r"[CKV]|(num_|n_)?cl\w+|vocab\w*|\w*dim"
_MAPS = r"segment|pixel|voxel|images?\b|\bh, ?w\b|\bmaps?\b"


def classes_last(subject: Subject, input: Tensor, target: Tensor) -> bool:
    """Whether it is a loss of rows of scores, (*, C) with classes last, and nothing says that it takes maps."""
    wide = [each for each in subject.words.shapes.values() if len(each) > 2]
    maps = not all(re.fullmatch(_CLASSES, each[-1]) for each in wide) if wide else subject.words.say(_MAPS)
    if maps or target.shape != input.shape:
        return False
    rows = tried(value, subject, *(each.reshape(-1, each.shape[-1]) for each in (input, target)))
    return rows is not None and close(rows, value(subject, input, target))


def result(subject: Subject, *tensors: Tensor, options: Options | None = None, **arguments: Any) -> Tensor:
    """The result of a fresh loss, with the same random numbers each time."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return _called(subject, tensors, options or {}, arguments)


def _called(subject: Subject, tensors: tuple[Tensor, ...], options: Options, arguments: Options) -> Tensor:
    """A call with copies that are not leaves: a loss may write into them, which only one check reports."""
    criterion = built(subject, options)
    draws.seed()
    return subject.call(criterion, *map(_copied, tensors), **arguments)


def _copied(tensor: Tensor) -> Tensor:
    """A copy with the same strides."""
    if tensor.is_contiguous():
        return tensor.clone()
    if tensor.requires_grad:
        return tensor.view_as(tensor)
    copied = torch.empty_strided(tensor.shape, tensor.stride(), dtype=tensor.dtype, device=tensor.device)
    return copied.copy_(tensor)


def built(subject: Subject, options: Options) -> Callable[..., Any]:
    """A fresh loss with these options; CannotRebuild if it refuses them."""
    try:
        return subject.build(**options)
    except Exception as error:
        if not options:
            raise
        raise CannotRebuild(f"{type(error).__name__}: {error}") from error


def value(subject: Subject, *tensors: Tensor, options: Options | None = None, **arguments: Any) -> float:
    """The loss as one number."""
    with torch.set_grad_enabled(subject.spec.way.inside):  # a loss may differentiate its model
        made = result(subject, *tensors, options=options, **arguments)
    return float(made.double().mean())


def pull(subject: Subject, *tensors: Tensor, options: Options | None = None, of: int = 0, **arguments: Any) -> Pulled:
    """The loss as one number, and its gradient with respect to the tensor at `of`; zeros if there is none."""
    given = list(tensors)
    given[of] = given[of].detach().clone().requires_grad_()
    made = result(subject, *given, options=options, **arguments)
    loss = made if made.dim() == 0 else made.mean()
    found = None
    if loss.requires_grad:
        try:
            (found,) = torch.autograd.grad(loss, given[of], allow_unused=True)
        except RuntimeError as error:
            raise LossRaised(error) from error
    gradient = torch.zeros_like(given[of]) if found is None else found
    return Pulled(loss.detach(), gradient.detach(), found is not None)


def precise(subject: Subject, *tensors: Tensor) -> Pulled:
    """The loss and its gradient in float64, or in float32 if it refuses float64."""
    double = tried(pull, subject, *(t.double() if t.is_floating_point() else t for t in tensors))
    return double or pull(subject, *(t.float() if t.is_floating_point() else t for t in tensors))


def tried(call: Callable[..., T], *arguments: Any, **named: Any) -> T | None:
    """The result of a call; None if the loss or its constructor refuses it."""
    try:
        return call(*arguments, **named)
    except (LossRaised, CannotRebuild):
        return None


def loud(subject: Subject, *tensors: Tensor) -> tuple[float, bool]:
    """The loss of tensors that it should refuse, NaN if it refuses; and whether it warns."""
    with warned() as heard:
        made = tried(_called, subject, tensors, {}, {})
    number = math.nan if made is None else float(made.detach().double().mean())
    return number, any(issubclass(each.category, UserWarning) for each in heard)


def attached(subject: Subject) -> bool:
    """Whether autograd sees that the loss depends on its input."""
    return pull(subject, *subject.example()).attached


def away(found: Tensor | float, right: Tensor | float, least: float = 1e-12) -> float:
    """The distance of one result from another, relative to its size, which counts as at least `least`."""
    a, b = (torch.as_tensor(each).detach().double() for each in (found, right))
    size = max(float(b.norm()), least, 1e-12)
    if torch.equal(a.isnan(), b.isnan()):  # two NaNs are equal
        a, b = a.nan_to_num(0.0, 0.0, 0.0), b.nan_to_num(0.0, 0.0, 0.0)
    return float((a - b).norm()) / size


def close(found: float, right: float, relative: float = 1e-4, absolute: float = 1e-6) -> bool:
    same = math.isnan(found) and math.isnan(right)
    return same or math.isclose(found, right, rel_tol=relative, abs_tol=absolute)


def rounding(subject: Subject, tensors: tuple[Tensor, ...], eps: float) -> tuple[float, float]:
    """How much value and gradient of the formula in float64 move if each input is rounded to this precision."""
    exact = precise(subject, *tensors)
    value_off = slope_off = 0.0
    for seed in range(3):
        generator = torch.Generator().manual_seed(seed)
        moved = [t.double() if t.is_floating_point() else t for t in tensors]
        for at, tensor in enumerate(moved):
            if tensor.is_floating_point() and (at == 0 or not subject.spec.labels):
                signs = torch.rand(tensor.shape, generator=generator, dtype=torch.float64).sub_(0.5).mul_(2)
                moved[at] = tensor * (1 + eps * signs)
        found = tried(pull, subject, *moved)
        if found is not None:
            value_off = max(value_off, float((found.value.double() - exact.value.double()).abs()))
            slope_off = max(slope_off, float((found.gradient.double() - exact.gradient.double()).norm()))
    return value_off, slope_off


def code(
    subject: Subject,
    *tensors: Tensor | str,
    lines: tuple[str, ...] = (FORWARD,),
    options: Options | None = None,
    arguments: Options | None = None,
) -> str:
    """A repro; `{call}`, `{input}` and `{target}` in its lines are the loss of these tensors and their names."""
    names = subject.spec.tensors
    known = {
        "call": subject.call_code(**(arguments or {})),
        "input": names[0],
        "target": names[min(1, len(names) - 1)],
        "last": names[-1],
    }
    given = list(tensors)
    if any("backward" in line for line in lines):
        lines = (f"{names[0]}.requires_grad_()", *lines)
    said = tuple(
        functools.reduce(lambda text, name: text.replace(f"{{{name}}}", known[name]), known, line) for line in lines
    )
    return subject.code(*given, lines=said, options=options, arguments=arguments)


@contextmanager
def warned() -> Iterator[list[warnings.WarningMessage]]:
    """The warnings of a block, including those that were already shown."""
    with warnings.catch_warnings(record=True) as heard:
        warnings.simplefilter("always")
        yield heard


def indexed(subject: Subject, at: str) -> str:
    """The call on these positions of every tensor, as code."""
    call = subject.call_code()
    for each in subject.spec.tensors:
        call = re.sub(rf"\b{each}\b", f"{each}[{at}]", call)
    return call


def labelled(spec: Spec) -> bool:
    return spec.labels and spec.two


def sigmoid(spec: Spec) -> bool:
    """Whether each score is an independent binary decision."""
    return labelled(spec) and spec.kind in ("binary", "multilabel")


def additive(spec: Spec) -> bool:
    """Whether samples lie along the first dimension of every tensor and are independent."""
    apart = spec.kind not in ("sequence", "survival") and spec.layout not in ("partners", "groups")
    return apart and not spec.way.inside


def is_random(subject: Subject) -> bool:
    """Whether the loss draws random numbers, as point sampling does."""
    if subject not in _random:
        tensors = subject.example(batch=4)
        numbers = []
        for seed in range(3):
            draws.seed(seed)
            with torch.set_grad_enabled(subject.spec.way.inside):
                numbers.append(float(subject.value(*tensors)))
        _random[subject] = numbers[0] != numbers[1] and numbers[1] != numbers[2]
    return _random[subject]


def keeps_state(subject: Subject) -> bool:
    """Whether a call changes what the loss stores."""
    criterion = subject.build()
    if not isinstance(criterion, nn.Module):
        return False
    before = _stored(criterion)
    tried(subject.call, criterion, *subject.example())
    return _stored(criterion) != before


def _stored(criterion: nn.Module) -> list[Any]:
    """The numbers and tensors that a loss and its parts store."""
    held = [each for part in criterion.modules() for each in (*vars(part).values(), *part.buffers(recurse=False))]
    return [
        each.tolist() if isinstance(each, Tensor) else each for each in held if isinstance(each, (Tensor, int, float))
    ]


def require_steady(subject: Subject) -> None:
    """End a check whose calls cannot be compared because the loss draws random numbers in each."""
    if is_random(subject):
        raise CannotRebuild(f"{subject.name} draws random numbers, so two calls cannot be compared.")


_random: weakref.WeakKeyDictionary[Subject, bool] = weakref.WeakKeyDictionary()
