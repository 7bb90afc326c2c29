"""Losses of sequences with lengths: the mask of lengths lies along the documented axis of time."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator

import torch
from torch import Tensor

from losskit.checker.claims.claim import Claim, Claimed, Role, drawn
from losskit.checker.finding import Found

PREDICTION = Role("prediction", r"pred\w*|x|inputs?|outputs?|y_?pred|y_?hat|est\w*|mel_?(pred|out\w*|hat)|out|recon\w*")
TARGET = Role("target", r"targets?|y|y_?true|gt|truth|ref\w*|mel_?(target|true|gt)?|mels?")
LENGTHS = Role("lengths", r"(\w+_)?(len|lens|length|lengths)")
_SHAPE = re.compile(r"\(\s*(?:b|n|batch\w*)\s*,\s*(\w+)\s*,\s*(\w+)\s*\)")
_TIME = re.compile(r"t|l|s|seq\w*|time\w*|frames?|steps?|\w*_len(gth)?|length|max_len|n_frames")


def _axis_of_time(claimed: Claimed) -> int:
    """The axis that every documented shape of three sizes calls time; 0 if none does."""
    found = set()
    for sizes in _SHAPE.findall(claimed.text.said):
        times = [at for at, size in enumerate(sizes, 1) if _TIME.fullmatch(size)]
        if len(times) == 1:
            found.add(times[0])
    return found.pop() if len(found) == 1 else 0


def _counted(claimed: Claimed, given: dict[str, Tensor], axis: int) -> Tensor:
    """Which positions along an axis of the first sample get a gradient."""
    slope = claimed.slope("prediction", **given)[0].abs()
    return slope.sum(2 - axis) > 0


def mask_along_time(claimed: Claimed) -> Iterator[Found]:
    """The positions before the length count along time, and all along the other axis."""
    axis = _axis_of_time(claimed)
    if not axis or not claimed.has("prediction", "target", "lengths"):
        return
    size, length = (3, 6, 7) if axis == 2 else (3, 7, 6), 4
    given = {
        "prediction": drawn(*size),
        "target": drawn(*size, seed=1),
        "lengths": torch.tensor([length, 5, 6]),
    }
    if not math.isfinite(claimed.value(**given)):
        return
    other = 3 - axis
    before = [torch.arange(size[each]) < length for each in (axis, other)]
    along, across = (_counted(claimed, given, each) for each in (axis, other))
    if bool(along.all()) and torch.equal(across, before[1]):
        yield claimed.found(
            f"the lengths are compared with positions along axis {other} of {size}, but time is axis {axis}",
            {"steps that count": int(along.sum()), "length": length},
            f"mask = torch.arange(x.shape[{axis}]) < lengths[:, None], then unsqueeze({other})",
            given,
            "prediction",
        )


CLAIMS = (Claim("loss of sequences with lengths", r".", (PREDICTION, TARGET, LENGTHS), (mask_along_time,)),)
