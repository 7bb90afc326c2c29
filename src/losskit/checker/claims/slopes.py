"""Penalties of the gradient of scores with respect to the tensor they were computed from, which is also passed."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from losskit.checker.claims.claim import Claim, Claimed, Role, drawn
from losskit.checker.claims.memories import repro
from losskit.checker.finding import Found
from losskit.checker.origin import CannotRebuild
from losskit.checker.subject import LossRaised

SCORES = Role(
    "scores", r"scores?|logits?|(disc\w*|critic\w*|d)_?(out\w*|logits?|scores?|inter\w*|preds?)|preds?|output"
)
POINTS = Role(
    "points", r"interp\w*|x_?hat|inputs?|(disc\w*|critic\w*|d)_?in\w*|features?|samples?|x|mixed\w*|real\w*|points?"
)
LABELS = Role("labels", r"\w*labels?|targets?|y|domains?")


def norm_of_samples(claimed: Claimed) -> Iterator[Found]:
    """Scores whose gradient has the norm 1 for each sample have no penalty."""
    for size in ((3, 2, 2, 2), (3, 4)):
        weight = torch.full(size[1:], 1 / math.sqrt(math.prod(size[1:])))
        x = drawn(*size).float().requires_grad_()
        low = claimed.total(scores=(x * weight).flatten(1).sum(1, keepdim=True), points=x)
        high = claimed.total(scores=3 * (x * weight).flatten(1).sum(1, keepdim=True), points=x)
        if not (math.isfinite(low) and math.isfinite(high)) or high <= 0:
            continue
        if abs(low) > 1e-3 * high:
            of, at = claimed.bound["scores"], claimed.bound["points"]
            yield Found(
                f"{claimed.claim.said}: scores whose gradient has the norm 1 for each sample are penalized: the norm is"
                " not over all elements of a sample",
                {"at a norm of 1": low, "at a norm of 3": high},
                repro(
                    claimed,
                    f"{at} = torch.randn{size}.requires_grad_()",
                    f"{of} = ({at} / {math.prod(size[1:])} ** 0.5).flatten(1).sum(1, keepdim=True)",
                    f"print(criterion({of}={of}, {at}={at}))",
                ),
                None,
                "gradients.flatten(1).norm(dim=1)",
            )
        return


def _scored(x: Tensor) -> Tensor:
    return torch.stack([x.sum(1), x.square().sum(1)], 1)


def labels_apart(claimed: Claimed) -> Iterator[Found]:
    """The penalty of a sample is that of the probability of its own label, whatever the other labels are."""
    if not claimed.has("labels"):
        return
    rows = drawn(2, 2, 3, seed=3).float()
    costs = []
    for a, b in ((0, 0), (0, 1), (1, 0), (1, 1)):
        x = torch.stack([rows[0, a], rows[1, b]]).requires_grad_()
        try:
            costs.append(claimed.value(scores=_scored(x), points=x, labels=torch.tensor([a, b])))
        except (LossRaised, CannotRebuild):
            return
    yield from _mixed(claimed, costs)


def _mixed(claimed: Claimed, costs: Sequence[float]) -> Iterator[Found]:
    mixed = costs[0] - costs[1] - costs[2] + costs[3]
    if all(map(math.isfinite, costs)) and abs(mixed) > 1e-3 * max(map(abs, costs)):
        of, at, label = (claimed.bound[role] for role in ("scores", "points", "labels"))
        made = f"{of}=torch.stack([{at}.sum(1), {at}.square().sum(1)], 1), {at}={at}"
        yield Found(
            f"{claimed.claim.said}: the penalty of one sample depends on the labels of the others: its gradient is not"
            " that of its own label alone",
            {"second difference of two samples": mixed},
            repro(
                claimed,
                f"{at} = torch.tensor([[0.5, -1.0, 0.2], [1.5, 0.3, -0.4]], requires_grad=True)",
                "for labels in ([0, 0], [0, 1], [1, 0], [1, 1]):",
                f"    print(criterion({made}, {label}=torch.tensor(labels)))",
            ),
            None,
            "probabilities.gather(1, labels.unsqueeze(1)).sum()",
        )


CLAIMS = (
    Claim(
        "gradient penalty",
        r"gradient ?penalty|wgan ?gp",
        (SCORES, POINTS),
        (norm_of_samples,),
        unless=r"\br1\b|\br2\b|zero|dragan|squared norm|lipschitz of|input gradient|contractive",
    ),
    Claim(
        "gradient penalty of a domain classifier",
        r"gradient ?penalty|grad ?penalty|input gradient",
        (SCORES, LABELS, POINTS),
        (labels_apart,),
    ),
)
