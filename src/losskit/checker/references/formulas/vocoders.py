"""Generators with several discriminators: adversarial terms, features of real and made signals, spectra."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from losskit.checker.references.reference import Given, Pick, real, reference, share

_SCORES = r"(scores?|logits?|out\w*|preds?|disc\w*|d|y_?d|dis)"
_MAPS = r"(feats?|features?|fmaps?|f|feature_?maps?|hidden\w*|intermediate\w*)"
_FAKE = r"(fakes?|gen\w*|g|gs|hat|pred|est|synth\w*)"
_REAL = r"(reals?|r|rs|gt|true|target|ref)"


def both(first: str, second: str) -> str:
    return rf"{first}_?{second}s?|{second}_?{first}"


def judged(seed: int) -> dict[str, Any]:
    sizes = (((2, 3, 4), (2, 2, 5)), ((2, 4, 3), (2, 2, 2), (2, 3, 3)))
    made: dict[str, Any] = {"s": [real(seed, 2, 4), real(seed + 1, 2, 6)]}
    for role, start in (("a", 2), ("b", 20)):
        made[role] = [[real(seed + start + 5 * i + j, *z) for j, z in enumerate(each)] for i, each in enumerate(sizes)]
    return {**made, "mx": share(seed + 40, 2, 3, 4), "my": share(seed + 41, 2, 3, 4)}


def alone(seed: int) -> dict[str, Any]:
    made = judged(seed)
    return {**made, "s": made["s"][0], "a": made["a"][0], "b": made["b"][0]}


@reference(
    "the loss of a generator with matched features",
    r"(gen|generator|\bg)\b.*(loss|gan|adv)|(adversarial|gan|vocoder|hifi ?gan).*(gen|generator|feature)",
    {
        "s": both(_SCORES, _FAKE) + r"|disc\w*_(fake|gen\w*)_out\w*|outputs|scores|fake",
        "a": both(_MAPS, _FAKE),
        "b": both(_MAPS, _REAL),
        "mx": r"(mel|spec)s?_?(fake|gen\w*|g|hat|pred)|(fake|gen\w*|pred|y_hat)_?(mel|spec)s?",
        "my": r"(mel|spec)s?_?(real|r|gt|target|true)|(real|gt|target|true|y)_?(mel|spec)s?",
    },
    judged,
    lambda s: {**judged(s), "a": tuple(map(tuple, judged(s)["a"])), "b": tuple(map(tuple, judged(s)["b"]))},
    alone,
    optional=("mx", "my"),
    trained=("s", "a", "mx"),
    by_name=True,
    unless=r"relativ|wgan|\br1\b|cycle|discriminator loss",
)
def with_features(g: Given, pick: Pick) -> Any:
    scores = g.s if isinstance(g.s, (list, tuple)) else [g.s]
    kind = pick("squares", "hinge", "softplus")

    def adversarial(x: Tensor) -> Tensor:
        if kind == "squares":
            return (x - 1).square().mean()
        return -x.mean() if kind == "hinge" else F.softplus(-x).mean()

    nested = isinstance(g.a[0], (list, tuple))
    groups = [[(a, b) for a, b in zip(x, y, strict=True)] for x, y in zip(g.a, g.b, strict=True)] if nested else None
    groups = groups or [list(zip(g.a, g.b, strict=True))]
    gaps = [torch.stack([(a - b.detach()).abs().mean() for a, b in group]) for group in groups]
    mean = pick(True, False) if len(gaps) > 1 else False  # a mean per discriminator
    near = torch.stack([each.mean() for each in gaps]).mean() if mean else torch.cat(gaps).sum()
    terms = (torch.stack([adversarial(each) for each in scores]).mean(), near)
    return (*terms, (g.mx - g.my).abs().mean()) if g.has("mx") else terms
