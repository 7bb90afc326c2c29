"""Selections, states, class weights, rotations and masks: the mistake is named, and its sound twin is not accused."""

from itertools import permutations

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from losskit import build
from losskit.checker import battery
from losskit.checker.subject import Subject


class BatchHard(nn.Module):
    """Batch-hard triplet loss: the hardest negative is the nearest. embeddings (N, D), labels (N,)."""

    def nearest(self, distances, same):
        return distances.masked_fill(same, torch.inf).min(1).values

    def forward(self, embeddings, labels):
        distances = ((embeddings[:, None] - embeddings[None]).pow(2).sum(-1) + 1e-12).sqrt()
        same = labels[:, None] == labels[None]
        farthest = distances.masked_fill(~same, -torch.inf).max(1).values
        return F.relu(farthest - self.nearest(distances, same) + 0.3).mean()


class FarthestNegative(BatchHard):
    __doc__ = BatchHard.__doc__

    def nearest(self, distances, same):
        return (distances * ~same).max(1).values


def of_orders(estimate, target):
    return torch.stack([(estimate[:, list(p)] - target).pow(2).mean((1, 2)) for p in permutations(range(2))])


def pit(estimate, target):
    """Permutation invariant squared error of two sources. estimate, target (B, 2, T)."""
    return of_orders(estimate, target).min(0).values.mean()


def pit_of_batch(estimate, target):
    """Permutation invariant squared error of two sources. estimate, target (B, 2, T)."""
    return of_orders(estimate, target).mean(1).min()


class Centered(nn.Module):
    """Cross-entropy with a teacher, whose outputs are centered: a moving average. student, teacher (N, 4)."""

    follows = "teacher"

    def __init__(self):
        super().__init__()
        self.register_buffer("center", torch.zeros(4))

    def forward(self, student, teacher):
        share = (teacher - self.center).softmax(-1).detach()
        with torch.no_grad():
            self.center.lerp_({"student": student, "teacher": teacher}[self.follows].mean(0).to(self.center), 0.1)
        return -(share * student.log_softmax(-1)).sum(-1).mean()


class CenteredByStudent(Centered):
    __doc__ = Centered.__doc__
    follows = "student"


class Weighted(nn.Module):
    """Cross-entropy with class weights. logits (N, C), target (N,)."""

    reduction = "mean"

    def __init__(self):
        super().__init__()
        self.register_buffer("weight", torch.tensor([0.2, 1.0, 3.0]))

    def forward(self, logits, target):
        loss = F.cross_entropy(logits, target, self.weight.to(logits), reduction="none")
        return loss.sum() / self.weight.to(logits)[target].sum()


class WeightedTwice(Weighted):
    def forward(self, logits, target):
        weight = self.weight.to(logits)
        loss = F.cross_entropy(logits, target, weight, reduction="none") * weight[target]
        return loss.sum() / weight[target].sum()


def cosine_of(one, other):
    return ((one.transpose(1, 2) @ other).diagonal(dim1=1, dim2=2).sum(1) - 1) / 2


def geodesic(one, other):
    """The angle between rotation matrices (B, 3, 3)."""
    return cosine_of(one, other).clamp(-1 + 1e-6, 1 - 1e-6).acos().mean()


def geodesic_to_the_edge(one, other):
    """The angle between rotation matrices (B, 3, 3)."""
    return cosine_of(one, other).clamp(-1, 1).acos().mean()


def masked(pred, target, mask):
    """Mean absolute error where mask (B, T) is 1. pred, target (B, T, D)."""
    return ((pred - target).abs().mean(-1) * mask).sum() / mask.sum().clamp(min=1)


def masked_at_the_top(pred, target, mask):
    """Mean absolute error where mask (B, T) is 1. pred, target (B, T, D)."""
    return ((pred - target).abs().mean(-1) * mask).mean()


def padded(pred, label, valid_len):
    """Cross-entropy of the first valid_len (B,) steps. pred (B, T, V), label (B, T)."""
    keep = torch.arange(pred.shape[1]) < valid_len[:, None]
    loss = F.cross_entropy(pred.transpose(1, 2), label, reduction="none") * keep
    return (loss.sum(1) / valid_len).mean()


def padded_mean(pred, label, valid_len):
    """Cross-entropy of the first valid_len (B,) steps. pred (B, T, V), label (B, T)."""
    keep = torch.arange(pred.shape[1]) < valid_len[:, None]
    return (F.cross_entropy(pred.transpose(1, 2), label, reduction="none") * keep).mean()


CLAIMED = [
    (BatchHard(), FarthestNegative(), "not pushed apart"),
    (pit, pit_of_batch, "one order is chosen for the whole batch"),
    (Centered(), CenteredByStudent(), "center is updated with student"),
    (Weighted(), WeightedTwice(), "weight counts twice"),
    (geodesic, geodesic_to_the_edge, "of equal rotations is not finite"),
    (masked, masked_at_the_top, "padded steps are counted"),
    (padded, padded_mean, "padded steps are counted"),
]


@pytest.mark.parametrize(("sound", "faulty", "words"), CLAIMED)
def test_the_mistake_is_named_and_the_sound_loss_is_not_accused(sound, faulty, words):
    for loss, expected in ((sound, 0), (faulty, 1)):
        found = list(battery.run(Subject.of(loss), select=["contradicts-claim"]))
        assert [words in each.what for each in found] == [True] * expected


class OfLevels(nn.Module):
    """Absolute error over the levels of a pyramid."""

    def __init__(self, weights=(1.0, 0.5)):
        super().__init__()
        self.weights = weights

    def forward(self, pred, target):
        loss = 0.0
        for weight in self.weights:
            loss = loss + weight * (pred - target).abs().mean()
            pred, target = 0.5 * pred, 0.5 * target
        return loss


class FirstLevel(OfLevels):
    def forward(self, pred, target):
        loss = 0.0
        for weight in self.weights:
            loss = loss + weight * (pred - target).abs().mean()
            return loss  # noqa: RET504
        return None


class Unweighted(OfLevels):
    def forward(self, pred, target):
        loss = 0.0
        for weight in self.weights:
            loss = loss + 0 * weight + (pred - target).abs().mean()
        return loss


@pytest.mark.parametrize(("loss", "words"), [(OfLevels, ""), (FirstLevel, "first round"), (Unweighted, "weights is")])
def test_every_level_counts_with_its_weight(loss, words):
    found = list(battery.run(Subject.of(loss()), select=["unused-argument"]))
    assert [words in each.what for each in found] == [True] * bool(words)


class OfTasks(nn.Module):
    """The losses of tasks, weighed by learned uncertainties."""

    def __init__(self):
        super().__init__()
        self.scales = nn.ParameterDict({name: nn.Parameter(torch.zeros(())) for name in ("depth", "seg")})

    def forward(self, losses):
        return sum((-s).exp() * losses[name] + s for name, s in self.scales.items())


class OfPlainTasks(OfTasks):
    __doc__ = OfTasks.__doc__

    def __init__(self):
        super().__init__()
        del self.scales
        self.scales = {name: torch.zeros((), requires_grad=True) for name in ("depth", "seg")}

    def forward(self, losses):
        return sum((-s).exp() * losses[name] + s for name, s in self.scales.items())


@pytest.mark.parametrize(("loss", "count"), [(OfTasks, 0), (OfPlainTasks, 1)])
def test_a_plain_dict_of_learned_weights_is_found(loss, count):
    assert len(list(battery.run(Subject.of(loss()), select=["unregistered-parameters"]))) == count


def test_steps_before_samples_are_not_shuffled_as_samples():
    def time_major(logits, tokens, lengths):
        """Token loss of logits (T, B, V) and tokens (T, B), up to lengths (B,)."""
        keep = torch.arange(len(tokens))[:, None] < lengths[None]
        return F.cross_entropy(logits.transpose(1, 2), tokens, reduction="none").masked_select(keep).mean()

    assert not list(battery.run(Subject.of(time_major), select=["order-matters"]))


def test_options_may_be_tensors_written_as_in_code(tmp_path):
    (tmp_path / "mine.py").write_text(
        "import torch\nclass Mine(torch.nn.Module):\n    def __init__(self, weight):\n        super().__init__()\n"
        "        self.weight = weight\n    def forward(self, x, y):\n        return ((x - y) * self.weight).mean()\n"
    )
    made = build(f"{tmp_path / 'mine.py'}:Mine(weight=torch.tensor([0.5, 2], dtype=torch.float64))", references=True)
    assert made.state_dict is not None
    with pytest.raises(ValueError, match="tensor"):
        build(f"{tmp_path / 'mine.py'}:Mine(weight=torch.tensor([1.0], device='cpu'))", references=True)


def test_documented_signs_are_read_as_such():
    def soft_margin(scores, target):
        """Soft margin loss of scores (N,); target is -1 or 1."""
        return F.softplus(-scores * target).mean()

    assert Subject.of(soft_margin).spec.layout == "signs"
