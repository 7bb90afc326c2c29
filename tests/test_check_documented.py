"""Names and documentation as evidence: the kind that each loss is tested as, and faults that only they reveal."""

from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from losskit.checker import battery
from losskit.checker.checks.dead import dead_options
from losskit.checker.finding import FAULTS
from losskit.checker.subject import Subject
from losskit.checker.words import shapes_in


def test_shapes_are_read_from_documentation():
    text = """Loss of sequences.

    Args:
        pred, target: (B, T, D); all padded
        lengths (Tensor): of shape (B,), at most T
        scores: logits (batch_size, num_classes)
        either: (N, C) or (N, C, H, W)
        odd: (N, n + 1), rows (N,)
    """
    found = shapes_in(text, ["pred", "target", "lengths", "scores", "either", "odd", "rows"])
    assert found == {
        "pred": ("B", "T", "D"),
        "target": ("B", "T", "D"),
        "lengths": ("B",),
        "scores": ("batch_size", "num_classes"),
        "rows": ("N",),
    }


def heteroscedastic(mean, raw_scale, y):
    """Gaussian negative log-likelihood of y; the softplus of raw_scale is the standard deviation."""
    std = F.softplus(raw_scale) + 1e-4
    return (0.5 * ((y - mean) / std) ** 2 + std.log()).mean()


WITH_WEIGHTS = Path(__file__).parent.parent / "benchmarks" / "check" / "second" / "arc_margin.py"


def test_a_loss_with_random_weights_and_one_with_a_raw_scale_are_not_accused():
    for loss in (f"{WITH_WEIGHTS}:ArcMarginLoss", heteroscedastic):
        report = battery.run(Subject.of(loss), select=["compile", "forward-mode", "rewards-errors"])
        assert [finding.check for finding in report if finding.severity in FAULTS] == []


def ranking(pos_scores, neg_scores):
    """Positives should score higher."""
    return -F.logsigmoid(pos_scores - neg_scores).mean()


def ranking_swapped(pos_scores, neg_scores):
    return -F.logsigmoid(neg_scores - pos_scores).mean()


def fakes_called_real(real_logits, fake_logits):
    """Discriminator."""
    return F.softplus(-real_logits).mean() + F.softplus(-fake_logits).mean()


class Preference(nn.Module):
    """Log-probabilities (N,) of chosen and rejected answers, under a policy and a reference."""

    sign = 1

    def forward(self, policy_chosen, policy_rejected, ref_chosen, ref_rejected):
        margin = (policy_chosen - policy_rejected) - (ref_chosen - ref_rejected)
        return -F.logsigmoid(0.1 * self.sign * margin).mean()


class PreferenceSwapped(Preference):
    """Log-probabilities (N,) of chosen and rejected answers, under a policy and a reference."""

    sign = -1


def padded(pred, target, lengths):
    """Squared error of the first `lengths` steps. pred, target (B, T, D); lengths (B,)."""
    keep = (torch.arange(pred.shape[1]) < lengths[:, None]).unsqueeze(-1).to(pred)
    return ((pred - target) ** 2 * keep).sum() / keep.sum().clamp(min=1)


def padding_counts(pred, target, lengths):
    """Squared error of the first `lengths` steps. pred, target (B, T, D); lengths (B,)."""
    return ((pred - target) ** 2).mean()


def gaussian(mean, log_sigma, y):
    """Gaussian negative log-likelihood."""
    return (0.5 * ((y - mean) / log_sigma.exp()) ** 2 + log_sigma).mean()


def gaussian_of_the_wrong_variance(mean, log_var, y):
    """Gaussian negative log-likelihood."""
    return (0.5 * (y - mean) ** 2 * (-log_var).exp() + log_var).mean()


def divergence(mu, logvar):
    return -0.5 * (1 + logvar - mu**2 - logvar.exp()).sum(1).mean()


def negated_divergence(mu, logvar):
    return -divergence(mu, logvar)


def shifted(logits, tokens):
    """Next-token cross-entropy. logits (N, T, V), tokens (N, T)."""
    return F.cross_entropy(logits[:, :-1].flatten(0, 1), tokens[:, 1:].flatten(), ignore_index=0)


def unshifted(logits, tokens):
    """Cross-entropy in which position t predicts token t + 1. logits (N, T, V), tokens (N, T)."""
    return F.cross_entropy(logits.flatten(0, 1), tokens.flatten())


def scrambled(logits, labels):
    """Cross-entropy of pixels. logits (N, C, H, W), labels (N, H, W)."""
    return F.cross_entropy(logits.reshape(-1, logits.shape[1]), labels.reshape(-1))


class Quantile(nn.Module):
    """Pinball loss of one quantile. pred, target (N,)."""

    sign = 1

    def __init__(self, q=0.9):
        super().__init__()
        self.q = q

    def forward(self, pred, target):
        error = self.sign * (target - pred)
        return torch.max(self.q * error, (self.q - 1) * error).mean()


class QuantileSwapped(Quantile):
    """Pinball loss of one quantile. pred, target (N,)."""

    sign = -1


class Distilled(nn.Module):
    """T^2 * KL(teacher || student)."""

    factor = 2
    straight = True

    def __init__(self, T=3.0):
        super().__init__()
        self.T = T

    def forward(self, student, teacher):
        s, t = (x / self.T for x in ((student, teacher) if self.straight else (teacher, student)))
        return F.kl_div(s.log_softmax(1), t.softmax(1), reduction="batchmean") * self.T**self.factor


class WithoutFactor(Distilled):
    """T^2 * KL(teacher || student)."""

    factor = 0


class Reversed(Distilled):
    """T^2 * KL(teacher || student)."""

    straight = False


class Contrast(nn.Module):
    """InfoNCE of two views (N, D)."""

    power = -1

    def __init__(self, temperature=0.1):
        super().__init__()
        self.temperature = temperature

    def forward(self, query, key):
        similar = F.normalize(query, dim=1) @ F.normalize(key, dim=1).t()
        return F.cross_entropy(similar * self.temperature**self.power, torch.arange(len(query)))


class Flattened(Contrast):
    """InfoNCE of two views (N, D)."""

    power = 1


class Smoothed(nn.Module):
    """Cross-entropy with label smoothing."""

    def __init__(self, smoothing=0.1):
        super().__init__()
        if not 0 <= smoothing < 1:
            raise ValueError("smoothing")
        self.smoothing = smoothing
        self.confidence = 1 - smoothing

    def forward(self, logits, labels):
        return F.cross_entropy(logits, labels, label_smoothing=0.1)


class Triplet(nn.Module):
    """Triplet loss."""

    sign = 1

    def __init__(self, margin=0.3):
        super().__init__()
        self.margin = margin

    def forward(self, anchor, positive, negative):
        far, near = F.pairwise_distance(anchor, negative), F.pairwise_distance(anchor, positive)
        return F.relu(near - far + self.sign * self.margin).mean()


class TripletEased(Triplet):
    sign = -1


def error_of_targets(q, next_q, reward):
    """Squared error of values (N,); no gradient flows into next_q."""
    return F.mse_loss(q, reward + 0.9 * next_q)


def outside_the_mask(pred, target, mask):
    """Absolute error where mask is 1."""
    keep = 1 - mask.to(pred.dtype)
    return ((pred - target).abs() * keep).sum() / keep.sum().clamp(min=1)


def lists_over_samples(scores, relevance):
    """ListNet: the cross-entropy of each list. scores, relevance (N, L)."""
    return -(relevance.softmax(0) * scores.log_softmax(0)).sum(1).mean()


def thresholds(logits, labels):
    """CORAL: logits (N, K-1), labels 0 to K-1."""
    levels = labels[:, None] >= torch.arange(logits.shape[1])
    return F.binary_cross_entropy_with_logits(logits, levels.to(logits.dtype))


FAULTY = [
    (ranking_swapped, "rewards-errors"),
    (fakes_called_real, "rewards-errors"),
    (PreferenceSwapped(), "rewards-errors"),
    (padding_counts, "unread-argument"),
    (gaussian_of_the_wrong_variance, "rewards-errors"),
    (negated_divergence, "rewards-errors"),
    (unshifted, "not-as-documented"),
    (scrambled, "rewards-errors"),
    (QuantileSwapped(), "rewards-errors"),
    (WithoutFactor(), "not-as-documented"),
    (Reversed(), "not-as-documented"),
    (Flattened(), "not-as-documented"),
    (Smoothed(), "unused-argument"),
    (TripletEased(), "margin-eases"),
    (error_of_targets, "not-as-documented"),
    (outside_the_mask, "no-graph"),
    (lists_over_samples, "wrong-dimension"),
    (thresholds, "rewards-errors"),
]
SOUND = [
    *(ranking, Preference(), padded, gaussian, divergence, shifted),
    *(Quantile(), Distilled(), Contrast(), Triplet()),
]
SLOW = ("compile", "export", "half-sums-overflow", "peak-memory", "copies", "saves-more")


def named(loss):
    return getattr(loss, "__name__", type(loss).__name__)


def report(loss):
    return battery.run(Subject.of(loss), select=[each for each in battery.checks() if each not in SLOW])


@pytest.mark.parametrize(("loss", "check"), FAULTY, ids=lambda each: each if isinstance(each, str) else named(each))
def test_a_fault_that_names_or_documentation_reveal_comes_first(loss, check):
    found = report(loss)
    # A claim names the same fault, and an edit the line of it.
    assert found.findings[0].check in (check, "contradicts-claim", "one-edit-from-formula"), found


@pytest.mark.parametrize("loss", SOUND, ids=named)
def test_a_loss_as_documented_is_not_accused(loss):
    found = report(loss)
    assert not found.of(*FAULTS), found


def test_only_an_option_that_no_code_reads_is_dead():
    assert dead_options(Smoothed()) == {"smoothing"}
    assert not dead_options(Quantile())
    assert not dead_options(nn.HuberLoss())
