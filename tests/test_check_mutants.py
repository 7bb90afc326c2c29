"""Mutants of our own losses, with one change each: a named check must find it, and the loss itself must pass.

Only a finding counts: a mutant that raises is not caught.
"""

from typing import Any, NamedTuple

import pytest
import torch.nn.functional as F
from torch import nn

import losskit
from losskit import functional
from losskit.checker import battery
from losskit.checker.subject import Subject

BINARY = {"kind": "binary", "scores": "logits", "target": "same"}
INDICES = {"kind": "multiclass", "scores": "logits", "target": "indices"}
NUMBERS = {"kind": "regression", "scores": "values", "target": "same"}


class Mutant(NamedTuple):
    what: str
    check: str  # that must find it
    mutant: Any
    control: Any
    told: dict[str, str]


MUTANTS: list[Mutant] = []


def mutates(what, check, control, told):
    """Mark a class as the mutant of a loss."""

    def mark(mutant):
        MUTANTS.append(Mutant(what, check, mutant, control, told))
        return mutant

    return mark


@mutates("a sign", "rewards-errors", losskit.DiceLoss, BINARY)
class _Sign(losskit.DiceLoss):
    def per_class(self, total):
        return -super().per_class(total)


@mutates("the score instead of one minus it", "rewards-errors", losskit.JaccardLoss, BINARY)
class _Score(losskit.JaccardLoss):
    def per_class(self, total):
        return 1 - super().per_class(total)


@mutates("a plus for a minus", "rewards-errors", losskit.MSELoss, NUMBERS)
class _Plus(losskit.MSELoss):
    def per_element(self, input, target):
        return (input + target) ** 2


@mutates("the absolute value forgotten", "rewards-errors", losskit.L1Loss, NUMBERS)
class _NoAbs(losskit.L1Loss):
    def per_element(self, input, target):
        return input - target


@mutates("positive and negative swapped", "rewards-errors", losskit.TripletMarginLoss, {})
class _Triplet(losskit.TripletMarginLoss):
    def forward(self, anchor, positive, negative, **others):
        return super().forward(anchor, negative, positive, **others)


@mutates("alike for different", "rewards-errors", losskit.CosineEmbeddingLoss, {})
class _Alike(losskit.CosineEmbeddingLoss):
    def forward(self, input1, input2, target, **others):
        return super().forward(input1, input2, -target, **others)


@mutates("labels one class late", "rewards-errors", losskit.CrossEntropyLoss, INDICES)
class _Late(losskit.CrossEntropyLoss):
    def forward(self, input, target, **others):
        return super().forward(input.roll(1, 1), target, **others)


@mutates("yes for no", "rewards-errors", losskit.BCEWithLogitsLoss, BINARY)
class _Yes(losskit.BCEWithLogitsLoss):
    def forward(self, input, target, **others):
        return super().forward(-input, target, **others)


@mutates("alpha and beta swapped", "prices-swapped", losskit.TverskyLoss, BINARY)
class _Swapped(losskit.TverskyLoss):
    def per_class(self, total):
        size = total.tp + self.beta * total.fp + self.alpha * total.fn
        return 1 - (total.tp + self.smooth) / (size + self.smooth)


@mutates("alpha on the negatives", "prices-swapped", losskit.FocalLoss, BINARY)
class _FocalAlpha(losskit.FocalLoss):
    def forward(self, input, target, **others):
        alpha = None if self.alpha is None else 1 - self.alpha
        return functional.focal_loss(input, target, gamma=self.gamma, alpha=alpha)


@mutates("the factor 2 forgotten", "perfect-costs", losskit.DiceLoss, BINARY)
class _NoTwo(losskit.DiceLoss):
    def per_class(self, total):
        return 1 - total.tp / (total.pred + total.target)


@mutates("the intersection counted twice", "perfect-costs", losskit.JaccardLoss, BINARY)
class _Union(losskit.JaccardLoss):
    def per_class(self, total):
        return 1 - total.tp / (total.pred + total.target)


class Meaning(nn.Module):
    """Our cross-entropy with its arguments: the original of the mutants below."""

    def __init__(self, class_weight=None, ignore_index=-100, reduction="mean", label_smoothing=0.0):
        super().__init__()
        self.register_buffer("class_weight", class_weight)
        self.options = {"ignore_index": ignore_index, "label_smoothing": label_smoothing, "reduction": reduction}
        self.ignore_index, self.reduction = ignore_index, reduction

    def forward(self, input, target, weight=None, mask=None):
        return self.ours(input, target, weight=weight, mask=mask)

    def ours(self, input, target, **changed):
        return functional.cross_entropy(input, target, **{"class_weight": self.class_weight, **self.options, **changed})


@mutates("a denominator of all elements", "ignored-counts", Meaning, INDICES)
class _AllElements(Meaning):
    def forward(self, input, target, weight=None, mask=None):
        made = self.ours(input, target, weight=weight, mask=mask, reduction="none")
        return made.sum() / made.numel()


@mutates("a denominator of samples", "reductions-disagree", Meaning, INDICES)
class _Samples(Meaning):
    def forward(self, input, target, weight=None, mask=None):
        if self.reduction != "mean":
            return self.ours(input, target, weight=weight, mask=mask)
        return self.ours(input, target, weight=weight, mask=mask, reduction="sum") / len(input)


@mutates("a sum for the mean", "reductions-disagree", Meaning, INDICES)
class _Sum(Meaning):
    def forward(self, input, target, weight=None, mask=None):
        reduction = "sum" if self.reduction == "mean" else self.reduction
        return self.ours(input, target, weight=weight, mask=mask, reduction=reduction)


@mutates("the mask dropped", "unused-argument", Meaning, INDICES)
class _NoMask(Meaning):
    def forward(self, input, target, weight=None, mask=None):
        return self.ours(input, target, weight=weight)


@mutates("the mask in the denominator only", "masked-counts", Meaning, INDICES)
class _HalfMask(Meaning):
    def forward(self, input, target, weight=None, mask=None):
        count = target.numel() if mask is None else mask.sum()
        return self.ours(input, target, weight=weight, reduction="sum") / count


@mutates("the weight dropped", "unused-argument", Meaning, INDICES)
class _NoWeight(Meaning):
    def forward(self, input, target, weight=None, mask=None):
        return self.ours(input, target, mask=mask)


@mutates("the weight outside of the sum", "weight-is-not-repetition", Meaning, INDICES)
class _WeightAfter(Meaning):
    def forward(self, input, target, weight=None, mask=None):
        return self.ours(input, target, mask=mask) * (1 if weight is None else weight.mean())


@mutates("class weights dropped", "unused-argument", Meaning, INDICES)
class _NoClassWeight(Meaning):
    def forward(self, input, target, weight=None, mask=None):
        return self.ours(input, target, weight=weight, mask=mask, class_weight=None)


@mutates("class weights not divided by", "unit-weights", Meaning, INDICES)
class _ClassWeightScale(Meaning):
    def forward(self, input, target, weight=None, mask=None):
        scale = 1 if self.class_weight is None else self.class_weight.sum()
        return self.ours(input, target, weight=weight, mask=mask) * scale


@mutates("smoothing dropped", "unused-argument", Meaning, INDICES)
class _NoSmoothing(Meaning):
    def forward(self, input, target, weight=None, mask=None):
        return self.ours(input, target, weight=weight, mask=mask, label_smoothing=0.0)


@mutates("ignored labels count as class 0", "ignored-changes-value", Meaning, INDICES)
class _CountsIgnored(Meaning):
    def forward(self, input, target, weight=None, mask=None):
        target = target.where(target != self.ignore_index, 0)
        return self.ours(input, target, weight=weight, mask=mask, ignore_index=-1)


@mutates("ignored logits multiplied by zero", "nan-at-ignored", Meaning, INDICES)
class _Multiplied(Meaning):
    def forward(self, input, target, weight=None, mask=None):
        kept = target != self.ignore_index
        made = self.ours(input, target.where(kept, 0), weight=weight, mask=mask, reduction="none")
        return (made * kept).sum() / kept.sum()


@mutates("nothing divided by nothing", "all-ignored", Meaning, INDICES)
class _Nothing(Meaning):
    def forward(self, input, target, weight=None, mask=None):
        return self.ours(input, target, weight=weight, mask=mask, empty="nan")


@mutates("labels held to the classes", "labels-out-of-range", Meaning, INDICES)
class _Held(Meaning):
    def forward(self, input, target, weight=None, mask=None):
        return self.ours(input, target.clamp(-100, input.shape[1] - 1), weight=weight, mask=mask)


@mutates("softmax over the batch", "depends-on-batch", Meaning, INDICES)
class _OverBatch(Meaning):
    def forward(self, input, target, weight=None, mask=None):
        return self.ours(input.log_softmax(0), target, weight=weight, mask=mask)


@mutates("softmax twice", "activated-twice", Meaning, INDICES)
class _Twice(Meaning):
    def forward(self, input, target, weight=None, mask=None):
        return self.ours(input.softmax(1), target, weight=weight, mask=mask)


@mutates("exponentials without their maximum", "not-finite", Meaning, INDICES)
class _Naive(Meaning):
    def forward(self, input, target, weight=None, mask=None):
        self.ours(input.detach(), target)
        log_p = (input.exp() / input.exp().sum(1, keepdim=True)).log()
        return functional.nll_loss(log_p, target, weight=weight, mask=mask, **self.options)


@mutates("the detached factor of a focal loss", "slope-disagrees", losskit.FocalLoss, BINARY)
class _Detached(losskit.FocalLoss):
    def forward(self, input, target, **others):
        plain = F.binary_cross_entropy_with_logits(input, target.to(input), reduction="none")
        return ((1 - (-plain).exp()).detach() ** self.gamma * plain).mean()


@mutates("one side detached", "slope-disagrees", losskit.MSELoss, NUMBERS)
class _OneSide(losskit.MSELoss):
    def per_element(self, input, target):
        return (input - target) * (input.detach() - target)


@mutates("p for 1 - p", "rewards-errors", losskit.FocalLoss, BINARY)
class _P(losskit.FocalLoss):
    def forward(self, input, target, **others):
        plain = F.binary_cross_entropy_with_logits(input, target.to(input), reduction="none")
        return ((-plain).exp() ** self.gamma * plain).mean()


@mutates("gamma unused", "unused-argument", losskit.FocalLoss, BINARY)
class _NoGamma(losskit.FocalLoss):
    def forward(self, input, target, **others):
        return functional.focal_loss(input, target, alpha=self.alpha)


@mutates("half of the cross-entropy", "gamma-zero", losskit.FocalLoss, BINARY)
class _HalfFocal(losskit.FocalLoss):
    def forward(self, input, target, **others):
        return 0.5 * super().forward(input, target, **others)


@mutates("delta unused", "unused-argument", losskit.HuberLoss, NUMBERS)
class _NoDelta(losskit.HuberLoss):
    def per_element(self, input, target):
        return F.huber_loss(input, target, reduction="none")


@mutates("rounded", "no-graph", losskit.MSELoss, NUMBERS)
class _Rounded(losskit.MSELoss):
    def per_element(self, input, target):
        return (input.detach().round() - target) ** 2


@mutates("the gradient cut at 5", "wrong-answers-unlearnt", losskit.BCEWithLogitsLoss, BINARY)
class _Cut(losskit.BCEWithLogitsLoss):
    def forward(self, input, target, **others):
        return super().forward(input.clamp(-5, 5), target, **others)


@mutates("half-precision sums", "half-sums-overflow", losskit.DiceLoss, BINARY)
class _HalfSums(losskit.DiceLoss):
    def forward(self, input, target, **others):
        p = input.sigmoid()
        return 1 - 2 * (p * target).sum() / (p.sum() + target.sum())


@mutates("shapes that are not compared", "broadcasts", losskit.MSELoss, NUMBERS)
class _Broadcast(losskit.MSELoss):
    def forward(self, input, target, **others):
        return ((input - target) ** 2).mean()


@mutates("flattened", "transposed-target", losskit.BCEWithLogitsLoss, BINARY)
class _Flat(losskit.BCEWithLogitsLoss):
    def forward(self, input, target, **others):
        return super().forward(input.reshape(-1), target.reshape(-1))


@mutates("the batch pooled", "depends-on-batch", losskit.DiceLoss, BINARY)
class _Pooled(losskit.DiceLoss):
    def forward(self, input, target, **others):
        return functional.dice_loss(input, target, pool="batch")


@mutates("absent classes by the formula", "absent-class", losskit.DiceLoss, BINARY)
class _Formula(losskit.DiceLoss):
    def forward(self, input, target, **others):
        return functional.dice_loss(input, target, absent="formula", smooth=1e-5)


@mutates("a target held to [0, 1]", "mask-of-255", losskit.DiceLoss, BINARY)
class _HeldMask(losskit.DiceLoss):
    def forward(self, input, target, **others):
        return super().forward(input, target.clamp(0, 1), **others)


@mutates("the target halved where it is", "changes-inputs", losskit.MSELoss, NUMBERS)
class _InPlace(losskit.MSELoss):
    def forward(self, input, target, **others):
        loss = super().forward(input, target, **others)
        target.mul_(0.5)
        return loss


@mutates("the last one remembered", "has-memory", losskit.MSELoss, NUMBERS)
class _Remembers(losskit.MSELoss):
    def forward(self, input, target, **others):
        loss = super().forward(input, target, **others)
        before, self.before = self.__dict__.get("before", 0.0), float(loss)
        return loss + before


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.what)
def test_a_mutant_is_caught(mutant):
    control = battery.run(Subject.of(mutant.control(), **mutant.told), select=[mutant.check])
    assert [outcome.status for outcome in control.outcomes] == ["passed"], control
    told = mutant.told or {name: getattr(control.spec, name) for name in ("kind", "scores")}
    found = battery.run(Subject.of(mutant.mutant(), **told), select=[mutant.check])
    assert [outcome.status for outcome in found.outcomes] == ["found"], found
    assert all(finding.check == mutant.check for finding in found)
