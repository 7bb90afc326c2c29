"""Selections: the nearest negative is the hardest, and each sample has its own best order of sources."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator

import torch
from torch import Tensor, nn

from losskit.checker.checks.tools import close, code, is_random, tried, value
from losskit.checker.claims.kinds import kind
from losskit.checker.finding import Found
from losskit.checker.subject import Subject

_SIDE = 40.0  # distance between groups that no margin reaches


def _groups(near: float) -> tuple[Tensor, Tensor]:
    """Four groups of two embeddings, far apart but for two embeddings of two groups at this distance."""
    corners = torch.eye(6, dtype=torch.float64)[:4]
    embeddings = _SIDE * corners.repeat_interleave(2, 0)
    embeddings[1::2] += 0.2 * corners.roll(1, 0)
    embeddings[2] = embeddings[0] + near * torch.tensor([0.0, 0.0, 0.0, 0.0, 0.6, 0.8], dtype=torch.float64)
    return embeddings, torch.arange(4).repeat_interleave(2)


@kind(r"hard(est)?\W+(\w+\W+)?negativ|nearest negative|negatives? (that is |which is )?(nearest|closest)|batch.?hard")
def nearest_negative(subject: Subject) -> Iterator[Found]:
    """Whether an embedding at another group's embedding is pushed away from it, if hard negatives are mined."""
    spec = subject.spec
    if spec.layout != "groups" or is_random(subject) or re.search(r"normali[sz]e|cosine|easy|semi", subject.words.all):
        return
    if re.search(r"normali[sz]e|cosine|softmax|logsumexp|cross_entropy", subject.words.code):
        return
    embeddings, groups = _groups(0.01)
    embeddings = embeddings.float().requires_grad_()
    try:
        made = subject.value(embeddings, groups)
        (slope,) = torch.autograd.grad(made, embeddings, allow_unused=True)
    except RuntimeError:
        return
    if slope is None or not slope.isfinite().all():
        return
    gap = (embeddings[2] - embeddings[0]).detach()
    pushed = float(slope[0] @ gap) - float(slope[2] @ gap)  # above 0: a step moves them apart
    if pushed > 1e-9:
        return
    yield Found(
        "two embeddings of different groups at one point are not pushed apart: the negatives with the largest "
        "distance are taken for the hardest",
        {"push at a distance of 0.01": pushed},
        code(subject, embeddings.detach(), groups),
        None,
        "The hardest negative is the nearest: min over negatives, topk(..., largest=False) of distances.",
    )


@kind(r"hard(est)?\W+(\w+\W+)?(\w+\W+)?negativ|hardest|batch.?hard")
def nearest_other(subject: Subject) -> Iterator[Found]:
    """Whether the nearest partner of another sample is the negative, if hard negatives are mined among partners."""
    spec = subject.spec
    if spec.layout != "partners" or is_random(subject) or re.search(r"easy|semi|softmax|logsumexp", subject.words.all):
        return
    costs = []
    for angle in (0.1, 0.4):
        anchors = torch.eye(6, dtype=torch.float64)[:4]
        anchors[1] = torch.tensor([math.cos(angle), math.sin(angle), 0.0, 0.0, 0.0, 0.0])
        costs.append(tried(value, subject, anchors, anchors.clone()))
    if None in costs or not all(math.isfinite(each or 0.0) for each in costs):
        return
    if close(costs[0] or 0.0, costs[1] or 0.0, 1e-6):
        yield Found(
            "the loss is the same however near another sample comes: the hardest negative is not the nearest",
            {"at an angle of 0.1": costs[0], "of 0.4": costs[1]},
            code(subject, anchors, anchors),
            None,
            "The hardest negative has the smallest distance, or the largest similarity: min over distances.",
        )


@kind(r"permutation.?invarian|\bu?pit\b|u?pit_|best (order|permutation|assignment) (is chosen )?(for|of|per)")
def own_permutation(subject: Subject) -> Iterator[Found]:
    """Whether the order of the sources of one sample can be changed alone."""
    spec = subject.spec
    if re.search(r"(whole|entire|same for the|one (order|permutation) for the|across the) batch", subject.words.all):
        return
    tensors = subject.example(batch=3, dtype=torch.float64)
    if len(tensors) != 2 or tensors[0].shape != tensors[1].shape or tensors[0].dim() < 2 or spec.way.wraps:
        return
    if tensors[0].shape[1] not in (2, 3, 4):
        return
    estimate = tensors[1] + 0.05 * tensors[0]  # near the target
    whole, alone = estimate.flip(1), torch.cat([estimate[:1].flip(1), estimate[1:]])
    values = [tried(value, subject, each, tensors[1]) for each in (estimate, whole, alone)]
    if any(each is None or not math.isfinite(each) for each in values) or is_random(subject):
        return
    before, swapped, one = (float(each or 0.0) for each in values)
    size = 1e-4 * max(abs(before), 1e-6)
    if abs(swapped - before) < size < abs(one - before):
        yield Found(
            "sources in another order in one sample alone change the loss: one order is chosen for the whole batch",
            {"value": one, "with the usual order": before},
            code(subject, alone, tensors[1]),
            None,
            "Keep the losses of the samples apart, (batch, orders), and take the minimum over the orders.",
        )


_STUDENT = r"student\w*|s|stu\w*|pred\w*|online\w*"
_TEACHER = r"teacher\w*|t|tea\w*|target\w*|momentum\w*"
_STATE = (
    r"(cent(er|re)|mean|average|ema|queue|statistics?)\b[^.;\n]{0,60}\bteacher|"
    r"teacher[^.;\n]{0,40}\b(cent(er|re)|queue|average)|\bdino\b|dino_?loss"
)


@kind(_STATE)
def state_of_teacher(subject: Subject) -> Iterator[Found]:
    """Whether what is kept between calls follows the teacher's outputs, not the student's."""
    named = subject.parameters[: len(subject.spec.tensors)]
    names = [named[subject.order(place)].lower() for place in range(len(named))]
    students = [n for n, name in enumerate(names) if re.fullmatch(_STUDENT, name)]
    teachers = [n for n, name in enumerate(names) if re.fullmatch(_TEACHER, name)]
    if len(students) != 1 or len(teachers) != 1 or len(names) != 2 or not isinstance(subject.build(), nn.Module):
        return
    first, other = subject.example(0, batch=4), subject.example(1, batch=4)
    moved = []
    for at in (students[0], teachers[0]):
        kept = []
        for source in (first, other):
            given = [source[n] if n == at else first[n] for n in range(2)]
            criterion = subject.build()
            subject.call(criterion, *(each.clone() for each in given))
            kept.append({name: each.clone() for name, each in criterion.named_buffers()})  # type: ignore[attr-defined]
        moved.append([name for name in kept[0] if not torch.equal(kept[0][name], kept[1][name])])
    by_student, by_teacher = moved
    if by_student and not by_teacher:
        yield Found(
            f"{by_student[0]} is updated with {names[students[0]]}, not with the teacher's output",
            {"buffers that follow the student": len(by_student)},
            code(
                subject,
                *first,
                lines=(
                    f"before = criterion.{by_student[0]}.clone()",
                    "{call}",
                    f"print(before, criterion.{by_student[0]})",
                ),
            ),
            None,
            "Update it with the output of the teacher, without a gradient.",
        )
