"""Class weights: each counts once."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn

from losskit.checker.checks.effects import CLASS_WEIGHTS
from losskit.checker.checks.tools import BACKWARD, code, pull, tried
from losskit.checker.claims.kinds import kind
from losskit.checker.finding import Found
from losskit.checker.subject import Subject

_NAMES = r"\w*weights?|w|alphas?"


@kind(r"weight", code=r"weight")
def weighs_once(subject: Subject) -> Iterator[Found]:
    """Whether the gradients of the classes are in the proportion of their weights, not of the squares."""
    spec = subject.spec
    if spec.kind != "multiclass" or spec.scores != "logits" or not spec.softmax or spec.classes < 3:
        return
    if not spec.takes_spatial(0):
        return
    logits, target = torch.zeros(spec.classes, spec.classes), subject.target_of(torch.arange(spec.classes))
    for name, weights, options in _weights(subject):
        found = tried(pull, subject, logits, target, options=options)
        if found is None or not found.finite or weights.numel() != spec.classes or not (weights > 0).all():
            continue
        sizes = found.gradient.norm(dim=1)
        shares, right = sizes / sizes.sum(), weights / weights.sum()
        twice = weights.square() / weights.square().sum()
        if (shares - twice).abs().max() < 1e-4 < 0.02 < (shares - right).abs().max():
            numbers = {"share of the last class": float(shares[-1]), "its share of the weights": float(right[-1])}
            repro = code(subject, logits, target, options=options, lines=BACKWARD)
            yield Found(f"{name} counts twice: gradients are in the proportion of its squares", numbers, repro)
            return


def _weights(subject: Subject) -> Iterator[tuple[str, Tensor, dict[str, Any]]]:
    """The class weights of a loss as it is, and others for its options."""
    criterion = subject.build()
    held = {**vars(criterion), **dict(criterion.named_buffers())} if isinstance(criterion, nn.Module) else {}
    for name, value in held.items():
        if isinstance(value, Tensor) and value.dim() == 1 and re.fullmatch(_NAMES, name.lower()):
            yield name, value.float(), {}
    others = torch.linspace(0.5, 3.0, subject.spec.classes)
    for option in (each for each in CLASS_WEIGHTS if each in subject.spec.options):
        yield option, others, {option: others}
        yield option, others, {option: others.tolist()}
