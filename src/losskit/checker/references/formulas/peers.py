"""Learning with wrong labels: networks that choose samples for each other, and targets kept for each sample."""

from __future__ import annotations

import math
from typing import Any

import torch.nn.functional as F
from torch import Tensor

from losskit.checker.references.reference import Given, Option, Pick, real, reference, whole

FIRST = r"(y|x|z|p|logits?|out\w*|preds?|scores?)_?(1|a|f|one)|logits?1|y_pred_?1|pred_1"
SECOND = r"(y|x|z|p|logits?|out\w*|preds?|scores?)_?(2|b|g|two)|logits?2|y_pred_?2|pred_2"
LABELS = r"t|y|labels?|targets?|noisy_labels?|gt"


def peers(seed: int) -> dict[str, Any]:
    """Batches of several sizes, as a mean and a sum differ by them."""
    n = 6 + 3 * (seed // 100 % 4)
    return {"a": 2 * real(seed, n, 3), "b": 2 * real(seed + 1, n, 3), "y": whole(seed, 3, n)}


def forgetting(seed: int) -> dict[str, Any]:
    return {**peers(seed), "rate": 0.35}


def remembering(seed: int) -> dict[str, Any]:
    return {**peers(seed), "kept": 0.65}


PEERS = {
    "a": FIRST,
    "b": SECOND,
    "y": LABELS,
    "rate": r"(forget|drop|noise)_?(rate|ratio)|rate|r|tau",
    "kept": r"(remember|keep)_?(rate|ratio)|r_?t",
}
RATE = Option("share", r"(forget|drop|noise)_?(rate|ratio)|rate|tau", 0.35, (0.2,))


def remembered(g: Given, pick: Pick) -> int:
    share = g.kept if g.has("kept") else 1 - (g.rate if g.has("rate") else g.share)
    n = len(g.y)
    kept: int = pick(int(share * n), math.ceil(share * n), round(share * n))
    return max(kept, 1)


def each_entropy(x: Tensor, y: Tensor) -> Tensor:
    return F.cross_entropy(x, y, reduction="none")


@reference(
    "the loss of co-teaching",
    r"\bco ?teaching",
    PEERS,
    forgetting,
    remembering,
    peers,
    options=[RATE],
    optional=("rate", "kept"),
    trained=("a", "b"),
    unless=r"plus|disagree|stochastic",
)
def co_teaching(g: Given, pick: Pick) -> Any:
    kept = remembered(g, pick)
    errors = [each_entropy(x, g.y) for x in (g.a, g.b)]
    chosen = [each.detach().argsort()[:kept] for each in errors]
    first, second = errors[0][chosen[1]].mean(), errors[1][chosen[0]].mean()
    return pick(first, first + second)


def divergence(a: Tensor, b: Tensor) -> Tensor:
    """Of each sample, from the first to the second."""
    p = a.softmax(1)
    return (p * (a.log_softmax(1) - b.log_softmax(1))).sum(1)


@reference(
    "the loss of co-regularized peers",
    r"\bjocor\b",
    PEERS,
    forgetting,
    remembering,
    peers,
    options=[RATE, Option("mix", r"(co_?)?lam\w*|co_\w+|alpha|weight", 0.4, (0.1, 0.9, 0.5), True)],
    optional=("rate", "kept"),
    trained=("a", "b"),
)
def jocor(g: Given, pick: Pick) -> Any:
    apart = each_entropy(g.a, g.y) + each_entropy(g.b, g.y)
    each = apart * (1 - g.mix) + g.mix * (divergence(g.a, g.b) + divergence(g.b, g.a))
    return each[each.detach().argsort()[: remembered(g, pick)]].mean()


SAMPLES = 8


@reference(
    "the early-learning regularization",
    r"\belr\b|early.?learning reg\w*",
    {
        "i": r"index|indices|indexes|idx|ids?|sample_\w+",
        "x": r"output\w*|logits?|pred\w*|x|input\w*",
        "y": LABELS,
    },
    lambda s: {
        "i": whole(s, SAMPLES, SAMPLES)[:5],
        "x": real(s + 1, 5, 3),
        "y": whole(s + 2, 3, 5),
    },
    options=[
        Option("samples", r"num_(examp\w*|samples?|train\w*|data)|n_?(samples?|examples?|train)|size|dataset_size", 8),
        Option("classes", r"num_class(es)?|n_?class(es)?|classes|c", 3),
        Option("beta", r"beta|momentum|decay|alpha", 0.6, (0.3, 0.7, 0.9)),
    ],
    trained=("x",),
    unless=r"plus",
)
def early_learning(g: Given, pick: Pick) -> Any:
    p = g.x.softmax(1)
    p = p.clamp(1e-4, 1 - 1e-4) if pick(False, True) else p
    kept = (1 - g.beta) * p.detach()  # targets that were 0 before
    inner = (kept * p).sum(1)
    return F.cross_entropy(g.x, g.y), (1 - inner).log().mean()
