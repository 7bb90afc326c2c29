"""Poisson likelihoods: the best rate is the observed count."""

from __future__ import annotations

import math
from collections.abc import Iterator

import torch

from losskit.checker.claims.claim import Claim, Claimed, Role
from losskit.checker.finding import Found

RATE = Role(
    "rate", r"(log_?)?(rates?|lam(bda)?s?_?|mus?|inputs?|pred\w*|outputs?|intensit\w+|x|y_?hat|y_?pred|logits?)"
)
COUNT = Role("count", r"targets?|counts?|y|y_?true|k|labels?|obs\w*|events?")
_LOGS = r"(?<!\*)(?<!\* )log.?(of the )?(rate|input|lambda|intensit|mean|mu\b|pred)|exp\((x|input|pred|\w*rate|log_\w+)"


def best_rate(claimed: Claimed) -> Iterator[Found]:
    """The slope is 0 at the count, or at its logarithm where the input is one."""
    count = 4.0
    logs = claimed.option("log_input")
    held = getattr(claimed.subject.build(), "log_input", logs)
    named = claimed.bound["rate"].lower().startswith("log") or claimed.text.says(_LOGS)
    for size in ((4,), (4, 1), (2, 3, 4)):
        truth = torch.full(size, count, dtype=torch.float64)
        slopes = {}
        for what, at in (("logarithm", math.log(count)), ("rate", count)):
            given = {"rate": torch.full_like(truth, at), "count": truth}
            moved = [claimed.slope("rate", **{**given, "rate": given["rate"] * by}).sum() for by in (0.7, 1.0, 1.3)]
            slopes[what] = [float(each) for each in moved]
        if not all(math.isfinite(each) for found in slopes.values() for each in found):
            continue
        right = {what: abs(s[1]) < 0.01 * max(map(abs, s)) and s[0] < 0 < s[2] for what, s in slopes.items()}
        if held is True or (named and held is not False):
            wanted = "logarithm"
        elif any(right.values()):
            return
        else:
            wanted = "rate"
        if not right[wanted]:
            at = math.log(count) if wanted == "logarithm" else count
            given = {"rate": torch.full_like(truth, at), "count": truth}
            why = ": the input is read as a rate, exp is missing" if right["rate"] and wanted == "logarithm" else ""
            yield claimed.found(
                f"the slope is not 0 where the {'log-' if wanted == 'logarithm' else ''}rate is that of the count{why}",
                {"slope": slopes[wanted][1], "below": slopes[wanted][0], "above": slopes[wanted][2]},
                "torch.exp(log_rate) - target * log_rate, or rate - target * log(rate)",
                given,
                "rate",
            )
        return


CLAIMS = (
    Claim(
        "Poisson likelihood",
        r"poisson",
        (RATE, COUNT),
        (best_rate,),
        unless=r"zero.?inflat|negative binomial|gamma|weibull|point process|deviance|surviv",
    ),
)
