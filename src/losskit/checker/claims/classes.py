"""Cross-entropies with a further term, or of two labels."""

from __future__ import annotations

import re
from collections.abc import Iterator

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from losskit.checker.checks.tools import code, labelled, tried, value
from losskit.checker.claims.fitting import explained
from losskit.checker.claims.kinds import kind
from losskit.checker.finding import Found
from losskit.checker.subject import Subject


def _drawn(subject: Subject, label: int = 1) -> tuple[list[Tensor], Tensor, Tensor]:
    """Random scores of one sample, its target, and the probability of its label for each."""
    labels = torch.full_like(subject.labels(batch=1), label)
    drawn = []
    for seed in range(12):
        scale = 0.4 * (seed + 1)
        drawn.append(subject.input_of(labels, scale, seed % 2 == 0, torch.float64))
    if subject.spec.kind == "multiclass":
        sure = torch.stack(
            [each.softmax(1).gather(1, labels.reshape(1, 1, *labels.shape[1:])).mean() for each in drawn]
        )
    else:
        sure = torch.stack([(each if label else -each).sigmoid().mean() for each in drawn])
    return drawn, subject.target_of(labels), sure


@kind(r"poly(loss|_?1|.?cross|_ce|_bce)|polyloss|leng et al")
def poly(subject: Subject) -> Iterator[Found]:
    """Cross-entropy plus epsilon * (1 - pt)."""
    spec = subject.spec
    option = next((each for each in ("epsilon", "eps", "epsilon1", "poly_epsilon") if each in spec.options), None)
    if not labelled(spec) or spec.scores != "logits" or spec.layout in ("signs", "soft") or option is None:
        return
    inputs, target, sure = _drawn(subject)
    costs = [tried(value, subject, each, target, options={option: 2.0}) for each in inputs]
    found = explained(costs, -sure.log(), 1 - sure)
    if found is not None and found[0] > 0 and found[1] < -1e-3:
        yield Found(
            "the further term grows with pt, the probability of the label: it is epsilon * pt, not epsilon * (1 - pt)",
            {"factor of 1 - pt": found[1] / found[0], "with epsilon": 2.0},
            code(subject, inputs[0].float(), target, options={option: 2.0}),
            None,
            "cross_entropy + epsilon * (1 - pt)",
        )


@kind(r"mix_?up|cut_?mix|lam\b")
def mixed(subject: Subject) -> Iterator[Found]:
    """lam weighs the first label, 1 - lam the second."""
    option = next((each for each in ("lam", "lambda_", "lmbda") if each in subject.spec.options), None)
    if len(subject.spec.tensors) != 3 or option is None or re.search(r"teacher|distil", subject.words.all):
        return
    logits = 4.0 * torch.eye(3)
    first, second = torch.arange(3), torch.arange(3).roll(1)
    costs = [tried(value, subject, each, first, second, options={option: 0.9}) for each in (logits, logits[second])]
    if costs[0] is None or costs[1] is None or not costs[0] > costs[1]:
        return
    if re.search(rf"1 ?- ?{option}\)? ?\* ?\w*\(?[^)+]*(_a\b|first|1\b)", subject.words.text.lower()):
        return
    right = 0.9 * float(cross_entropy(logits, first)) + 0.1 * float(cross_entropy(logits, second))
    yield Found(
        f"{option} weighs the second labels and 1 - {option} the first",
        {"with 0.9, first labels predicted": costs[0], "it should be": right, "second labels predicted": costs[1]},
        code(subject, logits, first, second, options={option: 0.9}),
        None,
        f"{option} * loss(pred, y_a) + (1 - {option}) * loss(pred, y_b)",
    )


_FORWARD = r"kl ?\( ?(target|truth|y|true|label)\w* ?(\|\||,) ?\w*(pred|input|output|model)"


@kind(r"kl ?\(|kl.?div|kullback")
def divergence(subject: Subject) -> Iterator[Found]:
    """KL(target || prediction), if that is documented, is the sum of t * (log t - log p)."""
    spec = subject.spec
    said = re.search(_FORWARD, subject.words.all)
    if said is None or spec.layout not in ("one-hot", "soft", "teacher") or spec.spatial:
        return
    costs, forward, reverse = [], [], []
    tensors = []
    for seed in range(8):
        drawn = torch.randn(2, 4, 3, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
        logits, target = drawn[0], drawn[1].softmax(1)
        tensors.append((logits, target))
        costs.append(tried(value, subject, logits, target))
        p, t = logits.log_softmax(1), target.log()
        forward.append((t.exp() * (t - p)).sum())
        reverse.append((p.exp() * (p - t)).sum())
    if explained(costs, torch.stack(forward)) is None and explained(costs, torch.stack(reverse)) is not None:
        yield Found(
            "it is KL(prediction || target), the reverse of the documented KL(target || prediction)",
            {"value": costs[0], "documented": float(forward[0]) / 4},
            code(subject, *(each.float() for each in tensors[0])),
            None,
            "(target * (target.log() - log_softmax(input, 1))).sum(1).mean()",
        )
