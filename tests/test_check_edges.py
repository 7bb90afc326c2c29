"""Edges, axes, batches and terms: faults that show where tensors touch, are not square, repeat, or are overwritten."""

import math

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from losskit.checker import battery
from losskit.checker.checks.dead import overwritten
from losskit.checker.finding import FAULTS
from losskit.checker.subject import Subject


def found_by(check, loss):
    report = battery.run(Subject.of(loss), select=[check])
    return [each.what for each in report if each.severity in FAULTS]


def margin_softmax(bounded):
    class ArcMargin(nn.Module):
        """Additive angular margin on embeddings (N, D) and labels (N,)."""

        def __init__(self, size=8, classes=4, scale=16.0, margin=0.3):
            super().__init__()
            self.centres = nn.Parameter(torch.randn(classes, size))
            self.scale, self.margin = scale, margin

        def forward(self, x, y):
            cosine = F.linear(F.normalize(x), F.normalize(self.centres))
            angle = torch.acos(cosine.clamp(-1 + 1e-6, 1 - 1e-6) if bounded else cosine)
            own = F.one_hot(y, len(self.centres)).bool()
            return F.cross_entropy(self.scale * torch.where(own, torch.cos(angle + self.margin), cosine), y)

    return ArcMargin()


def box_error(signed):
    def loss(output, truth, has_object):
        """Error of boxes.

        output: (N, S, S, 4) raw output of the last layer
        truth: (N, S, S, 4) offsets and sizes in [0, 1]
        has_object: (N, S, S) 0/1
        """
        sizes = output[..., 2:]
        roots = sizes.sign() * (sizes.abs() + 1e-6).sqrt() if signed else (sizes + 1e-6).sqrt()
        error = (output[..., :2] - truth[..., :2]) ** 2 + (roots - truth[..., 2:].sqrt()) ** 2
        return (has_object[..., None] * error).sum() / len(output)

    return loss


@pytest.mark.parametrize(
    ("made", "words"),
    [(margin_softmax, "in the direction of the weights"), (box_error, "negative output, documented as the raw")],
)
def test_an_edge_without_a_slope_is_found(made, words):
    assert found_by("not-finite", made(True)) == []
    (what,) = found_by("not-finite", made(False))
    assert words in what


def variation(square):
    def total_variation(x):
        height, width = (x.shape[-2],) * 2 if square else x.shape[-2:]
        rows, columns = (x[..., 1:, :] - x[..., :-1, :]).square(), (x[..., 1:] - x[..., :-1]).square()
        return (rows.sum() / ((height - 1) * width) + columns.sum() / (height * (width - 1))) / len(x)

    return total_variation


def slopes_of_images(square):
    def gradient_error(prediction, target):
        error = prediction - target
        height, width = (error.shape[-1],) * 2 if square else error.shape[-2:]
        rows, columns = (error[..., 1:, :] - error[..., :-1, :]).abs(), (error[..., 1:] - error[..., :-1]).abs()
        return rows.sum() / (height - 1) / width / len(error) + columns.sum() / height / (width - 1) / len(error)

    return gradient_error


def half_spectrum(prediction, target):
    """Not alike along both axes, in square images either."""
    return (torch.fft.rfft2(prediction) - torch.fft.rfft2(target)).abs().mean()


def along_rows(x):
    """Smoothness along the rows alone."""
    return (x[..., 1:] - x[..., :-1]).square().mean()


@pytest.mark.parametrize("made", [variation, slopes_of_images])
def test_the_size_of_the_other_axis_is_found(made):
    assert found_by("wrong-dimension", made(False)) == []
    (what,) = found_by("wrong-dimension", made(True))
    assert "the size of one axis is used for the other" in what


def test_axes_that_differ_on_purpose_are_not_accused():
    assert found_by("wrong-dimension", half_spectrum) == []
    assert found_by("wrong-dimension", along_rows) == []


def thresholds(mean):
    def ordinal_loss(logits, ranks):
        """Binary cross-entropy of the levels, averaged over all (example, threshold) pairs.

        logits: (N, K - 1), ranks: (N,)
        """
        levels = (ranks[:, None] > torch.arange(logits.shape[1])).to(logits)
        each = F.binary_cross_entropy_with_logits(logits, levels, reduction="none")
        return each.mean() if mean else each.sum() / logits.shape[1]

    return ordinal_loss


def triplets(mean):
    def triplet_loss(anchor, positive, negative, margin=0.3):
        """Triplet loss, the mean over the triplets of the batch."""
        near, far = F.pairwise_distance(anchor, positive), F.pairwise_distance(anchor, negative)
        each = F.relu(near - far + margin)
        return each.mean() if mean else each.sum()

    return triplet_loss


def summed(prediction, target):
    """Squared error, summed over the samples and averaged over the channels."""
    return (prediction - target).square().sum() / prediction.shape[1]


@pytest.mark.parametrize("made", [thresholds, triplets])
def test_a_documented_mean_that_grows_with_the_batch_is_found(made):
    assert found_by("not-as-documented", made(True)) == []
    (what,) = found_by("not-as-documented", made(False))
    assert "grows with the batch" in what


def test_a_documented_sum_is_not_accused():
    assert found_by("not-as-documented", summed) == []


def edges_lost(source, target, params=(), decay=0.01):
    loss = source.new_zeros(())
    for each in params:
        loss = loss + decay * each.square().sum()
    error = (source - target).square()
    loss = error.mean()
    return 2 * loss


def edges_kept(source, target, params=(), decay=0.01):
    loss = source.new_zeros(())
    for each in params:
        loss = loss + decay * each.square().sum()
    error = (source - target).square()
    loss = loss + error.mean()
    return 2 * loss


def reused(source, target, slope=0.5):
    error = source - target
    error = torch.where(error > 0, error, slope * error)
    loss = error.square()
    size = loss.mean()
    loss = size * math.pi
    return 2 * loss


def remembered(self, source, target):
    kept = self.update(target)
    kept = source.square()
    return kept.mean()


def test_arguments_of_an_overwritten_term_are_found():
    assert overwritten(edges_lost) == (["params", "decay"], "loss")
    (what,) = found_by("unused-argument", edges_lost)
    assert what.startswith("params and decay change nothing")


class Distilled(nn.Module):
    def __init__(self, temperature=2.0, penalty=0.1):
        super().__init__()
        self.temperature, self.penalty = temperature, penalty

    def forward(self, student, teacher):
        loss = self.penalty * student.square().mean()
        logs, shares = (student / self.temperature).log_softmax(1), (teacher / self.temperature).softmax(1)
        loss = F.kl_div(logs, shares, reduction="batchmean")
        return self.temperature**2 * loss


def test_an_option_of_an_overwritten_term_is_found():
    assert overwritten(Distilled()) == (["penalty"], "loss")


@pytest.mark.parametrize("loss", [edges_kept, reused, remembered])
def test_terms_that_are_read_are_not_called_overwritten(loss):
    assert overwritten(loss) == ([], "")
