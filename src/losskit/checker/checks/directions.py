"""Directions: which way a loss pushes what its names call positive or negative, a scale, a quantile, a box."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator

import torch
from torch import Tensor

from losskit.checker import roles
from losskit.checker.checks.tools import BACKWARD, code, labelled, pull, tried, value
from losskit.checker.draws import one_hot_of
from losskit.checker.finding import Found
from losskit.checker.subject import Subject


def directions(subject: Subject) -> Iterator[Found]:
    """What a loss pushes the wrong way, by its names."""
    for part in (_sides, _likelihood, _posterior, _quantile, _boxes, _ranks, _scrambled):
        yield from part(subject)


_SCORES = r"score|logit|reward|logp|log_p|real|fake|^d_|pos$|neg$|chosen|rejected"


def _sides(subject: Subject) -> Iterator[Found]:
    """Whether raising a score that should be high raises the loss."""
    names, spec = subject.parameters, subject.spec
    if spec.way.inside or (spec.layout not in ("above", "alone") and not spec.layout.startswith("several")):
        return
    for at, name in enumerate(names[: len(spec.tensors)]):
        side = roles.side_of(name) if re.search(_SCORES, name.lower()) else 0
        if spec.layout == "alone":  # a generator wants its fakes to look real
            side = -side if re.search(r"gen|g_loss|_g$", subject.name.lower()) else 0
        place = subject.place(at)
        slopes = [_slope(subject, seed, place) for seed in range(4)] if side else []
        if slopes and all(side * each > 1e-9 for each in slopes):
            way = "raising" if side > 0 else "lowering"
            yield Found(
                f"{way} {name} raises the loss, and its name says the opposite",
                {f"gradient of {name}": slopes[0]},
                code(subject, *subject.example(), lines=BACKWARD),
            )
            return


def _slope(subject: Subject, seed: int, place: int) -> float:
    tensors = subject.example(seed)
    if tensors[place].dim() > 2 or not tensors[place].is_floating_point():
        return 0.0
    return float(pull(subject, *tensors, of=place).gradient.sum())


_GAUSSIAN = r"gauss|normal distribution|\bn\(|aleatoric|heteroscedastic|heteroskedastic"


_NO_LIKELIHOOD = r"crps|ranked probability"  # scores of a distribution whose best spread is another one


def _likelihood(subject: Subject) -> Iterator[Found]:
    """Whether the best variance of a Gaussian, or the best scale of a Laplace distribution, is that of the errors."""
    spec, words = subject.spec, subject.words
    laplace = re.search("laplac", words.all) is not None
    if re.search(_NO_LIKELIHOOD, words.all) or (not laplace and not re.search(_GAUSSIAN, words.all)):
        return
    if "variance" not in spec.layout or spec.layout == "log-variance":
        return
    at = 1 if spec.layout.endswith("between") else 2
    name = subject.parameters[subject.order(at)].lower()
    maps = re.search(rf"(softplus|elu|exp|sigmoid)\({re.escape(name)}\b", words.code) and "log" not in name
    if maps or re.search(r"raw|unconstrained|^pre_|logit", name):  # which the loss maps to a spread itself
        return
    error = 1.5
    best = error if laplace or _is_scale(name) else error**2
    input, *others = subject.example(correct=True)
    given = [input + error, *others]
    slopes = []
    for factor in (1.0, 0.5, 2.0):
        number = math.log(best * factor) if "log" in spec.layout else best * factor
        given[at] = torch.full_like(given[at], number)
        slopes.append(float(pull(subject, *given, of=at).gradient.sum()))
    size = max(abs(slopes[1]), abs(slopes[2]))
    if size > 0 and abs(slopes[0]) > 0.1 * size:
        kind = "Laplace" if laplace else "Gaussian"
        given[at] = torch.full_like(given[at], math.log(best) if "log" in spec.layout else best)
        yield Found(
            f"for errors of {error:g} a {kind} likelihood is best with {name} for {best:g}, but not this loss",
            {f"gradient at {best:g}": slopes[0], f"at {best / 2:g}": slopes[1], f"at {2 * best:g}": slopes[2]},
            code(subject, *given),
            None,
            "Gaussian: 0.5 * (error ** 2 / var + log(var)); Laplace: abs(error) / b + log(b). Check signs and factors.",
        )


def _is_scale(name: str) -> bool:
    return re.search(r"sigma(?!_?(2|sq))|std|scale", name) is not None and "var" not in name


def _posterior(subject: Subject) -> Iterator[Found]:
    """Whether a posterior equal to the prior has the lowest divergence."""
    layout = subject.spec.layout
    if layout not in ("elbo", "log-variance"):
        return
    tensors = list(subject.example(correct=True))
    least = value(subject, *tensors)
    log = "log" in subject.parameters[len(tensors) - 1].lower()
    for at, what in ((len(tensors) - 2, "mean"), *([(len(tensors) - 1, "log-variance")] if log else [])):
        for shift in (1.0, -1.0):
            moved = [*tensors[:at], tensors[at] + shift, *tensors[at + 1 :]]
            less = value(subject, *moved)
            if less < least - 1e-4 * (1 + abs(least)):
                yield Found(
                    f"a posterior {what} of {shift:g} has a lower loss than the prior's 0: the divergence is wrong",
                    {f"{what} {shift:g}": less, f"{what} 0": least},
                    code(subject, *moved),
                    None,
                    "KL = -0.5 * (1 + logvar - mu ** 2 - exp(logvar))",
                )
                return


_LEVELS = ("q", "tau", "quantile", "alpha", "level")


def _quantile(subject: Subject) -> Iterator[Found]:
    """Whether a high quantile makes a prediction that is too low the more expensive one."""
    if not re.search(r"quantile|pinball", subject.words.all) or subject.spec.kind != "regression":
        return
    option = next((each for each in _LEVELS if each in subject.spec.options), None)
    if option is None or subject.spec.layout not in ("same", "bare"):
        return
    target = subject.example(correct=True)[1]
    for level in (0.9, 0.1):
        costs = [tried(value, subject, target + side, target, options={option: level}) for side in (-1.0, 1.0)]
        if costs[0] is None or costs[1] is None or (costs[0] > costs[1]) == (level > 0.5):
            return
    yield Found(
        f"with {option}=0.1 a prediction below the target has the higher loss: it learns the quantile of 1 - {option}",
        {"prediction too low": costs[0], "too high": costs[1]},
        code(subject, target - 1, target, options={option: 0.1}),
        None,
        "error = target - pred; max(q * error, (q - 1) * error)",
    )


def _boxes(subject: Subject) -> Iterator[Found]:
    """Whether boxes apart have a lower loss than boxes that hardly overlap."""
    if subject.spec.layout != "boxes" or "iou" not in subject.words.all:
        return
    target = torch.tensor([[0.0, 0.0, 1.0, 1.0]])
    touching, apart = (target + shift for shift in (0.95, 2.5))
    costs = [tried(value, subject, each, target) for each in (touching, apart)]
    if costs[0] is not None and costs[1] is not None and costs[1] < costs[0] - 1e-3:
        yield Found(
            "boxes that do not overlap at all have a lower loss than boxes that touch",
            {"apart": costs[1], "touching": costs[0]},
            code(subject, apart, target),
            None,
            "Clamp width and height of the intersection at 0 before multiplying them.",
        )


def _ranks(subject: Subject) -> Iterator[Found]:
    """Whether each threshold is pushed to the side of the rank."""
    if subject.spec.layout != "ranks":
        return
    scores, ranks = subject.example(batch=2 * (subject.spec.classes + 1))
    scores = torch.full_like(scores, 0.5)  # between 0 and 1, should they be compared with levels
    slope = pull(subject, scores, ranks).gradient
    places = torch.arange(scores.shape[1])
    found = _pushed_against(slope, ranks, ranks.unsqueeze(1) > places)
    if found is None:
        return
    if not roles.of_thresholds(subject.words) and _pushed_against(slope, ranks, ranks.unsqueeze(1) >= places) is None:
        return  # K scores, of which those up to the class are raised
    k, rank = found
    side = "lowered" if rank > k else "raised"
    yield Found(
        f"threshold {k} is {side} for rank {rank}, though rank > threshold is {rank > k}",
        {"gradient there": float(slope[ranks == rank, k][0])},
        code(subject, scores, ranks, lines=BACKWARD),
        None,
        "levels = labels[:, None] > torch.arange(K - 1)",
    )


def _pushed_against(slope: Tensor, ranks: Tensor, raised: Tensor) -> tuple[int, int] | None:
    """The first score and rank of which every sample is pushed to the other side than that of `raised`."""
    wrong = ((slope < 0) != raised) & (slope != 0)
    pairs = ((k, rank) for k in range(slope.shape[1]) for rank in range(slope.shape[1] + 1))
    return next(((k, rank) for k, rank in pairs if bool(wrong[ranks == rank, k].all())), None)


def _scrambled(subject: Subject) -> Iterator[Found]:
    """Whether correct predictions at all positions have a loss no lower than random ones."""
    spec = subject.spec
    if not (spec.labels and spec.two and len(spec.spatial) == 2 and spec.kind == "multiclass" and spec.indices):
        return
    gaps: list[tuple[float, float, tuple[Tensor, ...]]] = []
    for seed in range(4):
        right, random = (subject.example(seed, correct=answer, scale=3.0) for answer in (True, None))
        gaps.append((value(subject, *right), value(subject, *random), right))
    if all(a > 0.9 * b for a, b, _ in gaps):
        yield Found(
            "correct predictions have no lower loss than random ones: positions are compared with other labels",
            {"correct": gaps[0][0], "random": gaps[0][1]},
            code(subject, *gaps[0][2]),
            None,
            "Move the classes last before flattening: logits.permute(0, 2, 3, 1).reshape(-1, C).",
        )


def beside_correct(subject: Subject) -> tuple[tuple[Tensor, ...], float] | None:
    """Numbers near the target whose loss is lower than that of the target itself."""
    if subject.spec.kind != "regression" or subject.spec.layout == "heatmap":
        return None  # the logit of a heatmap has no best number
    tensors = subject.example(correct=True)
    right = value(subject, *tensors)
    for shift in (0.5, -0.5):
        beside = tensors[0] + shift, *tensors[1:]
        less = value(subject, *beside) - right
        if less < -1e-6 * max(1.0, abs(right)):
            return beside, less / abs(shift)
    return _below_zero(subject, tensors, right)


def _below_zero(subject: Subject, right: tuple[Tensor, ...], best: float) -> tuple[tuple[Tensor, ...], float] | None:
    """A prediction with a negative loss, where that of the target itself is 0."""
    usual = abs(value(subject, *subject.example(correct=False)))
    if subject.spec.layout not in ("same", "bare", "images") or abs(best) > 1e-5 * usual:
        return None
    for other in (0 * right[0], 0.5 * right[0], 2 * right[0]):
        less = tried(value, subject, other, *right[1:])
        if less is not None and less < -0.01 * usual:
            return (other, *right[1:]), less
    return None


def towards_correct(subject: Subject) -> tuple[tuple[Tensor, ...], float] | None:
    """Wrong predictions at which the loss rises towards the correct ones."""
    spec = subject.spec
    if spec.kind == "regression" and spec.layout in ("same", "bare"):
        return _jump(subject)
    if not (labelled(spec) and spec.scores == "logits"):
        return None
    labels = subject.labels()
    input, target = subject.input_of(labels, 2.0, correct=False), subject.target_of(labels)
    towards = (2 * one_hot_of(spec.kind, labels, spec.classes) - 1).reshape(input.shape)
    slope = float((pull(subject, input, target).gradient * towards).sum())
    return ((input, target), slope) if slope > 1e-9 else None


def _jump(subject: Subject) -> tuple[tuple[Tensor, ...], float] | None:
    """Numbers near the target from which each step leads away: the loss jumps at the correct prediction."""
    right, *others = subject.example(correct=True)
    least, usual = value(subject, right, *others), value(subject, *subject.example(correct=False))
    for shift in (0.01, -0.01):
        beside = right + shift, *others
        found = pull(subject, *beside)
        slope = float(-found.gradient.sum() * (1 if shift > 0 else -1))
        if found.finite and slope > 0 and float(found.value) - least > 0.1 * abs(usual - least) > 0:
            return beside, slope
    return None
