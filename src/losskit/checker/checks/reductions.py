"""Reductions: mean, sum and none belong to one loss, and the loss of a batch follows from that of its parts."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator

import torch
from torch import Tensor

from losskit.checker.checks.dead import dead_options
from losskit.checker.checks.ignored import ignores, label_of
from losskit.checker.checks.tools import (
    additive,
    attached,
    away,
    close,
    code,
    indexed,
    pull,
    require_steady,
    result,
    tried,
    value,
)
from losskit.checker.finding import Found, Severity
from losskit.checker.registry import check
from losskit.checker.spec import Spec
from losskit.checker.subject import Subject


def reduces(spec: Spec) -> bool:
    return "reduction" in spec.options


@check(
    "reductions-disagree",
    Severity.WRONG,
    why="Weighting or masking the values of reduction='none' by hand gives another loss than the built-in mean.",
    fix="Compute the values once; mean is their mean and sum their sum.",
    applies=reduces,
)
def reductions_disagree(subject: Subject) -> Iterator[Found]:
    """Are mean and sum those of the values that reduction='none' returns?"""
    require_steady(subject)
    tensors = subject.example(batch=3)
    made = {each: _reduced(subject, tensors, each) for each in ("none", "mean", "sum")}
    values = made["none"]
    if values is None:
        return
    if values.dim() == 0 and (made["mean"] is not None or made["sum"] is not None):
        if "reduction" in dead_options(subject.build()):
            shown = code(subject, *tensors, options={"reduction": "sum"})
            yield Found("reduction is stored and never read: it changes nothing", {"sum": float(values)}, shown)
            return
        if not _knows(subject, "none"):
            return
        yield Found(
            "reduction='none' returns a single number",
            {"none": float(values)},
            code(subject, *tensors, options={"reduction": "none"}, lines=("print({call}.shape)",)),
        )
        return
    for each, right in (("sum", values.sum()), ("mean", values.mean())):
        found = made[each]
        if each == "mean" and subject.spec.kind == "sequence":
            continue  # the mean of CTC divides by the lengths of the targets
        if found is not None and found.dim() > 0 and not _knows(subject, each):
            continue
        if found is not None and found.dim() > 0:
            shown = code(subject, *tensors, options={"reduction": each}, lines=("print({call}.shape)",))
            what, shape = f"reduction={each!r} returns more than one number", {"shape": str(tuple(found.shape))}
            named = re.search(rf"['\"]{each}['\"]", subject.words.code) is not None or subject.words.say(rf"\b{each}\b")
            yield Found(what, shape, shown, None if named else Severity.TRAP)  # a name that it does not claim to know
            return
        if found is not None and not close(float(found), float(right), 1e-3):
            yield Found(
                f"reduction={each!r} is not the {each} of the values of reduction='none'",
                {each: float(found), f"{each} of the values": float(right)},
                code(subject, *tensors, options={"reduction": "none"}, lines=(f"print({{call}}.{each}())",)),
            )
            return


def _knows(subject: Subject, reduction: str) -> bool:
    """Whether its code has this reduction, or its documentation lists no others, which `unknown-reduction` reports."""
    code, words = subject.words.code, subject.words
    passed = re.search(r"reduction=(self\.)?reduction", code) is not None  # to a function of PyTorch, which knows all
    named = re.search(rf"[\"']{reduction}[\"']", code) is not None or words.say(rf"\b{reduction}\b")
    listed = words.say(r"[\"'`](mean|none|sum)[\"'`]+,? (or|and|\|) [\"'`]+(mean|none|sum)[\"'`]")
    return not code or passed or named or (reduction == "sum" and not listed)


@check(
    "none-misplaced",
    Severity.WRONG,
    why="Weights and masks multiplied with the values apply to other samples.",
    fix="Return each value at its own sample and position: no sort, selection or flatten in another order.",
    consequence_of=("reductions-disagree",),
    applies=lambda spec: reduces(spec) and additive(spec) and spec.kind != "pairs",
)
def none_misplaced(subject: Subject) -> Iterator[Found]:
    """Does reduction='none' return each value at its own sample and position?"""
    require_steady(subject)
    tensors = subject.example(batch=4)
    if subject.words.say(r"pair"):
        return  # its values are of pairs
    before = _reduced(subject, tensors, "none")
    if before is None or before.dim() == 0 or before.numel() % 4:
        return
    for n in (0, 3):
        input = tensors[0].clone()
        input[n] = input[n].flip(0) + 0.25 if input[n].numel() > 1 else input[n] + 0.25
        after = _reduced(subject, (_within(subject, input), *tensors[1:]), "none")
        if after is None or after.shape != before.shape:
            return
        change = (after.detach() - before.detach()).abs()
        others = _others_moved(change, n)
        if others and (len(change) == 4 or all(_others_moved(each, n) for each in _samples_first(change))):
            options = {"reduction": "none"}
            yield Found(
                f"changing sample {n} changes the value of sample {others[0]} with reduction='none'",
                {"changed sample": n, "values that change": str(others)},
                code(subject, *tensors, options=options),
            )
            return


def _others_moved(change: Tensor, n: int) -> list[int]:
    """The samples, of 4, besides the n-th whose values changed."""
    moved = change.reshape(4, -1).amax(1) > 1e-6
    return [k for k in range(4) if k != n and bool(moved[k])]


def _samples_first(change: Tensor) -> list[Tensor]:
    """Values (C, N, *), classes first, in the order (N, C, *): one for each later dimension of 4."""
    return [change.movedim(at, 0) for at in range(1, change.dim()) if change.shape[at] == 4]


def _within(subject: Subject, input: Tensor) -> Tensor:
    return input.clamp(0.01, 0.99) if subject.spec.scores == "probabilities" else input


def _reduced(subject: Subject, tensors: tuple[Tensor, ...], reduction: str) -> Tensor | None:
    return tried(result, subject, *tensors, options={"reduction": reduction})


@check(
    "unknown-reduction",
    Severity.TRAP,
    why="A typo such as 'avg' silently trains with another scale of the loss.",
    fix="Raise if reduction is not one of the known names.",
    applies=reduces,
)
def unknown_reduction(subject: Subject) -> Iterator[Found]:
    """Is a reduction that does not exist refused?"""
    tensors = subject.example()
    made = _reduced(subject, tensors, "avg")
    if made is not None:
        yield Found(
            f"accepts reduction='avg' and returns shape {tuple(made.shape)}",
            {"first value": float(made.reshape(-1)[0])} if made.numel() else "",
            code(subject, *tensors, options={"reduction": "avg"}),
        )


@check(
    "depends-on-batch",
    Severity.PROPERTY,
    why="Micro-batches and several GPUs train on another loss than the whole batch on one GPU.",
    fix="Add the sums over micro-batches and ranks before applying the formula, or average one value per sample.",
    applies=additive,
)
def depends_on_batch(subject: Subject) -> Iterator[Found]:
    """Is the loss of a batch the mean, or the sum, of the losses of its halves?"""
    require_steady(subject)
    if not attached(subject):
        return
    tensors = _uneven(subject)
    whole = pull(subject, *tensors)
    halves = [pull(subject, *(t[at : at + 2] for t in tensors)) for at in (0, 2)]
    values = torch.stack([each.value for each in halves]).double()
    gradient = torch.cat([each.gradient for each in halves])
    total = abs(float(values.sum()) - float(whole.value)) < abs(float(values.mean()) - float(whole.value))
    joined, slope = (values.sum(), gradient) if total else (values.mean(), gradient / 2)
    off = away(slope, whole.gradient, 1e-9)
    if whole.finite and (not close(float(joined), float(whole.value), 1e-4, 1e-6) or off > 1e-3):
        yield Found(
            f"a batch of 4 is not equivalent to two batches of 2: their gradient is {100 * off:.0f} % off",
            {"whole": float(whole.value), "from halves": float(joined), "gradient off by": off},
            code(subject, *tensors, lines=(_beside_halves(subject, 1 if total else 2),)),
        )


def _beside_halves(subject: Subject, divisor: int) -> str:
    """Code that prints the loss of four samples, and the sum or mean of the losses of their halves."""
    first, second = (indexed(subject, at) for at in (":2", "2:"))
    return f"print({{call}}, ({first} + {second}) / {divisor})"


def _uneven(subject: Subject) -> tuple[Tensor, ...]:
    """Four samples, of which the first two have few positives."""
    tensors = subject.example(batch=4)
    if subject.spec.kind in ("binary", "multilabel") and subject.spec.labels:
        labels = subject.labels(batch=4)
        labels[:2] = labels[:2] * (torch.arange(labels[:2].numel()).reshape(labels[:2].shape) % 3 == 0)
        labels.view(4, -1)[:, 0] = 1
        return subject.input_of(labels, 1.0, None), subject.target_of(labels)
    return tensors


@check(
    "uneven-ignored",
    Severity.PROPERTY,
    why="If micro-batches or ranks ignore different numbers of positions, the mean of means is not the overall mean.",
    fix="Use reduction='sum' and divide once by the total count (losskit.distributed does).",
    consequence_of=("depends-on-batch", "ignored-changes-value"),
    applies=lambda spec: ignores(spec) and additive(spec),
)
def uneven_ignored(subject: Subject) -> Iterator[Found]:
    """Is the loss of a batch the mean of its halves', even if one of them ignores more?"""
    require_steady(subject)
    options, label = label_of(subject.spec)
    input, target = subject.example(batch=4)
    target = target.clone()
    target[0] = label
    parts = [(input[at : at + 2], target[at : at + 2]) for at in (0, 2)]
    whole = pull(subject, input, target, options=options)
    halves = [pull(subject, *part, options=options) for part in parts]
    mean = sum(float(each.value) for each in halves) / 2
    total = sum(float(each.value) for each in halves)
    off = away(torch.cat([each.gradient for each in halves]) / 2, whole.gradient, 1e-9)
    if whole.finite and math.isfinite(mean) and off > 1e-3 and not close(total, float(whole.value), 1e-4):
        yield Found(
            f"if one half ignores more, the average over halves has a gradient {100 * off:.0f} % off",
            {"whole": float(whole.value), "mean of halves": mean, "gradient off by": off},
            code(subject, input, target, options=options, lines=(_beside_halves(subject, 2),)),
        )


@check(
    "sum-does-not-add",
    Severity.PROPERTY,
    why="Adding the sums of micro-batches and ranks, the usual remedy for uneven batches, does not give the whole.",
    fix="Let reduction='sum' add one value per position or sample.",
    consequence_of=("depends-on-batch", "reductions-disagree"),
    applies=lambda spec: reduces(spec) and additive(spec),
)
def sum_does_not_add(subject: Subject) -> Iterator[Found]:
    """Do the sums of two halves add up to the sum of the whole?"""
    require_steady(subject)
    tensors = subject.example(batch=4)
    options = {"reduction": "sum"}
    whole = tried(value, subject, *tensors, options=options)
    if whole is None:
        return
    halves = [value(subject, *(t[at : at + 2] for t in tensors), options=options) for at in (0, 2)]
    if not close(sum(halves), whole, 1e-3):
        yield Found(
            "reduction='sum' of a batch is not the sum of its halves",
            {"whole": whole, "halves": sum(halves)},
            code(subject, *tensors, options=options),
        )
