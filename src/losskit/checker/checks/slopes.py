"""Slopes: the gradient exists, is the derivative of the value, and leads from wrong predictions to correct ones."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from losskit.checker import draws, roles
from losskit.checker.checks.constants import connected, connected_gradient, needs_gradient
from losskit.checker.checks.directions import beside_correct, directions, towards_correct
from losskit.checker.checks.numbers import loses_float64
from losskit.checker.checks.tools import BACKWARD, attached, code, pull, result, sigmoid, tried, value
from losskit.checker.claims.text import is_score
from losskit.checker.finding import Found, Severity
from losskit.checker.listening import has_own_backward, heard, written_ends
from losskit.checker.registry import check
from losskit.checker.subject import LossRaised, Subject


@check(
    "no-graph",
    Severity.NO_GRADIENT,
    why="backward() raises, or leaves the model unchanged.",
    fix="Use tensors from the input to the result: no .item(), .detach(), .data, numpy or rounding.",
    anyhow=True,
)
def no_graph(subject: Subject) -> Iterator[Found]:
    """Does autograd see that the loss depends on its input?"""
    tensors = subject.example()
    try:
        reached = attached(subject)
    except LossRaised as error:
        if tried(value, subject, *tensors) is None or _writes(subject, tensors):
            raise
        fix = _TWICE if subject.spec.way.inside else ""
        yield Found(f"backward() raises {error}"[:240], "", code(subject, *tensors, lines=BACKWARD), None, fix)
        return
    if reached:
        if any(pull(subject, *each).gradient.any() for each in _many(subject)):
            return
        what = "the gradient is 0, whatever the input"
    else:
        what = "for autograd, the result does not depend on the input"
    way = subject.spec.way
    masks = {
        each.name: replace(each, out=not each.out).usual(tensors, way.labels) for each in way.extras if each.is_mask
    }
    inverted = tried(pull, subject, *tensors, **masks) if masks else None
    if inverted is not None and inverted.gradient.any():
        out = next(each.out for each in way.extras if each.is_mask)
        counts = "marks what does not count" if out else "marks what counts"
        sides = (0, 1) if out else (1, 0)
        what = f"{next(iter(masks))} is inverted: it {counts}, but where it is {sides[0]} nothing gets a gradient"
        fix = "Multiply by 1 - mask (~mask)." if out else "Multiply by the mask, not by 1 - mask."
        yield Found(what, "", code(subject, *tensors, lines=BACKWARD), None, fix)
        return
    ends = written_ends(subject, heard(subject, *tensors), reached)
    seen = f"the graph ends at {', '.join(ends[:3])}" if ends else ""
    yield Found(f"{what}{': ' + seen if seen else ''}", seen, code(subject, *tensors, lines=BACKWARD))


def _writes(subject: Subject, tensors: tuple[Tensor, ...]) -> bool:
    """Whether a call changes its tensors, which explains an error of backward() and is a finding of its own."""
    given = [each.clone() for each in tensors]
    subject.call(subject.build(), *given)
    return not all(map(torch.equal, given, tensors))


def _many(subject: Subject) -> Iterator[tuple[Tensor, ...]]:
    for seed in range(3):
        yield subject.example(seed, scale=0.5)
    yield subject.example(scale=1.0, correct=False)


_CONSTANT = r"bootstrap|stop.?grad|\bdetach|treated as (a )?constant|no gradient|pseudo|straight.?through|self.?train"


@check(
    "slope-disagrees",
    Severity.WRONG,
    why="Each step goes in another direction than downhill on the reported loss.",
    fix="Look for .detach(), .data, no_grad or a custom backward on something that the value depends on.",
    consequence_of=("no-graph", "not-finite"),
)
def slope_disagrees(subject: Subject) -> Iterator[Found]:
    """Is the gradient the slope of the value?"""
    if subject.words.say(_CONSTANT):
        return  # a part is a constant on purpose
    coarse = loses_float64(subject)
    wrong, constant = [], []
    for seed in range(3):
        tensors = subject.example(seed, dtype=torch.float32 if coarse else torch.float64)
        found = pull(subject, *tensors)
        direction = _direction(tensors[0], seed)
        step, tolerance = (1e-2, 0.1) if coarse else (1e-5, 1e-3)
        ahead, here, behind = (value(subject, tensors[0] + s * step * direction, *tensors[1:]) for s in (1, 0, -1))
        sides = (ahead - here) / step, (here - behind) / step
        size = max(float(found.gradient.norm()), *map(abs, sides), 1e-12)
        if not found.finite or abs(sides[0] - sides[1]) > 10 * tolerance * size:
            continue  # a kink
        slope, said = sum(sides) / 2, float((found.gradient * direction).sum())
        if abs(slope - said) > tolerance * size:
            wrong.append((tensors, slope, said))
            through = connected_gradient(subject, *tensors)
            constant.append(through is not None and abs(slope - float((through * direction).sum())) < tolerance * size)
    if len(wrong) > 1 and attached(subject):
        yield _disagrees(subject, *wrong[0], all(constant))


def _disagrees(subject: Subject, tensors: tuple[Tensor, ...], slope: float, said: float, constant: bool) -> Found:
    """The finding, where `constant` says that the gradient is the slope once nothing is detached."""
    fix = _TWICE if subject.spec.way.inside else ""
    what, severity = "the gradient is not the slope of the value", None
    needed = needs_gradient(subject) if constant else ""
    if needed:
        what = f"{what}: {needed} is held constant"
    elif constant:
        what = f"a part is held constant by detach() or no_grad(): {what}, by design of the code"
        severity, fix = Severity.PROPERTY, _ON_PURPOSE
    line = "torch.autograd.gradcheck(lambda x: " + _of_x(subject) + ", {input}.double())"
    repro = code(subject, *tensors, lines=("{input}.requires_grad_()", line))
    return Found(what, {"slope of the value": slope, "by the gradient": said}, repro, severity, fix)


_ON_PURPOSE = "Nothing, if this part is a weight or a target; document it. Otherwise remove detach() or no_grad()."
_TWICE = (
    "torch.autograd.grad(..., create_graph=True): without it the derivative of the model is a constant for backward."
)


def _direction(like: Tensor, seed: int) -> Tensor:
    drawn: Tensor = torch.randn(like.shape, generator=torch.Generator().manual_seed(seed), dtype=like.dtype)
    length: Tensor = torch.linalg.vector_norm(drawn)
    return drawn / length


def _of_x(subject: Subject) -> str:
    return subject.call_code().replace(subject.spec.tensors[0], "x", 1)


@check(
    "second-derivative",
    Severity.WRONG,
    why="Gradient penalties, meta-learning and second-order optimizers get a wrong number without a message.",
    fix="Write the backward of a custom Function with differentiable operations, or mark it once_differentiable.",
    consequence_of=("no-graph", "slope-disagrees", "not-finite", "backward-twice"),
)
def second_derivative(subject: Subject) -> Iterator[Found]:
    """Is the second derivative the slope of the gradient?"""
    if loses_float64(subject):
        return
    wrong = []
    for seed in range(3):
        tensors = subject.example(seed, dtype=torch.float64)
        direction, step = _direction(tensors[0], seed), 1e-5
        try:
            said = _second(subject, tensors, direction)
        except LossRaised as error:
            repro = code(subject, *tensors, lines=_twice(subject))
            yield Found(f"there is no second derivative: {error}"[:200], "", repro, Severity.CONVENIENCE)
            return
        ahead, here, behind = (
            pull(subject, tensors[0] + s * step * direction, *tensors[1:]).gradient for s in (1, 0, -1)
        )
        farther = pull(subject, tensors[0] + 4 * step * direction, *tensors[1:]).gradient
        sides = (ahead - here) / step, (here - behind) / step
        size = max(float(said.norm()), float(sides[0].norm()), float(here.norm()), 1e-12)
        slope = (sides[0] + sides[1]) / 2
        kinks = sides[0] - sides[1], sides[0] - (farther - here) / (4 * step)
        kink = max(float(each.norm()) for each in kinks) > 1e-2 * size
        if not kink and float((slope - said).norm()) > 1e-2 * size:
            wrong.append((tensors, float(slope.norm()), float(said.norm())))
    if len(wrong) > 1:
        tensors, rate, length = wrong[0]
        what, severity = "the second derivative is not the slope of the gradient", None
        if has_own_backward(subject, *tensors):
            what, severity = f"{what}: the custom backward computes with constants", Severity.TRAP
        elif _is_constant_twice(subject, tensors):
            what, severity = f"{what}: a part is held constant by detach() or no_grad()", Severity.PROPERTY
        yield Found(
            what,
            {"slope of the gradient": rate, "second derivative": length},
            code(subject, *tensors, lines=_twice(subject)),
            severity,
        )


def _is_constant_twice(subject: Subject, tensors: tuple[Tensor, ...]) -> bool:
    """Whether the second derivative is the slope of the gradient once nothing is detached."""
    x, step = tensors[0], 1e-5
    direction = _direction(x, 0)
    sides = [connected_gradient(subject, x + s * step * direction, *tensors[1:]) for s in (1, -1)]
    said = tried(_second, subject, tensors, direction, connected)
    if sides[0] is None or sides[1] is None or said is None:
        return False
    slope = (sides[0] - sides[1]) / (2 * step)
    return float((slope - said).norm()) < 1e-2 * max(float(said.norm()), float(slope.norm()), 1e-12)


Run = Callable[..., tuple[Tensor, Tensor]]


def _run(subject: Subject, *tensors: Tensor) -> tuple[Tensor, Tensor]:
    """The input and the loss."""
    x = tensors[0].clone().requires_grad_()
    return x, result(subject, x, *tensors[1:]).mean()


def _second(subject: Subject, tensors: tuple[Tensor, ...], direction: Tensor, run: Run = _run) -> Tensor:
    """The second derivative along a direction."""
    x, loss = run(subject, *tensors)
    try:
        (first,) = torch.autograd.grad(loss, x, create_graph=True)
        if not first.requires_grad:
            return torch.zeros_like(x)
        found = torch.autograd.grad((first * direction).sum(), x, allow_unused=True)[0]
    except RuntimeError as error:
        raise LossRaised(error) from error
    return torch.zeros_like(x) if found is None else found


def _twice(subject: Subject) -> tuple[str, ...]:
    call = _of_x(subject)
    return "{input}.requires_grad_()", f"torch.autograd.gradgradcheck(lambda x: {call}, {{input}})"


_RANKED = r"list_?net|list_?mle|lambda_?(rank|loss)|n_?dcg\w*[ _]?loss|approx_?n?dcg|list_?wise"
_IN_UNIT = r"(between|range|in|from|to be)\W+0(\.0?)?\W+(and |to )?\W*1(\.0?)?\b"  # the documented range of the numbers
_ERODES = r"erosion|eroded|morpholog"  # such a loss removes isolated errors on purpose
_ROBUST = r"nois(y|e)|robust|generali[sz]ed cross|\bgce|bi-?tempered|symmetric cross|mislabel|peer loss|truncated"


_NOT_BELOW_ZERO = r"magnitude|power|spectr|\bmel|non-?negative|positive|intensit|counts|distances"


@check(
    "wrong-answers-unlearnt",
    Severity.NO_GRADIENT,
    why="The model never learns what it is most wrong about.",
    fix="Compute from logits in log space; do not clamp scores or probabilities before the loss.",
    consequence_of=("no-graph",),
    applies=lambda spec: spec.two and (spec.labels or spec.kind in ("regression", "distribution")),
)
def wrong_answers_unlearnt(subject: Subject) -> Iterator[Found]:
    """Does a single wrong prediction among correct ones get a gradient?"""
    spec = subject.spec
    if spec.labels and re.search(_ROBUST, subject.words.all):
        return  # it saturates on purpose where a label contradicts a confident prediction
    if spec.labels and re.search(_ERODES, f"{subject.words.all} {subject.words.code}"):
        return
    if spec.kind == "regression" and re.search(f"{_RANKED}|{_IN_UNIT}", f"{subject.words.all} {subject.words.code}"):
        return  # it follows the order of a list, not its numbers, or clamps images to [0, 1]
    if spec.kind == "regression" and subject.words.say(_NOT_BELOW_ZERO):
        return  # it clamps what cannot be negative
    # A loss of real numbers may ignore outliers on purpose, so only near ones are tested.
    for scale in (3.0, 6.0, 12.0) if spec.kind != "regression" else (0.3,):
        input, target = subject.example(scale=scale, correct=True)
        off, _ = subject.example(scale=scale, correct=False)
        if subject.spec.kind == "distribution":
            off = input.roll(1, 1)
        at: Any = (0, slice(None), *(0,) * (input.dim() - 2)) if input.dim() > 1 else 0
        one = input.clone()
        one[at] = off[at]
        found = pull(subject, one, target)
        least = 1e-5 * _usual(subject, at) if scale < 12 and spec.labels and spec.scores != "probabilities" else 0.0
        if (
            found.finite
            and float(found.gradient[at].abs().max()) <= least
            and not _counts_above_zero(subject, one, target, at)
        ):
            how = "hardly a" if found.gradient[at].any() else "no"
            size = "" if subject.spec.scores == "probabilities" else f" of size {scale:g}"
            yield Found(
                f"a wrong prediction{size} among correct ones gets {how} gradient",
                {"gradient there": float(found.gradient[at].abs().max()), "value": float(found.value)},
                code(subject, one, target, lines=BACKWARD),
                # a clamp at 1e-4 or so
                Severity.TRAP if scale == 12 and (sigmoid(spec) or spec.scores == "probabilities") else None,
            )
            return


def _counts_above_zero(subject: Subject, input: Tensor, target: Tensor, at: Any) -> bool:
    """Whether numbers get a gradient where the target is above 0, as where 0 marks what was not measured."""
    if subject.spec.kind != "regression":
        return False
    found = tried(pull, subject, (input - target) + target.abs() + 0.5, target.abs() + 0.5)
    return found is not None and bool(found.gradient[at].any())


def _usual(subject: Subject, at: Any) -> float:
    """The gradient of a wrong prediction with low confidence."""
    return float(pull(subject, *subject.example(scale=0.5, correct=False)).gradient[at].abs().max())


@check(
    "rewards-errors",
    Severity.WRONG,
    why="Minimising this loss makes the model worse.",
    fix="Look for a missing minus or `1 -`, and for an inverted target.",
    consequence_of=("slope-disagrees",),
    applies=lambda spec: spec.meant or spec.layout != "alone" or len(spec.tensors) == 1,
)
def rewards_errors(subject: Subject) -> Iterator[Found]:
    """Is the loss lower for correct predictions than for wrong ones, and does each step lead to correct ones?"""
    if roles.of_generator(subject.origin.name) and any("fake" in each.lower() for each in subject.parameters):
        return  # it raises the scores of fake samples
    score = is_score(subject.origin.name)
    for scale in (1.0, 3.0) if subject.spec.meant else ():
        right, wrong = (subject.example(scale=scale, correct=answer, batch=4) for answer in (True, False))
        costs = value(subject, *right), value(subject, *wrong)
        if costs[0] > costs[1]:
            what = "it is a score, not a loss" if score else "the loss of a correct prediction"
            yield Found(
                f"{what}{': that of a correct prediction' if score else ''} is higher than that of a wrong one",
                {"correct": costs[0], "wrong": costs[1]},
                code(subject, *wrong, lines=("print({call})  # of wrong predictions: lower than of correct ones",)),
                Severity.TRAP if score else None,
                "As a loss, use 1 minus the score." if score else "",
            )
            return
    found = (beside_correct(subject) or towards_correct(subject)) if subject.spec.meant else None
    if found is None:
        yield from directions(subject)
    else:
        tensors, slope = found
        yield Found(
            "the loss rises from wrong predictions towards the correct one",
            {"slope towards the correct prediction": abs(slope)},
            code(subject, *tensors, lines=BACKWARD),
        )


@check(
    "forward-mode",
    Severity.WRONG,
    why="Jacobian-vector products of the whole model become 0 without a message.",
    fix="Give the custom operator or Function a jvp, or let it raise.",
    consequence_of=("no-graph",),
)
def forward_mode(subject: Subject) -> Iterator[Found]:
    """Is forward-mode differentiation correct, or refused?"""
    tensors = subject.example()
    direction = _direction(tensors[0], 0)

    def jvp() -> float | None:
        criterion = subject.build()
        draws.seed()
        try:
            made = torch.func.jvp(
                lambda x: subject.call(criterion, x, *tensors[1:]).mean(), (tensors[0],), (direction,)
            )
        except (RuntimeError, NotImplementedError):
            return None
        return float(made[1].detach())

    found, right = tried(jvp), float((pull(subject, *tensors).gradient * direction).sum())
    if found is not None and abs(found - right) > 1e-3 * max(abs(right), 1e-2):
        lines = ("print(torch.func.jvp(lambda x: " + _of_x(subject) + ", ({input},), (torch.ones_like({input}),)))",)
        what, severity = "forward-mode differentiation gives another slope than backward", None
        through = connected_gradient(subject, *tensors)
        if through is not None and abs(found - float((through * direction).sum())) <= 1e-3 * max(abs(found), 1e-2):
            what, severity = f"{what}: it leads through detach() and no_grad()", Severity.PROPERTY
        yield Found(what, {"forward": found, "backward": right}, code(subject, *tensors, lines=lines), severity)


@check(
    "backward-twice",
    Severity.WRONG,
    why="Losses that share a graph, and retain_graph=True, get a wrong gradient.",
    fix="A custom backward must not change what it saved.",
    consequence_of=("no-graph", "not-finite"),
)
def backward_twice(subject: Subject) -> Iterator[Found]:
    """Does backward give the same gradient the second time?"""
    tensors = subject.example()
    x = tensors[0].clone().requires_grad_()
    loss = result(subject, x, *tensors[1:]).mean()
    if not loss.requires_grad:
        return
    lines = (
        "{input}.requires_grad_()",
        "loss = {call}.mean()",
        "print(*(torch.autograd.grad(loss, {input}, retain_graph=True)[0] for _ in range(2)))",
    )
    try:
        first, second = (torch.autograd.grad(loss, x, retain_graph=True, allow_unused=True)[0] for _ in range(2))
    except RuntimeError as error:  # a saved tensor was changed meanwhile
        raise LossRaised(error) from error
    if first is not None and not torch.allclose(first, second, equal_nan=True):
        yield Found(
            "the second backward through the same graph gives another gradient",
            {"first": float(first.norm()), "second": float(second.norm())},
            code(subject, *tensors, lines=lines),
        )
