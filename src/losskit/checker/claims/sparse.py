"""Sparse tensors: depth that is missing where it is 0, and tokens that each side of a preference leaves out."""

from __future__ import annotations

import math
from collections.abc import Iterator

import torch
from torch import Tensor

from losskit.checker.claims.claim import Claim, Claimed, Role, drawn
from losskit.checker.finding import Found

PREDICTION = Role(
    "prediction", r"pred\w*|x|inputs?|outputs?|depth_?(pred|est|hat)?|est\w*|y_?hat|y_?pred|d_?hat|disp\w*"
)
TARGET = Role("target", r"targets?|y|y_?true|gt\w*|truth|ref\w*|depth_?(gt|target|true)|lidar|sparse\w*|d_?gt")
_ABSENT = (
    r"\b(0|zeros?|0\.0)\b[^.;\n]{0,40}\b(no (return|measure\w*|depth|value|data|gt)|missing|invalid|unknown|empty|not "
    r"measured|unobserved|without (a )?(return|measure\w*|value|depth))|(missing|invalid|unmeasured|unobserved|unknown)"
    r"[^.;\n]{0,30}\b(is|are|=|as|marked|stored)\b[^.;\n]{0,10}\b(0|zeros?)\b"
)


def missing_depth(claimed: Claimed) -> Iterator[Found]:
    """Where the target is 0, by its documentation not measured, nothing counts."""
    if not claimed.text.says(_ABSENT):
        return
    for size in ((2, 1, 4, 5), (2, 4, 5), (6,)):
        prediction, target = drawn(*size).abs() + 1.5, drawn(*size, seed=1).abs() + 1.5
        if not math.isfinite(claimed.total(prediction=prediction, target=target)):
            continue
        absent = torch.zeros(size, dtype=torch.bool)
        absent.view(-1)[::3] = True
        given = {"prediction": prediction, "target": target.masked_fill(absent, 0.0)}
        slope, cost = claimed.slope("prediction", **given), claimed.value(**given)
        if not math.isfinite(cost) or not bool(slope.isfinite().all()):
            what = "value" if not math.isfinite(cost) else "gradient"
            why = "targets of 0, which are not measured, make the "
            yield claimed.found(
                f"{why}{what} NaN: 0 times the logarithm of 0 is not 0",
                {"value": cost},
                "Select before the logarithm: prediction[mask].log() - target[mask].log().",
                given,
                "prediction",
            )
        elif bool(slope[absent].any()) and bool(slope[~absent].any()):
            yield claimed.found(
                "targets of 0, which are not measured, are trained on",
                {"largest gradient there": float(slope[absent].abs().max())},
                "Select by target > 0.",
                given,
                "prediction",
            )
        return


_SIDES = ("chosen", "rejected")
_ROLES = tuple(
    role
    for side, other in zip(_SIDES, (r"win\w*|w|pos\w*|better", r"los\w*|l|neg\w*|worse"), strict=True)
    for role in (
        Role(f"{side}_logits", rf"(policy_?)?({side}|{other})_(logits|outputs?)"),
        Role(f"{side}_tokens", rf"({side}|{other})_(targets?|labels?|tokens|ids)"),
        Role(f"{side}_reference", rf"ref\w*_({side}|{other})\w*|({side}|{other})_ref\w*"),
    )
)


def tokens_left_out(claimed: Claimed) -> Iterator[Found]:
    """The tokens of each answer are left out where its own labels say so."""
    tokens = {
        "chosen_tokens": torch.tensor([[-100, 1, 2, 3, 1, 2]]),
        "rejected_tokens": torch.tensor([[-100] * 3 + [2, 1, 3]]),
    }
    if not claimed.has(*(role.name for role in _ROLES)):
        return
    given: dict[str, Tensor] = {f"{side}_reference": torch.full((1,), -3.0).double() for side in _SIDES}
    given |= {f"{side}_logits": drawn(1, 6, 5, seed=seed) for seed, side in enumerate(_SIDES)}
    given |= tokens
    if not math.isfinite(claimed.value(**given)):
        return
    for side in _SIDES:
        moved = claimed.slope(f"{side}_logits", **given)[0].any(1)  # (T)
        own = tokens[f"{side}_tokens"][0] >= 0
        shifted = torch.cat([own[1:], own.new_zeros(1)])
        if bool(moved.any()) and not torch.equal(moved, own) and not torch.equal(moved, shifted):
            yield claimed.found(
                f"the tokens of the {side} answer are not those that its own labels keep",
                {"kept by the labels": int(own.sum()), "with a gradient": int(moved.sum())},
                "Sum the log-probabilities of each answer with the mask of its own labels.",
                given,
                f"{side}_logits",
            )
            return


CLAIMS = (
    Claim("loss of sparse depth", r"depth|lidar|disparit|sparse|missing", (PREDICTION, TARGET), (missing_depth,)),
    Claim("preference of sequences", r"\bdpo\b|preference|\borpo\b|\bipo\b", _ROLES, (tokens_left_out,)),
)
