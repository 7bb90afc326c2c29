"""Losses that are named after a formula: one edit away from it, equal to it, or named after a variant of it."""

import ast
import inspect
import re

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from losskit.checker.claims.text import text_of
from losskit.checker.finding import Severity
from losskit.checker.origin import origin_of
from losskit.checker.references.binding import Bound
from losskit.checker.references.code import functions_of
from losskit.checker.references.edits.mistakes import edits_of
from losskit.checker.references.one_edit import one_edit_from_formula
from losskit.checker.references.reference import REFERENCES, Pick, variants
from losskit.checker.registry import REGISTRY
from losskit.checker.subject import Subject


def found_in(loss):
    return [each.what for each in one_edit_from_formula(Subject(origin_of(loss), None))]


class TverskyLoss(nn.Module):
    """1 - Tversky index; alpha: weight of the false positives."""

    def __init__(self, alpha=0.5, beta=0.5):
        super().__init__()
        self.alpha, self.beta = alpha, beta

    def forward(self, logits, mask):
        p = logits.sigmoid()
        hit = (p * mask).flatten(1).sum(1)
        extra = (p * (1 - mask)).flatten(1).sum(1)
        missed = ((1 - p) * mask).flatten(1).sum(1)
        return 1 - (hit / (hit + self.alpha * extra + self.beta * missed)).mean()


class ExchangedTversky(TverskyLoss):
    """1 - Tversky index; alpha: weight of the false positives."""

    def forward(self, logits, mask):
        p = logits.sigmoid()
        hit = (p * mask).flatten(1).sum(1)
        extra = (p * (1 - mask)).flatten(1).sum(1)
        missed = ((1 - p) * mask).flatten(1).sum(1)
        return 1 - (hit / (hit + self.alpha * missed + self.beta * extra)).mean()


class AsymmetricTversky(ExchangedTversky):
    """A variant of the Tversky index; alpha: weight of the false positives."""


def nt_xent(z1, z2, temperature=0.5):
    z = F.normalize(torch.cat([z1, z2]), dim=1)
    scores = (z @ z.T / temperature).masked_fill(torch.eye(len(z), dtype=torch.bool), float("-inf"))
    return F.cross_entropy(scores, torch.arange(len(z)).roll(len(z1)))


def nt_xent_with_itself(z1, z2, temperature=0.5):
    z = F.normalize(torch.cat([z1, z2]), dim=1)
    scores = z @ z.T / temperature
    return F.cross_entropy(scores, torch.arange(len(z)).roll(len(z1)))


def gaussian_nll(mean, log_var, target):
    return 0.5 * (log_var + (target - mean) ** 2 / log_var.exp()).mean()


def parameters_of(out):
    mean, log_var = out.chunk(2, -1)
    return mean, log_var.exp()


def gaussian_nll_of_head(out, target):
    mean, log_var = parameters_of(out)
    return (log_var + (target - mean) ** 2 * torch.exp(-log_var)).mean()


def negative_cosine(p, z):
    """SimSiam."""
    return -F.cosine_similarity(p, z.detach()).mean()


def simsiam_of_both(p, z):
    """SimSiam."""
    return -F.cosine_similarity(p, z).mean()


def focal_of_mean(logits, labels, gamma=2.0):
    ce = F.cross_entropy(logits, labels)
    return ((1 - (-ce).exp()) ** gamma * ce).mean()


def test_a_formula_is_not_reported():
    for loss in (TverskyLoss(), nt_xent, gaussian_nll, negative_cosine):
        assert found_in(loss) == []


@pytest.mark.parametrize(
    ("loss", "words"),
    [
        (ExchangedTversky(), "self.alpha * extra + self.beta * missed"),
        (nt_xent_with_itself, "keeps its diagonal, which the NT-Xent loss leaves out"),
        (gaussian_nll_of_head, "is `(mean, log_var)`"),
        (simsiam_of_both, ".detach()"),
        (focal_of_mean, "reduction='none'"),
    ],
)
def test_the_edit_that_reaches_the_formula_is_named(loss, words):
    (what,) = found_in(loss)
    assert words in what.replace("return ", "")
    assert "line" in what


def test_no_family_excludes_its_own_name():
    for reference in REFERENCES:
        said = reference.said.lower()
        excluded = re.search(reference.named, said) and re.search(reference.unless, said)
        assert not excluded, reference.said


def ssim_loss(x, y):
    """1 - SSIM of images in [0, 1]."""
    c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
    blur = nn.AvgPool2d(3, 1)
    mx, my = blur(x), blur(y)
    vx, vy, cov = blur(x * x) - mx * mx, blur(y * y) - my * my, blur(x * y) - mx * my
    return 1 - ((2 * mx * my + c1) * (2 * cov + c2) / ((mx**2 + my**2 + c1) * (vx + vy + c2))).mean()


def test_a_number_that_is_wrong_in_several_places_is_one_edit():
    (what,) = found_in(ssim_loss)
    assert "0.01 * 1.0" in what


def barlow_twins(a, b):
    """With a further term, the error of the views."""
    one, other = ((x - x.mean(0)) / x.std(0) for x in (a, b))
    c = one.T @ other / len(a)
    off = c - torch.diag(c.diagonal())
    return (c.diagonal() - 1).square().sum() + 0.2 * off.square().sum() + F.mse_loss(a, b)


def test_an_edit_that_removes_a_further_term_is_no_repair():
    assert found_in(barlow_twins) == []


def test_a_loss_named_a_variant_is_not_accused():
    assert found_in(AsymmetricTversky()) == []


def test_the_finding_shows_both_values_and_the_line():
    subject = Subject(origin_of(nt_xent_with_itself), None)
    (found,) = one_edit_from_formula(subject)
    assert found.evidence["as written"] > found.evidence["formula"]
    line = inspect.getsourcelines(nt_xent_with_itself)[1] + 3
    assert f"line {line}:" in found.what
    assert REGISTRY["one-edit-from-formula"].severity is Severity.WRONG


def test_a_search_leaves_the_code_as_it_was():
    before = nt_xent_with_itself.__code__
    found_in(nt_xent_with_itself)
    assert nt_xent_with_itself.__code__ is before


def test_edits_can_be_undone():
    (function,) = functions_of(nt_xent)
    before = ast.dump(function.tree)
    edits = edits_of(function)
    assert len(edits) > 100
    for edit in edits:
        edit.apply()()
        assert ast.dump(function.tree) == before


def looping_loss(prediction, target):
    """Mean squared error."""
    total, n = 0.0, 0
    while n < len(prediction):
        total = total + (prediction[n] - target[n]) ** 4
        n += 1
    return total


def test_an_edit_changes_no_loop():
    (function,) = functions_of(looping_loss)
    for edit in edits_of(function):
        assert all(not isinstance(each, ast.While) for each in edit.place.above)


def ending_loss(prediction, target):
    """The Huber loss, of one piece."""
    if float(prediction.detach().sum()) != 4711.0:
        return (prediction - target).square().mean()
    raise SystemExit


def test_a_loss_of_another_formula_is_not_reported():
    assert found_in(ending_loss) == []


def test_choices_are_enumerated():
    def run(pick):
        return pick(1, 2) * (10 if pick(True, False) else pick(100, 1000))

    assert [made for _, made in variants(run)] == [10, 100, 1000, 20, 200, 2000]


def usual(reference):
    """A reference bound to nothing, with the usual values of its options."""
    numbers = {option.name: tuple(option.usual or (option.value,)) for option in reference.options}
    names = {role.name: role.name for role in reference.roles}
    text = text_of(test_choices_are_enumerated, reference.said)
    return Bound(Subject(origin_of(weighted_by(reference)), None), reference, text, names, {}, {}, numbers)


def weighted_by(reference):
    class Weighted(nn.Module):
        def __init__(self):
            super().__init__()
            if reference.states:
                self.weight = nn.Parameter(torch.zeros(2 if "tasks" in reference.said else (3, 4)))

        def forward(self):
            return None

    return Weighted()


def test_every_formula_takes_its_own_examples():
    for reference in REFERENCES:
        bound = usual(reference)
        if {"buffers", "scheduled"} & set(reference.formula.__code__.co_names):
            continue  # it needs the schedule that a loss stores
        for drawing in range(len(reference.draws)):
            seen = bound.formula(bound.tensors(drawing, 0), Pick())
            assert drawing or torch.isfinite(seen.slopes).all(), reference.said
            assert drawing or float(seen.slopes.norm()) > 0, reference.said


def test_a_path_of_choices_is_one_formula_on_every_example():
    """How many choices a formula makes does not depend on the numbers of an example."""
    for reference in REFERENCES:
        bound = usual(reference)
        sizes = set()
        for seed in range(3):
            pick = Pick()
            bound.formula(bound.tensors(0, seed), pick)
            sizes.add(tuple(pick.sizes))
        assert len(sizes) == 1, reference.said
