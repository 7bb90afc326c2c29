"""Kinds of sound losses of other libraries that the checker once accused; and their twins with a mistake."""

import functools
import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from losskit.checker import battery
from losskit.checker.finding import FAULTS
from losskit.checker.origin import CannotRebuild, Object
from losskit.checker.subject import Subject


def faults(loss, *select):
    return [f.check for f in battery.run(Subject.of(loss), select=select) if f.severity in FAULTS]


# Options that only a part of the loss stores.


class Part(nn.Module):
    def __init__(self, sigmoid=False, reduction="mean"):
        super().__init__()
        self.sigmoid, self.reduction = sigmoid, reduction

    def forward(self, input, target):
        bce = F.binary_cross_entropy_with_logits if self.sigmoid else F.binary_cross_entropy
        return bce(input, target, reduction=self.reduction)


class Whole(nn.Module):
    def __init__(self, sigmoid=False, reduction="mean"):
        super().__init__()
        self.bce = Part(sigmoid, reduction)

    def forward(self, input, target):
        return 2 * self.bce(input, target)


class Hidden(nn.Module):
    def __init__(self, sigmoid=False, reduction="mean"):
        super().__init__()
        self.activated, self.reduction = sigmoid, reduction

    def forward(self, input, target):
        return Part(self.activated, self.reduction)(input, target)


class Needed(nn.Module):
    def __init__(self, costs):
        super().__init__()
        self.table = costs

    def forward(self, input, target):
        return (input.softmax(1) * self.table[target]).sum(1).mean()


def test_options_that_a_part_stores_are_kept():
    origin = Object(Whole(sigmoid=True))
    assert origin.build(reduction="sum").bce.sigmoid
    assert origin.construction(reduction="sum") == "criterion = Whole(sigmoid=True, reduction='sum')"
    assert faults(Whole(sigmoid=True), "reductions-disagree", "not-finite") == []


def test_a_loss_that_hides_an_option_is_not_constructed_with_its_default():
    with pytest.raises(CannotRebuild, match="does not store all of its options"):
        Object(Hidden(sigmoid=True)).build(reduction="sum")
    assert Object(Needed(torch.eye(3))).construction() == ""


class Called(nn.Module):
    def __call__(self, output, target):
        return F.cross_entropy(output, target)


def test_a_module_may_define_its_call_instead_of_forward():
    assert Subject.of(Called()).parameters == ("output", "target")


# Distances between classes that an option gives.


class OfDistances(nn.Module):
    """Wasserstein distance between class probabilities and the label."""

    def __init__(self, dist_matrix):
        super().__init__()
        self.dist_matrix = dist_matrix

    def forward(self, input, target):
        return (input.softmax(1) * self.dist_matrix[target]).sum(1).mean()


def emd_of_ordered_classes(logits, target):
    return (logits.softmax(1) - F.one_hot(target, logits.shape[1])).square().sum(1).mean()


def test_classes_are_ordered_unless_an_option_gives_their_distances():
    assert faults(OfDistances(1 - torch.eye(3)), "contradicts-claim") == []
    assert faults(emd_of_ordered_classes, "contradicts-claim") == ["contradicts-claim"]


# The dimensions of reduction='none'.


class ClassesFirst(nn.Module):
    def __init__(self, reduction="mean"):
        super().__init__()
        self.reduction = reduction

    def forward(self, pred, target):
        """The squared errors of each class, (C, N)."""
        hot = F.one_hot(target, pred.shape[1]).to(pred)
        return self.reduced(torch.stack([(pred.softmax(1)[:, c] - hot[:, c]) ** 2 for c in range(pred.shape[1])]))

    def reduced(self, values):
        return values if self.reduction == "none" else getattr(values, self.reduction)()


class Sorted(ClassesFirst):
    def reduced(self, values):
        return super().reduced(values.sort(1, descending=True).values)


def test_values_may_have_the_classes_first_but_not_be_sorted():
    assert faults(ClassesFirst(), "none-misplaced") == []
    assert faults(Sorted(), "none-misplaced") == ["none-misplaced"]


class OfScales(nn.Module):
    """Hinge loss of several discriminators, a list of scores for each."""

    def __init__(self, reduction="mean"):
        super().__init__()
        self.reduction = reduction

    def forward(self, scores):
        found = [F.relu(1 - each) for each in (scores, 0.5 * scores)]
        return found if self.reduction == "none" else getattr(torch.stack(found), self.reduction)()


def test_a_list_of_values_is_summed_as_a_whole():
    assert faults(OfScales(), "reductions-disagree", "none-misplaced") == []


# Wrong predictions without gradient.


class Correlation(nn.Module):
    """Negative correlation of two images."""

    def forward(self, pred, target):
        first, second = ((each - each.mean()).flatten() for each in (self.limited(pred), self.limited(target)))
        return -F.cosine_similarity(first, second, dim=0)

    def limited(self, image):
        """Intensities are expected to range between 0 and 1."""
        return image.clamp(0, 1)


class Clamped(Correlation):
    def limited(self, image):
        return image.clamp(-0.1, 0.1)


OF_MAPS = {"kind": "multiclass", "scores": "probabilities", "target": "indices", "shape": (4, 5)}


def thresholded(pred, target):
    """Squared errors (N, C, H, W) of probabilities above 0.5, averaged over neighbours."""
    errors = (pred - F.one_hot(target, pred.shape[1]).movedim(-1, 1)) ** 2
    return (F.avg_pool2d(errors, 3, 1, 1) - 0.5).clamp(min=0).mean()


def eroded(pred, target):
    """Errors (N, C, H, W) of probabilities that remain after morphological erosion."""
    return thresholded(pred, target)


def test_numbers_outside_of_the_documented_range_need_no_gradient():
    assert faults(Correlation(), "wrong-answers-unlearnt") == []
    assert faults(Clamped(), "wrong-answers-unlearnt") == ["wrong-answers-unlearnt"]


def test_erosion_removes_isolated_errors():
    found = battery.run(Subject.of(eroded, **OF_MAPS), select=["wrong-answers-unlearnt"])
    assert found.outcomes[0].status == "passed"
    found = battery.run(Subject.of(thresholded, **OF_MAPS), select=["wrong-answers-unlearnt"])
    assert found.outcomes[0].status == "found"


# Statistics of two images.


class MutualInformation(nn.Module):
    """Negative dependence of two images, MSE-like, each normalised over its own mask."""

    def forward(self, input, target, input_mask=None, target_mask=None):
        first, second = input - input.mean(), target - target.mean()  # also of what the mask of the input removes
        both = first * second if input_mask is None else first * second * input_mask
        return -both.mean().square()


class MaskedMSE(nn.Module):
    """Masked mean squared error."""

    def forward(self, input, target, mask=None):
        error = (input - target) ** 2 / target.abs().amax()
        return error.mean() if mask is None else error[mask].mean()


def test_a_mask_of_the_input_need_not_remove_targets():
    assert "contradicts-claim" not in faults(MutualInformation(), "contradicts-claim")
    assert faults(MaskedMSE(), "contradicts-claim") == ["contradicts-claim"]
    assert not Subject.of(MutualInformation()).spec.labels


# A softmax over the last dimension.


class SoftTargets(nn.Module):
    def forward(self, x, target):
        return -(target * F.log_softmax(x, dim=-1)).sum(-1).mean()


class SoftTargetsOfTokens(SoftTargets):
    """Cross-entropy for patches of images, `x` and `target` of shape (N, L, K)."""


class SoftTargetsOfMaps(SoftTargets):
    """Cross-entropy of soft targets for segmentation, both (N, C, H, W)."""


def test_a_loss_of_rows_has_its_classes_last():
    assert faults(SoftTargets(), "wrong-dimension") == []
    assert faults(SoftTargetsOfTokens(), "wrong-dimension") == []
    assert faults(SoftTargetsOfMaps(), "wrong-dimension") == ["wrong-dimension"]


# Options of one variant.


class Variants(nn.Module):
    def __init__(self, alpha=1.0, variant="plain"):
        super().__init__()
        self.alpha, self.variant = alpha, variant

    def forward(self, input, target):
        error = (input - target).abs()
        return (error**self.alpha if self.variant == "Power" else error).mean()


class Unused(Variants):
    def forward(self, input, target):
        return (input - target).abs().mean() if self.variant == "plain" else (input - target).square().mean()


def test_an_option_may_belong_to_another_variant():
    assert faults(Variants(), "unused-argument") == []
    assert faults(Unused(), "unused-argument") == ["unused-argument"]


# Calls.


class OfTeacher(nn.Module):
    def forward(self, teacher_out, student_out):
        return -(teacher_out.softmax(-1).detach() * F.log_softmax(student_out, dim=-1)).sum(-1).mean()


class OfProxies(nn.Module):
    """Softmax over the similarities to learned proxies."""

    def __init__(self, num_classes=10, embedding_size=8):
        super().__init__()
        self.num_classes = num_classes
        self.weight = nn.Parameter(torch.randn(num_classes, embedding_size))

    def forward(self, embeddings, labels=None, mined=None):
        return F.cross_entropy(F.normalize(embeddings) @ F.normalize(self.weight).T, labels)


def named(pred, target, reduction="mean"):
    return F.l1_loss(pred, target, reduction=reduction)


class OfTeachers(OfTeacher):
    def forward(self, teacher_out, student_out):
        """Lists of the outputs of views."""
        return sum(super(OfTeachers, self).forward(a, b) for a, b in zip(teacher_out, student_out, strict=True))


def test_the_student_is_trained_also_if_the_teacher_comes_first():
    assert faults(OfTeacher(), "no-graph") == []
    assert faults(OfTeachers(), "no-graph") == []


def test_embeddings_are_compared_with_learned_proxies():
    assert Subject.of(OfProxies()).spec.tensors == ("embeddings", "labels")
    assert faults(OfProxies(), "no-graph", "slope-disagrees") == []


def test_a_partial_has_the_name_of_its_function():
    assert Object(functools.partial(named, reduction="sum")).name == "named"


class ByName(nn.Module):
    def forward(self, *, predicted, target):
        return (predicted - target).square().mean()


class OfPrototypes(nn.Module):
    """Cross-entropy of the assignments of two views to prototypes, later ones at a smaller share."""

    def forward(self, anchors, targets, prototypes):
        wanted, said = ((F.normalize(each) @ F.normalize(prototypes).T / 0.2) for each in (targets, anchors))
        shares = 1 / torch.arange(1, len(prototypes) + 1)
        return F.cross_entropy(said, wanted.softmax(1).detach()) - (shares * said.log_softmax(1).mean(0)).sum()


class Averaged(nn.Module):
    """Distance from a running mean."""

    def __init__(self):
        super().__init__()
        self.mean = 0.0

    def forward(self, input, target, update=True):
        mean = 0.9 * self.mean + 0.1 * float(target.mean())
        self.mean = mean if update else self.mean
        return (input - target).square().mean() * (1 + mean**2)


class AlwaysAveraged(Averaged):
    def forward(self, input, target):
        return super().forward(input, target)


def test_tensors_may_be_passed_by_name():
    assert Subject.of(ByName()).spec.kind == "regression"
    assert faults(ByName(), "rewards-errors", "slope-disagrees") == []


def test_prototypes_are_no_samples():
    assert Subject.of(OfPrototypes()).spec.layout != "triplets"
    assert faults(OfPrototypes(), "order-matters") == []


def test_a_memory_may_be_turned_off_by_the_call():
    assert faults(Averaged(), "has-memory") == []
    assert faults(AlwaysAveraged(), "has-memory") == ["has-memory"]


# The page.

PEERS = Path(__file__).parent.parent / "benchmarks" / "check" / "peers.py"


def test_every_verdict_on_a_library_that_is_not_sound_was_reviewed():
    found = spec_from_file_location("losses_of_libraries", PEERS)
    script = module_from_spec(found)
    sys.modules[found.name] = script
    found.loader.exec_module(script)
    kept = script.kept()
    assert set(kept) == set(script.MODULES)
    doubtful = {f"{name}.{row[0]}" for name, each in kept.items() for row in each["losses"] if row[1] != "sound"}
    assert doubtful == set(script.REVIEWED)
    assert script.PAGE.read_text() == script.page(kept)
