"""Margins: the scale of LDAM multiplies the logits and their margin, and pairs beyond a margin have no loss."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator

import torch
from torch.nn.functional import cross_entropy

from losskit.checker.checks.tools import close, code, is_random, tried, value
from losskit.checker.claims.kinds import kind
from losskit.checker.finding import Found
from losskit.checker.subject import Subject


@kind(r"ldam|label.distribution.aware")
def scale_of_margins(subject: Subject) -> Iterator[Found]:
    """Without a margin it is the cross-entropy of the scaled logits."""
    spec = subject.spec
    scale = next((each for each in ("s", "scale") if each in spec.options), None)
    margin = next((each for each in ("max_m", "max_margin", "m", "margin") if each in spec.options), None)
    if scale is None or margin is None or (spec.kind, spec.layout) != ("multiclass", "indices"):
        return
    generator = torch.Generator().manual_seed(0)
    logits = torch.rand(6, spec.classes, generator=generator) * 2 - 1  # cosines
    labels = torch.arange(6) % spec.classes
    options: dict[str, float] = {scale: 10, margin: 1e-6}
    found = tried(value, subject, logits, labels, options=options)
    plain, right = (float(cross_entropy(by * logits, labels)) for by in (1, 10))
    if found is not None and close(found, plain, 1e-3) and not close(plain, right, 1e-2):
        yield Found(
            f"{scale} multiplies the margin alone: the logits, cosines in -1 to 1, are not scaled",
            {"without a margin": found, "cross-entropy of the scaled logits": right},
            code(subject, logits, labels, options=options),
            None,
            f"cross_entropy({scale} * torch.where(is_label, logits - margin, logits), labels)",
        )


_SOFT = r"exp\(|log_softmax|cross_entropy|softplus|logsumexp|log\(|cos\b|cosine|normali[sz]e"


@kind(r"contrastive|triplet|margin", code=r"margin")
def satisfied(subject: Subject) -> Iterator[Found]:
    """Whether groups that coincide, each farther from the others than any margin, have no loss."""
    words = subject.words
    if subject.spec.layout != "groups" or is_random(subject) or re.search(_SOFT, words.code):
        return
    if not re.search(r"clamp|relu|max\(|maximum", words.code):
        return
    groups = torch.arange(4).repeat_interleave(2)
    embeddings = 50.0 * torch.eye(6)[:4].repeat_interleave(2, 0)
    far, near = (tried(value, subject, each, groups) for each in (embeddings, 0.001 * embeddings))
    if far is None or near is None or not (math.isfinite(far) and math.isfinite(near)):
        return
    if far > 1e-2 * abs(near) > 0:
        yield Found(
            "embeddings that coincide in each group, with all others far away, still have a loss: pairs are in the "
            "wrong term",
            {"groups far apart": far, "all at one point": near},
            code(subject, embeddings, groups),
            None,
            "Positive pairs in the distance, negative pairs in the margin, and each embedding with itself in neither.",
        )
