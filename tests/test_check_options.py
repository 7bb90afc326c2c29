"""Options that the documentation describes, and what a loss does with them."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from losskit.checker import battery
from losskit.checker.finding import FAULTS
from losskit.checker.subject import Subject


def focal(used):
    class Focal(nn.Module):
        """Focal loss for softmax classifiers.

        alpha: list with one weight per class, or None
        gamma: exponent of the factor
        """

        def __init__(self, alpha=None, gamma=2.0):
            super().__init__()
            self.alpha = None if alpha is None else torch.as_tensor(alpha)
            self.gamma = gamma

        def forward(self, logits, labels):
            plain = F.cross_entropy(logits, labels, reduction="none")
            each = 1.0 if self.alpha is None else self.alpha[labels]
            return ((1 - (-plain).exp()) ** self.gamma * plain * (each if used else 1)).mean()

    return Focal()


def hard_examples(copied):
    class Hard(nn.Module):
        """logits: (N, C, H, W), labels: (N, H, W) with lb_ignore at pixels without a label."""

        def __init__(self, lb_ignore=255):
            super().__init__()
            self.lb_ignore = lb_ignore

        def forward(self, logits, labels):
            valid = labels != self.lb_ignore
            labels = labels.clone() if copied else labels
            labels[~valid] = 0
            return F.cross_entropy(logits, labels, reduction="none")[valid].mean()

    return Hard()


def smooth_bce(divided):
    class SmoothBCE(nn.Module):
        """Binary cross-entropy of logits. Elements whose target is `ignore_index` do not take part in the loss;
        the average runs over the remaining elements."""

        def __init__(self, ignore_index=-100):
            super().__init__()
            self.ignore_index = ignore_index

        def forward(self, logits, target):
            kept = (target != self.ignore_index).to(logits)
            loss = F.binary_cross_entropy_with_logits(logits, target.to(logits), reduction="none") * kept
            return loss.sum() / kept.sum().clamp(min=1) if divided else loss.mean()

    return SmoothBCE()


CASES = (
    (focal, "unused-argument", "alpha is accepted and changes nothing"),
    (hard_examples, "changes-inputs", "changes its target"),
    (smooth_bce, "not-as-documented", "ignored positions are in the denominator"),
)


@pytest.mark.parametrize(("make", "check", "words"), CASES)
def test_an_option_does_what_is_documented(make, check, words):
    (found,) = battery.run(Subject.of(make(False)), select=[check])
    assert words in found.what
    assert found.severity in FAULTS
    assert list(battery.run(Subject.of(make(True)), select=[check])) == []


class Unreduced(nn.Module):
    def __init__(self, reduction="mean"):
        super().__init__()
        self.reduction = reduction

    def forward(self, input, target):
        return (input - target).abs().mean()


class Reduced(Unreduced):
    def forward(self, input, target):
        errors = (input - target).abs()
        return errors if self.reduction == "none" else getattr(errors, self.reduction)()


def test_a_reduction_that_is_never_read_comes_before_what_any_formula_of_elements_broadcasts():
    report = battery.run(Subject.of(Unreduced()), select=["broadcasts", "reductions-disagree"])
    assert [each.check for each in report.findings] == ["reductions-disagree", "broadcasts"]
    assert not battery.run(Subject.of(Reduced()), select=["reductions-disagree"]).findings
