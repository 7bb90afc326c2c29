"""Logistic losses of scores: the logarithm of the sigmoid, not the sigmoid itself."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from losskit.checker.claims.claim import Claim, Claimed, Role, drawn
from losskit.checker.claims.fitting import explained
from losskit.checker.claims.ranking import NEG, POS
from losskit.checker.finding import Found

SCORE = Role("score", r"scores?|logits?|x|dots?|inputs?|pred\w*|affinit\w*|outputs?")
SIGN = Role("sign", r"signs?|y|labels?|targets?|pos_?neg")
_LOGARITHM = r"log[- _]?(sigmoid|sigma|σ)|negative.?sampling|skip.?gram|word2vec|\bbpr\b|bayesian personali|logistic"


def logarithm(claimed: Claimed) -> Iterator[Found]:
    """A score far on the wrong side has a large loss; a sigmoid alone levels off."""
    calls: list[dict[str, Tensor]] = []
    for seed in range(8):
        one, other = 2 * drawn(6, seed=seed), 2 * drawn(6, seed=seed + 20)
        if claimed.has("score", "sign"):
            calls.append({"score": one, "sign": torch.where(other > 0, 1.0, -1.0).double()})
        elif claimed.has("pos", "neg"):
            calls.append({"pos": one, "neg": other})
    if not calls:
        return
    margins = [each["score"] * each["sign"] if "score" in each else each["pos"] - each["neg"] for each in calls]
    sigmoids = torch.stack([each.sigmoid().mean() for each in margins])
    costs = [claimed.value(**each) for each in calls]
    found = explained(costs, sigmoids)
    if found is not None and abs(found[0]) > 1e-6:
        rises = found[0] > 0
        yield claimed.found(
            "the logarithm is missing: it is the mean of the sigmoid"
            + (", with the wrong sign" if rises else ", which levels off where a score is wrong"),
            {"value": costs[0], "mean of -log sigmoid": float(-torch.nn.functional.logsigmoid(margins[0]).mean())},
            "-F.logsigmoid(margin).mean()",
            calls[0],
        )


CLAIMS = (
    Claim("logistic loss of signed scores", _LOGARITHM, (SCORE, SIGN), (logarithm,)),
    Claim("logistic loss of pairs", _LOGARITHM, (POS, NEG), (logarithm,)),
)
