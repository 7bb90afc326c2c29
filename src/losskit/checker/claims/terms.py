"""Terms of classification losses that a fit identifies: noise-robust, bootstrapped, penalised and hinge losses."""

from __future__ import annotations

import re
from collections.abc import Iterator

import torch
from torch import Tensor

from losskit.checker.checks.tools import BACKWARD, code, labelled, pull, tried, value
from losskit.checker.claims.fitting import explained
from losskit.checker.claims.kinds import kind, taken_as
from losskit.checker.finding import Found
from losskit.checker.subject import Subject


def _multiclass(subject: Subject) -> bool:
    spec = subject.spec
    return labelled(spec) and spec.kind == "multiclass" and spec.scores == "logits" and spec.layout != "soft"


def _one_sample(subject: Subject) -> tuple[list[Tensor], Tensor, Tensor]:
    """Random logits of one sample in float64, its target, and log-probabilities (draws, C) of one position."""
    labels = torch.full_like(subject.labels(batch=1), 1)
    inputs = []
    for seed in range(14):
        one = subject.input_of(labels[:, :1] if labels.dim() > 1 else labels, 1.5, None, torch.float64, seed)
        flat = one.reshape(1, subject.spec.classes, -1)[..., :1]
        inputs.append(flat.reshape(1, -1, *(1,) * (labels.dim() - 1)).expand(1, -1, *labels.shape[1:]).contiguous())
    logs = torch.stack([each.reshape(subject.spec.classes, -1)[:, 0].log_softmax(0) for each in inputs])
    return inputs, subject.target_of(labels), logs


@kind(r"generali[sz]ed cross.?entropy|\bgce|gceloss|lq.?loss")
def generalised(subject: Subject) -> Iterator[Found]:
    """(1 - p ** q) / q."""
    option = next((each for each in ("q", "Lq") if each in subject.spec.options), None)
    if not _multiclass(subject) or option is None:
        return
    inputs, target, logs = _one_sample(subject)
    costs = [tried(value, subject, each, target, options={option: 0.6}) for each in inputs]
    sure = logs[:, 1].exp()
    if explained(costs, -(sure**0.6)) is None and explained(costs, (1 - sure) ** 0.6) is not None:
        yield Found(
            "it is (1 - p) ** q, not 1 - p ** q: confident correct predictions have an infinite slope",
            {"value": costs[0], "(1 - p ** q) / q": float((1 - sure[0] ** 0.6) / 0.6)},
            code(subject, inputs[0].float(), target, options={option: 0.6}),
            None,
            "(1 - p ** q) / q",
        )


@kind(r"bootstrap")
def bootstrapped(subject: Subject) -> Iterator[Found]:
    """With beta = 1 the label alone is the target."""
    option = next((each for each in ("beta",) if each in subject.spec.options), None)
    if not _multiclass(subject) or option is None or not 0.5 < float(subject.origin.options.get(option) or 0) <= 1:
        return
    inputs, target, logs = _one_sample(subject)
    fits = []
    for share in (1.0, 0.0):
        costs = [tried(value, subject, each, target, options={option: share}) for each in inputs]
        fits.append(explained(costs, -logs[:, 1]) is not None)
    if fits == [False, True]:
        yield Found(
            f"the labels have the weight 1 - {option} and the model's own predictions have {option}",
            {option: float(subject.origin.options[option])},
            code(subject, inputs[0].float(), target),
            None,
            f"{option} * one_hot + (1 - {option}) * softmax(input)",
        )


@kind(r"confidence.?penal|penal\w* confiden|z.?loss\b|log.?z")
def penalties(subject: Subject) -> Iterator[Found]:
    """A confidence penalty subtracts the entropy; a z-loss adds the square of the log of the normaliser."""
    if not _multiclass(subject):
        return
    inputs, target, logs = _one_sample(subject)
    costs = [tried(value, subject, each, target) for each in inputs]
    entropy = -(logs.exp() * logs).sum(1)
    tensors = inputs[0].float(), target
    found = explained(costs, -logs[:, 1], entropy)
    if found is not None and found[1] > 1e-4 and "confiden" in subject.words.all:
        numbers = {"factor of the entropy": found[1], "of the cross-entropy": found[0]}
        what = "the entropy is added: confident predictions are rewarded, not penalised"
        yield Found(what, numbers, code(subject, *tensors), None, "cross_entropy - beta * entropy")
        return
    normaliser = torch.stack([each.reshape(subject.spec.classes, -1)[:, 0].logsumexp(0) for each in inputs])
    squared, plain = (explained(costs, -logs[:, 1], each) for each in (normaliser**2, normaliser))
    if "z" in subject.name.lower() and squared is None and plain is not None and abs(plain[1]) > 1e-6:
        what = "the log of the normaliser is not squared: it is pushed to minus infinity, not to 0"
        yield Found(what, {"factor": plain[1]}, code(subject, *tensors), None, "z_weight * logsumexp(input, -1) ** 2")


@kind(r"hinge|crammer|multi.?margin|large margin")
def hinge(subject: Subject) -> Iterator[Found]:
    """A correct prediction beyond the margin has no loss."""
    if not _multiclass(subject):
        return
    tensors = subject.example(scale=50.0, correct=True, batch=4)
    cost = value(subject, *tensors)
    inputs = subject.example(scale=50.0, correct=False, batch=4)
    if 0.05 < cost < 5 and value(subject, *inputs) > 20:
        yield Found(
            f"a correct prediction beyond the margin has a loss of {cost:.3g}: the true class is compared with itself",
            {"value": cost},
            code(subject, *tensors),
            None,
            "Leave the true class out of the maximum or the sum.",
        )


@kind(r"multi.?label|multi.?hot")
def several_labels(subject: Subject) -> Iterator[Found]:
    """Several true labels of one sample can be predicted at once."""
    if not subject.spec.two or subject.spec.spatial or subject.spec.scores != "logits":
        return
    if subject.spec.layout not in ("same", "one-hot", "same-integers"):
        return
    if re.search(r"softmax|normali[sz]ed|distribution", subject.words.all):
        return  # the true labels share a distribution on purpose
    taken = taken_as(subject, ("multilabel", "logits", "same"))
    target = torch.tensor([[1.0, 1.0, 0.0], [0.0, 1.0, 1.0]])
    target = torch.cat([target, target.new_zeros(2, max(subject.spec.classes, 3) - 3)], 1)
    right = tried(value, taken, 20 * (2 * target - 1), target)
    wrong = tried(value, taken, -20 * (2 * target - 1), target)
    shifted = tried(value, taken, 20 * (2 * target - 1) + 7, target)
    if right is None or wrong is None or shifted is None:
        return
    if right > 0.01 * wrong > 0 and abs(right - shifted) < 1e-4 * abs(right):
        yield Found(
            "two true labels of one sample cannot both be predicted: a softmax makes the classes compete",
            {"both predicted": right, "none predicted": wrong},
            code(taken, 20 * (2 * target - 1), target),
            None,
            "binary_cross_entropy_with_logits: a sigmoid for each label.",
        )


@kind(r"\bohem|hard(est)? (example|sample|pixel|fraction|token)|hard.?(example.?)?mining|top.?k|hardest")
def hardest(subject: Subject) -> Iterator[Found]:
    """The hardest sample is kept."""
    spec = subject.spec
    if not labelled(spec) or spec.scores != "logits" or spec.layout in ("signs", "soft"):
        return
    if re.search(r"trim|co-?teach|small.?loss|drop|discard|nois|robust|outlier", subject.words.all):
        return  # the hardest samples may be mislabelled
    labels = subject.labels(batch=8)
    input, other = (subject.input_of(labels, 1.5, answer) for answer in (True, False))
    input[0] = other[0]
    target = subject.target_of(labels)
    found = pull(subject, input, target)
    if found.finite and not found.gradient[0].any() and found.gradient[1:].any():
        yield Found(
            "the hardest sample of the batch is left out, easier ones are kept",
            {"gradient of the hardest": 0.0, "of the others": float(found.gradient[1:].abs().max())},
            code(subject, input, target, lines=BACKWARD),
            None,
            "topk(k) of the losses, or those above the threshold.",
        )
