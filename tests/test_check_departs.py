"""Losses that depart from the formula of their name by more than one edit: the line, and what the formula computes."""

import inspect

import pytest
import torch
import torch.nn.functional as F

from losskit.checker.origin import origin_of
from losskit.checker.references.departs import departs_from_formula
from losskit.checker.references.formula_text import Choices, line_of
from losskit.checker.registry import REGISTRY
from losskit.checker.subject import Subject


def found_in(loss):
    return list(departs_from_formula(Subject(origin_of(loss), None)))


def tweedie_deviance(mean, target, p=1.5):
    """Mean Tweedie deviance; the factor 2 belongs to the whole sum."""
    first = 2 * target.pow(2 - p) / ((1 - p) * (2 - p))
    second = target * mean.pow(1 - p) / (1 - p)
    third = mean.pow(2 - p) / (2 - p)
    return (first - 3 * second + third / 2).mean()


def causal_lm_loss(logits, labels):
    """Next token loss; the last position has no label."""
    shifted = torch.ones_like(labels)
    shifted[:, :-1] = labels[:, 1:]
    return F.cross_entropy(logits.flatten(0, 1), shifted.flatten())


def giou_loss(pred, target):
    """GIoU of boxes (x1, y1, x2, y2)."""
    low, high = torch.max(pred[:, :2], target[:, :2]), torch.min(pred[:, 2:], target[:, 2:])
    inter = (high - low).clamp(min=0).prod(1)
    areas = (pred[:, 2:] - pred[:, :2]).prod(1) + (target[:, 2:] - target[:, :2]).prod(1)
    union = areas - inter
    hull = (torch.max(pred[:, 2:], target[:, 2:]) - torch.min(pred[:, :2], target[:, :2])).prod(1)
    wasted = (hull - areas + union) / (hull + areas)
    return (1 - inter / union + wasted).mean()


def sound_giou_loss(pred, target):
    """GIoU of boxes (x1, y1, x2, y2)."""
    low, high = torch.max(pred[:, :2], target[:, :2]), torch.min(pred[:, 2:], target[:, 2:])
    inter = (high - low).clamp(min=0).prod(1)
    areas = (pred[:, 2:] - pred[:, :2]).prod(1) + (target[:, 2:] - target[:, :2]).prod(1)
    union = areas - inter
    hull = (torch.max(pred[:, 2:], target[:, 2:]) - torch.min(pred[:, :2], target[:, :2])).prod(1)
    return (1 - inter / union + (hull - union) / hull).mean()


def giou_loss_of_a_kind(pred, target, kind="giou"):
    """GIoU of boxes, or another loss."""
    return giou_loss(pred, target)


def line_in(loss, text):
    lines, first = inspect.getsourcelines(loss)
    return next(first + n for n, line in enumerate(lines) if text in line)


@pytest.mark.parametrize(
    ("loss", "departs", "formula"),
    [
        (tweedie_deviance, "return (first - 3 * second", "logs"),
        (causal_lm_loss, "return F.cross_entropy", ""),
        (giou_loss, "wasted = ", "index - (area - union) / area"),
    ],
)
def test_the_line_and_the_formula_are_named(loss, departs, formula):
    (found,) = found_in(loss)
    assert f"line {line_in(loss, departs)}:" in found.what
    assert formula in found.what
    assert found.evidence["as written"] != pytest.approx(found.evidence["formula"])


def test_a_formula_and_a_loss_of_several_kinds_are_not_reported():
    assert found_in(sound_giou_loss) == []
    assert found_in(giou_loss_of_a_kind) == []


def test_an_edit_explains_a_departure():
    assert "one-edit-from-formula" in REGISTRY["departs-from-formula"].consequence_of


def formula(g, pick):
    total = g.x * pick(1, 2) + g.smooth * pick(1, 0)
    return total.mean() if pick(True, False) else total.sum()


class Given:
    x, smooth = torch.ones(2), 3.0


def test_the_text_of_a_formula_has_the_choices_and_the_names_of_the_loss():
    file, first = formula.__code__.co_filename, inspect.getsourcelines(formula)[1]
    for path, total, result in (
        ((0, 1, 0), "total = logits", "total.mean()"),
        ((0, 0, 1), "total = logits + smooth", "total.sum()"),
    ):
        choices = Choices(path)
        formula(Given(), choices)
        text = line_of(file, first + 1, choices.chosen, {"x": "logits"})
        assert text == total
        assert line_of(file, first + 2, choices.chosen, {}) == result
