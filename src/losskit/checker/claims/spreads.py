"""Gaussian likelihoods whose spread is documented: a standard deviation is not taken for a variance."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator

import torch
from torch import Tensor

from losskit.checker.claims.claim import Claim, Claimed, Role, near
from losskit.checker.claims.densities import MEAN, SPREAD, TARGET
from losskit.checker.finding import Found

_LOGS = r"\blog[- _]?(of )?(the )?(var|sigma|std|scale|standard|s\b)"
PACKED = Role("packed", r"(model_?)?outputs?|pred\w*|params?|y_?pred|inputs?|x|out|head|y_?hat|dist\w*")
_DEVIATION, _VARIANCE = (
    r"standard dev|\bstd\b|stddev|\bsigma\b(?! ?(\^|\*\*|2|squared))",
    r"varian|sigma ?(\^|\*\*) ?2|sigma2",
)


def _documented(claimed: Claimed) -> str:
    """Whether the documentation, or the name of the argument, says deviation or variance; empty for both or none."""
    name, said = claimed.bound.get("spread", "").lower(), claimed.text.said
    found = [
        re.search(pattern, said) is not None or re.fullmatch(names, name) is not None
        for pattern, names in ((_DEVIATION, r"(\w*_)?(std|stddev|stdev)"), (_VARIANCE, r"(\w*_)?(log_?)?var(iance)?"))
    ]
    return "" if found[0] == found[1] else "standard deviation" if found[0] else "variance"


def _softplus(raw: float) -> float:
    return math.log1p(math.exp(raw))


def _positive(claimed: Claimed) -> Callable[[float], float] | None:
    """How the code makes a positive number of what it is given; None if that is not known."""
    code, name = claimed.text.code, claimed.bound.get("spread", "").lower()
    logs = "log" in name or re.search(_LOGS, claimed.text.said) is not None
    softplus, exp = "softplus" in code, re.search(r"\bexp\(", code) is not None
    if softplus == exp:
        return None if softplus or logs else float
    return None if softplus and logs else _softplus if softplus else math.exp if logs else None


def documented_spread(claimed: Claimed) -> Iterator[Found]:
    """The best spread for errors of 3 is 3 as a standard deviation, and 9 as a variance."""
    said, positive = _documented(claimed), _positive(claimed)
    if not said or positive is None or (positive is float and claimed.has("packed")):
        return
    error, truth = 3.0, torch.zeros(5, dtype=torch.float64)

    def given(spread: float) -> dict[str, Tensor]:
        if claimed.has("packed"):
            pair = torch.tensor([error, spread], dtype=torch.float64)
            return {"packed": pair.expand(5, 2).contiguous(), "target": truth}
        return {"mean": truth + error, "target": truth, "spread": truth + spread}

    def rise(spread: float) -> float:
        slope = claimed.slope("packed" if claimed.has("packed") else "spread", **given(spread))
        return float(slope[..., -1].sum() if claimed.has("packed") else slope.sum())

    low, high = (0.2, 20.0) if positive is float else (-4.0, 12.0)
    if not rise(low) < 0 < rise(high):
        return
    for _ in range(40):
        middle = (low + high) / 2
        low, high = (middle, high) if rise(middle) < 0 else (low, middle)
    best, (wanted, other) = positive(low), (error, error**2) if said == "standard deviation" else (error**2, error)
    if any(near(best, each, 0.02) for each in (other, error**2 / 2, 2 * error**2)):
        taken = "variance" if said == "standard deviation" else "standard deviation"
        why = f"the {said} is taken for a {taken}" if near(best, other, 0.02) else f"the best {said} is another one"
        yield claimed.found(
            f"{why}: for errors of {error:g} the best is {best:.3g}, not {wanted:g}",
            {f"best {said}": best, "expected": wanted},
            "(y - mean) ** 2 / (2 * sigma ** 2) + log(sigma); F.gaussian_nll_loss takes a variance.",
            given(low),
        )


_GAUSSIAN = r"gaussian|\bnormal|\bnll\b|hetero"
_OTHERS = r"\bkl\b|diverg|crps|evidential|student|mixture|laplac|cauchy|log.?normal|prior"
CLAIMS = (
    Claim("Gaussian likelihood", _GAUSSIAN, (MEAN, TARGET, SPREAD), (documented_spread,), unless=_OTHERS),
    Claim("Gaussian likelihood", _GAUSSIAN, (TARGET, PACKED), (documented_spread,), unless=_OTHERS),
)
