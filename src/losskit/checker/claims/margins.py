"""Margins by the frequency of classes: the scale of LDAM multiplies the logits and their margin."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch.nn.functional import cross_entropy

from losskit.checker.checks.tools import close, code, tried, value
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
