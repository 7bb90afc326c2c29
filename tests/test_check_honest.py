"""Losses that are sound, and that trial calls once accused; and their twins with a mistake, which is named."""

import ast
import time

import pytest
import torch
import torch.nn.functional as F
from torch import nn

import losskit
from losskit.checker import battery, trial
from losskit.checker.claims.equations import equation_of
from losskit.checker.finding import FAULTS
from losskit.checker.spec import Unsure
from losskit.checker.subject import Subject


def faults(loss, *select):
    return [f.check for f in battery.run(Subject.of(loss), select=select) if f.severity in FAULTS]


def form(loss):
    spec = Subject.of(loss).spec
    return spec.kind, spec.scores, spec.layout


# Sizes that exhaust time or memory.


def of_images(first, second):
    """A loss that takes nothing but images, and does not return."""
    if first.shape[-2:] != (16, 18):
        raise ValueError("takes images")
    while True:
        pass


def too_much(first, second):
    if first.shape[-2:] != (16, 18):
        raise ValueError("takes images")
    raise MemoryError


def exhausts(input, target):
    raise MemoryError


@pytest.mark.parametrize("loss", [of_images, too_much])
def test_a_size_that_exhausts_time_or_memory_does_not_fit(loss, monkeypatch):
    monkeypatch.setattr(trial, "_SECONDS", 0.05)
    with pytest.raises(Unsure):
        Subject.of(loss)


def test_small_tensors_that_exhaust_memory_are_a_fault():
    assert [f.check for f in losskit.check(exhausts)] == ["eats-memory"]


# What a loss says that it takes.


def smoothed(x, target):
    """Label smoothing of log-probabilities (N, V)."""
    hot = torch.full_like(x, 0.1 / x.shape[1]).scatter(1, target.unsqueeze(1), 0.9)
    return F.kl_div(x, hot, reduction="sum")


def smoothed_plainly(x, target):
    return F.nll_loss(x, target)


def of_logits(logits, target):
    return F.nll_loss(logits, target)


def of_softmax(x, target):
    return F.nll_loss(x.softmax(1), target)


@pytest.mark.parametrize("loss", [smoothed, smoothed_plainly])
def test_log_probabilities_are_the_callers(loss):
    assert faults(loss, "misused-function") == []


@pytest.mark.parametrize("loss", [of_logits, of_softmax])
def test_scores_in_place_of_log_probabilities_are_named(loss):
    assert faults(loss, "misused-function") == ["misused-function"]


def approx_ndcg_loss(scores, relevance):
    """1 - smooth NDCG of lists (N, L)."""
    above = torch.sigmoid(10 * (scores.unsqueeze(1) - scores.unsqueeze(2))).sum(2) + 0.5
    gains = 2 ** relevance.clamp_min(0) - 1
    ranks = torch.arange(1, scores.shape[1] + 1).to(scores)
    best = (gains.sort(1, descending=True).values / (ranks + 1).log2()).sum(1)
    return (1 - (gains / (above + 1).log2()).sum(1) / best.clamp_min(1e-9)).mean()


def test_a_loss_of_lists_is_no_regression():
    assert form(approx_ndcg_loss)[0] != "regression"
    assert faults(approx_ndcg_loss) == []


class Hazards(nn.Module):
    """Discrete-time survival; h (N, K) logits of the hazards, y (N,) bins, c (N,) censored."""

    def __init__(self, reduction="mean"):
        super().__init__()
        self.reduction = reduction

    def forward(self, h, y, c):
        y, c = y.long().reshape(-1, 1), c.reshape(-1, 1).to(h)
        kept = F.logsigmoid(-h).cumsum(1)
        before = F.pad(kept, (1, 0)).gather(1, y)
        each = -c * kept.gather(1, y) - (1 - c) * (before + F.logsigmoid(h).gather(1, y))
        return each.mean() if self.reduction == "mean" else each.sum()


def of_hazards(hazards, y, c):
    """Discrete-time survival of hazards (N, K), bins (N,) and censoring (N,)."""
    return Hazards()(hazards.clamp(1e-7, 1 - 1e-7).logit(), y, c)


def of_events(hazards, y, event):
    """Discrete-time survival of logits of hazards (N, K), bins (N,) and events (N,)."""
    return Hazards()(hazards, y, 1 - event)


@pytest.mark.parametrize(
    ("loss", "taken"),
    [
        (Hazards(), ("survival", "logits", "censored-bins")),
        (of_hazards, ("survival", "probabilities", "censored-bins")),
        (of_events, ("survival", "logits", "bins")),
    ],
)
def test_discrete_time_survival(loss, taken):
    assert form(loss) == taken
    assert faults(loss) == []


def surface_loss(logits, dist_maps):
    """Probabilities times signed distances: negative inside the object."""
    return (logits.softmax(1) * dist_maps)[:, 1:].mean()


def test_signed_distances_are_no_views():
    assert form(surface_loss)[0] == "penalty"
    assert faults(surface_loss) == []


class Projected(nn.Module):
    """Mean error along random directions."""

    def forward(self, input, target):
        directions = F.normalize(torch.randn(input.shape[1], 8).to(input), dim=0)
        return ((input - target) @ directions).square().mean()


def test_a_random_loss_that_is_exported_is_not_accused_of_another_number():
    assert faults(Projected(), "export") == []


class Replayed(nn.Module):
    """q, next_q: (B, A); actions, rewards, dones and is_weights: (B,)."""

    def __init__(self, gamma=0.99):
        super().__init__()
        self.gamma = gamma

    def forward(self, q, actions, rewards, dones, next_q, is_weights):
        target = rewards + self.gamma * (1 - dones) * next_q.max(1).values.detach()
        taken = q.gather(1, actions[:, None])[:, 0]
        return (is_weights * (taken - target).square()).mean()


class Undiscounted(Replayed):
    """q, next_q: (B, A); actions, rewards, dones and is_weights: (B,)."""

    def forward(self, q, actions, rewards, dones, next_q, is_weights):
        return Replayed(1.0)(q, actions, rewards, dones, next_q, is_weights)


def test_an_option_of_few_samples_that_count_is_not_called_unused():
    assert faults(Replayed(), "unused-argument") == []
    assert faults(Undiscounted(), "unused-argument") == ["unused-argument"]


def test_a_long_documentation_without_an_equation_is_read_at_once():
    started = time.process_time()
    assert equation_of("maps (N, 2) points (x, t) to u (N, 1) " * 200) is None
    found = equation_of("Loss for u_t + u u_x = nu u_xx. " + "model maps points to u " * 50)
    assert ast.unparse(found) == "u_t + u * u_x - nu * u_xx"
    assert time.process_time() - started < 1


class OfModes(nn.Module):
    """Dice loss. mode: "binary" or "multiclass"."""

    def __init__(self, mode="binary"):
        super().__init__()
        self.mode = mode

    def forward(self, y_pred, y_true):
        """
        y_pred: (N, C, H, W)
        y_true: (N, H, W)
        """
        p, t = y_pred.sigmoid().reshape(len(y_pred), -1), y_true.reshape(len(y_true), -1).to(y_pred)
        return 1 - ((2 * (p * t).sum(1) + 1) / (p.sum(1) + t.sum(1) + 1)).mean()


def test_shapes_that_are_documented_for_another_mode_exclude_no_form():
    assert form(OfModes())[1:] == ("logits", "same")
