"""Losses that claim to be of a kind: the sound one is not accused, and the mistake in the other is named."""

import pytest
import torch
from torch import nn

import claimed_calls  # noqa: F401 - importing it fills PAIRS
import claimed_episodes  # noqa: F401 - the same
import claimed_sums  # noqa: F401 - the same
import claimed_symmetries  # noqa: F401 - the same
import losskit
from claimed import PAIRS
from losskit.checker import battery, origin
from losskit.checker.claims.by_roles import CLAIMS
from losskit.checker.claims.stored import stored_numbers
from losskit.checker.finding import FAULTS
from losskit.checker.spec import Unsure
from losskit.checker.subject import Subject


def claims_of(loss):
    """What contradicts the claims of a loss, whatever trial calls conclude."""
    return [each.what for each in battery.run(Subject.of(loss), select=["contradicts-claim"])]


@pytest.mark.parametrize("name", PAIRS)
def test_the_mistake_is_named_and_the_sound_loss_is_not_accused(name):
    sound, faulty, words = PAIRS[name]
    assert claims_of(sound) == []
    (found,) = claims_of(faulty)
    assert words in found


def test_every_relation_can_be_broken():
    """A relation without a loss that breaks it here is listed, and its test is in another file."""
    assert len({claim.said for claim in CLAIMS}) > 25


def cosine_embedding(x1, x2, y, margin=0.0):
    """y is 1 for similar pairs and -1 for others."""
    cosine = torch.cosine_similarity(x1, x2)
    return torch.where(y == 1, 1 - cosine, (cosine - margin).clamp(min=0)).mean()


def test_a_margin_up_to_which_a_cosine_is_free_may_lower_the_loss():
    assert claims_of(cosine_embedding) == []


def small(model, x):
    """Residual of u' + u = 0."""
    x = x.detach().requires_grad_()
    u = model(x)
    (slope,) = torch.autograd.grad(u.sum(), x, create_graph=True)
    return (slope + u).square().mean()


def cut(model, x):
    x = x.detach().requires_grad_()
    u = model(x)
    (slope,) = torch.autograd.grad(u.sum(), x, retain_graph=True)
    return (slope + u).square().mean()


def freed(model, x):
    x = x.detach().requires_grad_()
    u = model(x)
    (slope,) = torch.autograd.grad(u.sum(), x, create_graph=True)
    (curve,) = torch.autograd.grad(slope.sum(), x)
    return (curve + u).square().mean()


def views_of_a_batch(student, teacher):
    """Cross entropy of the other of two views, stacked along the batch."""
    first, second = student.log_softmax(1).chunk(2)
    one, other = teacher.softmax(1).detach().chunk(2)
    return -((one * second).sum(1).mean() + (other * first).sum(1).mean())


def test_views_that_are_stacked_along_the_batch_have_an_order():
    assert not list(battery.run(Subject.of(views_of_a_batch), select=["order-matters"]))


FEW = ["no-graph", "slope-disagrees", "rewards-errors", "order-matters"]


def faults_of(loss):
    return [f.check for f in battery.run(Subject.of(loss), select=FEW) if f.severity in FAULTS]


def test_a_loss_that_calls_a_model_is_checked_by_the_weights_of_one():
    spec = Subject.of(small).spec
    assert spec.way.inside
    assert spec.tensors == ("model_weights", "x")
    assert faults_of(small) == []
    assert faults_of(cut) == ["slope-disagrees"]
    assert faults_of(freed) == ["no-graph"]


def test_a_repro_of_a_loss_with_a_model_runs():
    (found,) = battery.run(Subject.of(cut), select=["slope-disagrees"])
    assert "import losskit.checker.models" in found.repro
    assert "Small(x, 1)" in found.repro


def of_lists(outputs, target):
    return sum((each - target).abs().mean() for each in outputs) / len(outputs)


def of_dicts(outputs, targets):
    return (outputs["depth"] - targets["depth"]).square().mean() + (outputs["normal"] - targets["normal"]).abs().mean()


def of_distributions(posterior, target):
    return -posterior.log_prob(target).mean()


class WithMode(nn.Module):
    def forward(self, prediction, target, mode):
        if mode == "l1":
            return (prediction - target).abs().mean()
        if mode == "l2":
            return (prediction - target).square().mean()
        raise ValueError(mode)


def with_flag(prediction, target, is_final: bool):
    return (prediction - target).square().mean() * (2 if is_final else 1)


def selected(prediction, target, mask):
    return (prediction[mask] - target[mask]).square().mean()


@pytest.mark.parametrize("loss", [of_lists, of_dicts, of_distributions, WithMode(), with_flag, selected])
def test_lists_dicts_distributions_modes_and_masks_are_passed(loss):
    subject = Subject.of(loss)
    assert subject.value(*subject.example()).isfinite()
    assert faults_of(loss) == []


def test_no_loss_of_losskit_contradicts_what_it_claims():
    for name in ("GaussianNLLLoss", "HuberLoss", "LogCoshLoss", "TripletMarginLoss", "SSIMLoss", "MarginRankingLoss"):
        kind = getattr(losskit, name, None)
        try:
            assert kind is None or claims_of(kind()) == [], name
        except Unsure:
            continue


def domain_gradient_penalty(mistake):
    def gradient_penalty(disc_out, labels, disc_input):
        p = disc_out.softmax(1)
        own = p[:, labels] if mistake else p.gather(1, labels[:, None])
        (slope,) = torch.autograd.grad(own.sum(), disc_input, create_graph=True)
        return slope.square().sum(1).mean()

    return gradient_penalty


def test_the_gradient_of_all_labels_is_named_where_no_trial_call_works():
    (claim,) = (each for each in CLAIMS if each.said == "gradient penalty of a domain classifier")
    for mistake in (False, True):
        claimed = claim.of(Subject(origin.origin_of(domain_gradient_penalty(mistake)), None))
        found = [each for relation in claim.relations for each in relation(claimed)]
        assert bool(found) == mistake


class ScaleLoss(nn.Module):
    def __init__(self, weights):
        super().__init__()
        self.register_buffer("weights", torch.tensor(weights) / sum(weights))

    def forward(self, losses):
        return (self.weights * losses).sum()


@pytest.mark.parametrize(("weights", "count"), [([1.0, 0.5], 0), ([0.0], 1)])
def test_a_stored_tensor_that_is_nan_is_named(weights, count):
    found = list(stored_numbers(Subject(origin.origin_of(ScaleLoss(weights)), None)))
    assert len(found) == count
