"""Evidential classification: more evidence for the true class never raises the loss, for a wrong class it does."""

from __future__ import annotations

from collections.abc import Iterator

import torch

from losskit.checker.checks.tools import BACKWARD, code, labelled, pull, tried
from losskit.checker.claims.kinds import kind
from losskit.checker.finding import Found
from losskit.checker.subject import Subject


@kind(r"evidential|\bedl\b|dirichlet|evidence", code=r"digamma|\bedl")
def evidence(subject: Subject) -> Iterator[Found]:
    spec = subject.spec
    if not labelled(spec) or spec.kind != "multiclass":
        return
    labels = torch.arange(spec.classes).reshape(-1, *(1,) * len(spec.spatial)).expand(-1, *spec.spatial)
    target = subject.target_of(labels)
    hot = torch.zeros(spec.classes, spec.classes, *spec.spatial).scatter_(1, labels.unsqueeze(1), 1.0)
    for size in (6.0, 12.0, 25.0):
        input = torch.where(hot > 0, size, -8.0 if spec.scores == "logits" else 1e-3)
        found = tried(pull, subject, input, target)
        if found is None or not found.finite:
            continue
        slope = float(found.gradient[hot > 0].mean())
        if slope > 1e-5:
            yield Found(
                "more evidence for the true class alone raises the loss",
                {"slope of the true class": slope, "its evidence": size},
                code(subject, input, target, lines=BACKWARD),
                None,
                "In the KL term remove the true class: alpha_tilde = y + (1 - y) * alpha.",
            )
            return
