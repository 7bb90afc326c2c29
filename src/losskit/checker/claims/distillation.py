"""Distillation: which softmax each temperature divides, and what alpha weighs."""

from __future__ import annotations

import re
from collections.abc import Iterator

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from losskit.checker.checks.documented import TEMPERATURES
from losskit.checker.checks.tools import code, tried, value
from losskit.checker.claims.fitting import explained
from losskit.checker.claims.kinds import kind
from losskit.checker.finding import Found
from losskit.checker.subject import Subject

_T = 3.0
_ALPHAS = ("alpha", "lam", "lambda_", "weight", "beta", "kd_weight", "soft_weight")
_SOFT = r"soft|distill|\bkd|kl|teacher|dark"
_HARD = r"hard|\bce\b|cross|label|ground|student|task"


@kind(r"distil|teacher|\bkd\b|kd_?loss|knowledge")
def temperatures(subject: Subject) -> Iterator[Found]:
    """Whether both softmaxes are divided by the temperature, and alpha weighs what is documented."""
    spec = subject.spec
    if spec.layout not in ("teacher", "teacher-and-labels"):
        return
    option = next((each for each in TEMPERATURES if each in spec.options), None)
    if option is None:
        return
    right = _share(subject, {option: _T}, _T, _T)
    if right is not None:
        yield from _alpha(subject, option)
        return
    for of_student, of_teacher, what in (
        (1.0, _T, "the logits of the teacher are divided by the temperature, those of the student are not"),
        (_T, 1.0, "the logits of the student are divided by the temperature, those of the teacher are not"),
        (1 / _T, 1 / _T, "logits are multiplied by the temperature, not divided by it"),
    ):
        if _share(subject, {option: _T}, of_student, of_teacher) is not None:
            tensors = subject.example(batch=2)
            numbers = {"value": value(subject, *tensors, options={option: _T})}
            fix = "kl_div(log_softmax(student / T), softmax(teacher / T)) * T ** 2"
            yield Found(what, numbers, code(subject, *tensors, options={option: _T}), None, fix)
            return


def _share(subject: Subject, options: dict[str, float], of_student: float, of_teacher: float) -> float | None:
    """The factor of the divergence at these temperatures, if it and a cross-entropy explain the loss."""
    divergences: list[Tensor] = []
    entropies: list[Tensor] = []
    costs = []
    for seed in range(10):
        student, teacher, *labels = (t.double() if t.is_floating_point() else t for t in subject.example(seed, batch=2))
        costs.append(tried(value, subject, student, teacher, *labels, options=options))
        s, t = (student / of_student).log_softmax(1), (teacher / of_teacher).log_softmax(1)
        divergences.append((t.exp() * (t - s)).sum())
        entropies.append(cross_entropy(student, labels[0]) if labels else divergences[-1] * 0)
    terms = [torch.stack(divergences), *([torch.stack(entropies)] if subject.spec.layout != "teacher" else [])]
    found = explained(costs, *terms)
    return None if found is None or found[0] <= 1e-9 else found[0]


def _alpha(subject: Subject, option: str) -> Iterator[Found]:
    """Whether alpha raises the weight of the part that it is documented to weigh."""
    for name in _ALPHAS:
        default = subject.origin.options.get(name)
        if name not in subject.spec.options or not isinstance(default, float) or not 0 <= default <= 1:
            continue
        said = re.search(rf"\b{name}\b(?!\))[^.;,\n]{{0,40}}?({_SOFT}|{_HARD})", subject.words.text, re.IGNORECASE)
        shares = [_share(subject, {option: _T, name: each}, _T, _T) for each in (0.2, 0.8)]
        if said is None or None in shares:
            continue
        soft = re.match(_SOFT, said[1], re.IGNORECASE) is not None
        if soft != (shares[1] > shares[0]):  # type: ignore[operator]
            part = "soft" if soft else "hard"
            yield Found(
                f"{name} is documented to weigh the {part} term, but raising it lowers the weight of that term",
                {f"weight of the soft term with {name}=0.2": shares[0], f"{name}=0.8": shares[1]},
                code(subject, *subject.example(batch=2), options={name: 0.8}),
                None,
                f"Exchange {name} and 1 - {name}.",
            )
            return
