"""What a loss takes, found from the errors of trial calls: indices, dimensions, tuples, lists of losses."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from losskit.checker import battery
from losskit.checker.finding import Severity
from losskit.checker.subject import Subject


class NoiseLoss(nn.Module):
    """Weighted by a schedule, at the step of each sample."""

    def __init__(self):
        super().__init__()
        self.register_buffer("weights", torch.linspace(1, 2, 50))

    def forward(self, eps, noise, t):
        return (self.weights[t].to(eps) * (eps - noise).pow(2).flatten(1).mean(1)).mean()


def read_at(maps, positions):
    n, c, h, w = maps.shape
    rows = maps.view(n, c, h * w).permute(0, 2, 1)
    return rows.gather(1, positions.unsqueeze(-1).repeat(1, 1, c))


def offsets(maps, target, positions, count_mask):
    m = count_mask.unsqueeze(-1).to(maps)
    return ((read_at(maps, positions) - target).abs() * m).sum() / (m.sum() * maps.shape[1] + 1e-4)


def scaled_error(history, period, forecast, actual):
    scale = (history[:, period:] - history[:, :-period]).abs().mean(1, keepdim=True)
    return ((forecast - actual).abs() / scale).mean()


def speech(outputs, targets):
    frames, refined, stop = outputs
    errors = F.mse_loss(frames, targets[0]) + F.mse_loss(refined, targets[0])
    return errors + F.binary_cross_entropy_with_logits(stop.view(-1, 1), targets[1].sigmoid().view(-1, 1))


def crossed(logits, boxes):
    """Scores are logits B x Q x C, boxes B x Q x 4."""
    b, q, _ = logits.shape
    assert boxes.shape == (b, q, 4)
    return logits.logsumexp(2).square().mean() + boxes.abs().mean()


def of_joints(pred, truth, scale):
    """pred, truth: (B, J, 3); scale: (B,)"""
    bones = [(1, 0), (2, 1), (5, 2)]
    return sum(
        ((pred[:, a] - pred[:, b]).norm(dim=-1) - (truth[:, a] - truth[:, b]).norm(dim=-1)).abs().mean()
        for a, b in bones
    ) / (1 + scale.mean())


LAYOUTS = {
    "steps": (NoiseLoss(), "number:N,C;number:N,C;index50:N"),
    "positions": (offsets, "number:N,C,4,5;number:N,3,3;index20:N,C;flag:N,C"),
    "a number": (scaled_error, "number:N,C;number:N,C;number:N,C"),
    "tuples": (speech, "number:N,C;number:N,C;number:N,C;number:N,C;number:N,C"),
    "sizes with x": (crossed, "log:B,Q,C;number:B,Q,4"),
    "an index of the code": (of_joints, "number:B,6,3;number:B,6,3;positive:B"),
}


@pytest.mark.parametrize(("loss", "layout"), LAYOUTS.values(), ids=LAYOUTS)
def test_tensors_are_found_from_errors(loss, layout):
    subject = Subject.of(loss)
    assert subject.spec.layout == f"several {layout}"
    assert not faults(subject)


def faults(subject):
    ids = ["no-graph", "broadcasts", "order-matters", "has-memory", "slope-disagrees"]
    return [
        each for each in battery.run(subject, select=ids) if each.severity in (Severity.WRONG, Severity.NO_GRADIENT)
    ]


class Weighting(nn.Module):
    def __init__(self, cut=False):
        super().__init__()
        self.logs = nn.Parameter(torch.zeros(3))
        self.cut = cut

    def forward(self, *losses):
        stacked = torch.tensor(losses) if self.cut else torch.stack(losses)
        return (torch.exp(-self.logs) * stacked + self.logs).sum()


def test_any_number_of_losses_is_a_star_argument():
    assert Subject.of(Weighting()).spec.way.wraps[0].terms == 3
    assert not faults(Subject.of(Weighting()))
    assert [each.check for each in faults(Subject.of(Weighting(cut=True)))] == ["no-graph"]


def log_depth(estimate, truth):
    return (estimate.log() - truth.log()).abs().mean()


def test_numbers_are_positive_where_logarithms_need_it():
    spec = Subject.of(log_depth).spec
    assert (spec.scores, spec.layout) == ("positive", "same")


def feature_matching(real_maps, fake_maps):
    return sum((a.detach() - b).abs().mean() for a, b in zip(real_maps, fake_maps, strict=True))


def cut_prediction(pred, target):
    return (pred.detach() - target).abs().mean()


def test_the_side_without_gradient_is_the_reference_unless_it_is_the_prediction():
    assert not faults(Subject.of(feature_matching))
    assert faults(Subject.of(cut_prediction))[0].check == "no-graph"


class Centred(nn.Module):
    """pred, target: (N, C)"""

    def __init__(self, momentum):
        super().__init__()
        self.momentum = momentum
        self.register_buffer("center", torch.zeros(1))

    def forward(self, pred, target):
        loss = (pred - target - self.center).square().mean()
        self.center = self.center * self.momentum + (1 - self.momentum) * target.detach().mean()
        return loss


class Remembers(nn.Module):
    """pred, target: (N, C)"""

    def forward(self, pred, target):
        self.scale = 0.5 * getattr(self, "scale", 1.0)
        return self.scale * (pred - target).square().mean()


def test_a_moving_average_in_a_buffer_is_a_property():
    assert not faults(Subject.of(Centred(0.9)))
    assert [each.check for each in faults(Subject.of(Remembers()))] == ["has-memory"]


def column_loss(pred, target):
    return (pred - target).square().mean()


def documented_columns(pred, target):
    """pred: (N, 1), target: (N, 1)"""
    return (pred - target).square().mean()


def test_two_shapes_are_no_fault_where_one_is_documented():
    assert [each.check for each in faults(Subject.of(column_loss))] == ["broadcasts"]
    assert not faults(Subject.of(documented_columns))
