"""Evidential classification: more evidence for the true class never raises the loss, for a wrong class it does."""

from __future__ import annotations

import re
from collections.abc import Iterator

import torch
from torch.nn.functional import one_hot, relu, softplus

from losskit.checker.checks.tools import BACKWARD, code, labelled, pull, tried, value
from losskit.checker.claims.fitting import explained
from losskit.checker.claims.kinds import kind
from losskit.checker.finding import Found
from losskit.checker.subject import Subject

_PRECISE = r"prior network|target_?(precision|alpha|concentration)"  # whose target is a precision itself


@kind(r"evidential|\bedl\b|dirichlet|evidence", code=r"digamma|\bedl")
def evidence(subject: Subject) -> Iterator[Found]:
    spec = subject.spec
    if not labelled(spec) or spec.kind != "multiclass" or re.search(_PRECISE, subject.words.all):
        return
    labels = torch.arange(spec.classes).reshape(-1, *(1,) * len(spec.spatial)).expand(-1, *spec.spatial).clone()
    target = subject.target_of(labels)
    yield from _variance(subject)
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


def _variance(subject: Subject) -> Iterator[Found]:
    """Whether the variance is added to the squared error."""
    if subject.spec.spatial or subject.spec.scores != "logits":
        return
    labels = subject.labels(batch=1)
    hot = one_hot(labels, subject.spec.classes)
    inputs = [subject.input_of(labels, 1.5, None, torch.float64, seed) for seed in range(10)]
    costs = [tried(value, subject, each, subject.target_of(labels)) for each in inputs]
    for evidence in (softplus, relu, torch.exp):
        alphas = [evidence(each) + 1 for each in inputs]
        errors = torch.stack([(hot - a / a.sum()).square().sum() for a in alphas])
        spreads = torch.stack([(a / a.sum() * (1 - a / a.sum())).sum() / (a.sum() + 1) for a in alphas])
        found = explained(costs, errors, spreads)
        if found is not None and found[0] > 0 and found[1] < -1e-3:
            yield Found(
                "the variance of the expected probabilities is subtracted from the squared error, not added",
                {"factor of the error": found[0], "of the variance": found[1]},
                code(subject, inputs[0].float(), subject.target_of(labels)),
                None,
                "(y - p) ** 2 + p * (1 - p) / (S + 1)",
            )
            return
