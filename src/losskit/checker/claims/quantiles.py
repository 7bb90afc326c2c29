"""Losses of distributions over returns: each predicted quantile is pulled by its own level."""

from __future__ import annotations

import math
from collections.abc import Iterator

import torch
from torch import Tensor

from losskit.checker.claims.claim import Claim, Claimed, Role
from losskit.checker.finding import Found

PREDICTED = Role(
    "predicted",
    r"thetas?|pred\w*|quantiles?|inputs?|z|x|current\w*|online\w*|quantile_(values|preds?)|y_?pred|theta_pred\w*|dist",
)
TARGET = Role("target", r"\w*target\w*|td_?target\w*|next_\w+|t_?theta\w*|y|y_?true|backup|bellman\w*|z_?next|tz")
LEVELS = Role("levels", r"taus?|tau_?hats?|levels|quantile_?(levels|fractions?|midpoints)|fractions|q_?hats?|quants?")


def _given(claimed: Claimed, count: int, target: float) -> Iterator[dict[str, Tensor]]:
    """Calls with all targets at one number, and predictions of 0."""
    levels = (torch.arange(count, dtype=torch.float64) + 0.5) / count
    base = {"predicted": torch.zeros(3, count).double(), "target": torch.full((3, count), target).double()}
    if claimed.has("levels"):
        yield {**base, "levels": levels}
        yield {**base, "levels": levels.expand(3, count).contiguous()}
    else:
        yield base


def _accepted(claimed: Claimed, count: int, target: float) -> dict[str, Tensor] | None:
    return next((each for each in _given(claimed, count, target) if math.isfinite(claimed.total(**each))), None)


_COUNTS = ("N", "n_quantiles", "num_quantiles", "n_quant", "quantiles", "n_quants", "num_quants", "n_tau")


def _counts(claimed: Claimed) -> list[int]:
    known = claimed.option(
        "N", "n_quantiles", "num_quantiles", "n_quant", "quantiles", "n_quants", "num_quants", "n_tau"
    )
    held = getattr(claimed.subject.build(), "buffers", None)
    lengths = [each.numel() for each in held()] if held is not None else []
    return [n for n in (known, *lengths, 8) if isinstance(n, int) and n > 2]


def pulled_by_level(claimed: Claimed) -> Iterator[Found]:
    """The pull on a predicted quantile by targets above it is its level, by targets below it one minus its level."""
    for count in _counts(claimed):
        above, below = (_accepted(claimed, count, at) for at in (9.0, -9.0))
        if above is None or below is None:
            continue
        up, down = (claimed.slope("predicted", **call)[0].abs() for call in (above, below))  # (N)
        if not bool((up + down > 0).all()):
            return
        found = up / (up + down)
        levels = (torch.arange(count, dtype=torch.float64) + 0.5) / count
        if torch.allclose(found.double(), levels, atol=0.51 / count):
            return
        if torch.allclose(found.double(), levels.flip(0), atol=0.51 / count):
            what = "the sides are exchanged: the lowest quantile estimates the highest level"
        elif float(found.max() - found.min()) < 1e-4:
            what = "all predicted quantiles are pulled alike: levels run along the target quantiles"
        else:
            return
        yield claimed.found(
            what,
            {"level of the first": float(found[0]), "expected": float(levels[0])},
            "(tau[None, :, None] - (error < 0).float()).abs() * huber, with error (N, predicted, target)",
            above,
            "predicted",
        )
        return


CLAIMS = (
    Claim(
        "quantile regression of returns",
        r"qr ?-?dqn|\biqn\b|implicit quantile|quantile (huber|regression)|huber quantile|distributional",
        (LEVELS, TARGET, PREDICTED),
        (pulled_by_level,),
    ),
)
