"""Losses that remember what they have seen: in training mode alone, saved and loaded; and two of unusual tensors."""

import copy
import math

import pytest
import torch
from torch.nn.functional import cross_entropy

import losskit
from losskit import functional

LOSSES = (losskit.SeesawLoss, losskit.EqualizationLoss, lambda: losskit.GHMLoss(momentum=0.75))


def batch(seed=0, classes=3, several=False):
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(8, classes, generator=generator, dtype=torch.float64)
    if several:
        return x, (torch.rand(8, classes, generator=generator) < 0.3).double()
    return x, torch.randint(0, classes, (8,), generator=generator) // (1 + seed % 2)


def given(make, seed=0):
    return batch(seed, several=make is not losskit.SeesawLoss)


def state_of(loss):
    return {name: value.clone() for name, value in loss.state_dict().items()}


@pytest.mark.parametrize("make", LOSSES)
def test_training_remembers_and_evaluation_does_not(make):
    loss = make()
    loss.eval()
    before = state_of(loss)
    loss(*given(make))
    assert all(torch.equal(value, before[name]) for name, value in state_of(loss).items())
    loss.train()
    loss(*given(make))
    assert any(value.shape != before[name].shape or not torch.equal(value, before[name])
               for name, value in state_of(loss).items())  # fmt: skip


@pytest.mark.parametrize("make", LOSSES)
def test_the_state_is_saved_and_loaded(make):
    loss, other = make(), make()
    for seed in range(3):
        loss(*given(make, seed))
    other.load_state_dict(loss.state_dict())
    for criterion in (loss, other):
        criterion.eval()
    assert torch.equal(other(*given(make, 9)), loss(*given(make, 9)))
    assert torch.equal(copy.deepcopy(loss)(*given(make, 9)), loss(*given(make, 9)))


@pytest.mark.parametrize("make", LOSSES)
def test_the_function_form_remembers_nothing(make):
    function = getattr(functional, {"SeesawLoss": "seesaw_loss", "EqualizationLoss": "equalization_loss"}.get(
        type(make()).__name__, "ghm_loss"))  # fmt: skip
    first = function(*given(make))
    function(*given(make, 5))
    assert torch.equal(function(*given(make)), first)


@pytest.mark.parametrize("make", LOSSES)
def test_no_graph_is_remembered(make):
    loss = make()
    x, t = given(make)
    loss(x.requires_grad_(), t).backward()
    loss(x, t).backward()
    assert not any(value.requires_grad for value in loss.buffers())


@pytest.mark.parametrize("make", LOSSES)
def test_it_remembers_under_transforms_and_compilation(make):
    x, t = given(make)
    loss, plain = make(), make()
    wanted = [plain(x, t) for _ in range(3)]
    compiled = torch.compile(loss, backend="aot_eager")
    torch.testing.assert_close(compiled(x, t), wanted[0])
    torch.func.grad(lambda x: loss(x, t))(x)
    torch.testing.assert_close(loss(x, t), wanted[2])
    with pytest.raises(RuntimeError, match="remembers what it has seen in training mode"):
        torch.vmap(lambda x: loss(x, t))(torch.stack([x, x]))


def test_seesaw_counts_what_counts():
    x, t = batch()
    t[:3] = -100
    weight = torch.tensor([1.0, 1, 1, 2, 1, 1, 0, 1])
    loss = losskit.SeesawLoss()
    loss(x, t, weight=weight.view(8, 1))
    wanted = torch.zeros(3).index_add(0, t[3:], weight[3:])
    torch.testing.assert_close(loss.seen, wanted.double())
    loss(x, t, weight=weight.view(8, 1))
    torch.testing.assert_close(loss.seen, 2 * wanted.double())


def test_seesaw_of_what_was_seen_is_that_of_these_counts():
    loss = losskit.SeesawLoss()
    for seed in (1, 3):
        loss(*batch(seed))
    seen = loss.seen.clone()
    loss.eval()
    torch.testing.assert_close(loss(*batch(4)), functional.seesaw_loss(*batch(4), class_counts=seen))
    with pytest.raises(ValueError, match=r"class_counts has 3 numbers, but input .* has 4 classes"):
        loss(*batch(4, classes=4))


def test_without_its_factors_seesaw_is_cross_entropy():
    x, t = batch()
    torch.testing.assert_close(functional.seesaw_loss(x, t, p=0.0, q=0.0), cross_entropy(x, t))


def test_equalization_adds_up_weighted_gradients():
    x, t = batch(several=True)
    loss = losskit.EqualizationLoss()
    loss(x, t)
    p = x.sigmoid()
    pulled, pushed = (t * (1 - p)).sum(0), ((1 - t) * p).sum(0)
    torch.testing.assert_close((loss.pulled, loss.pushed), (pulled, pushed))
    no = torch.sigmoid(12 * (pulled / pushed - 0.8))
    for reduction in ("none", "sum", "mean"):  # each call adds the same, weighed by what was before
        again = copy.deepcopy(loss)
        again.reduction = reduction
        again(x, t)
        torch.testing.assert_close(again.pulled, pulled * (1 + 1 + 4 * (1 - no)))
        torch.testing.assert_close(again.pushed, pushed * (1 + no))
    again.eval()
    torch.testing.assert_close(
        again(x, t), functional.equalization_loss(x, t, positive=again.pulled, negative=again.pushed)
    )


def test_ghm_momentum_by_hand():
    """Two bins: right 3 of 4. Sizes 1.5 and 0.5, and after the same batch again 2.25 and 0.75."""
    x, t = torch.tensor([2.0, 2, 2, -2]), torch.ones(4)
    easy, hard = math.log1p(math.exp(-2)), math.log1p(math.exp(2))
    loss = losskit.GHMLoss(bins=2, momentum=0.5)
    assert loss(x, t).item() == pytest.approx((3 * easy / 1.5 + hard / 0.5) / 2)
    assert loss(x, t).item() == pytest.approx((3 * easy / 2.25 + hard / 0.75) / 2)
    torch.testing.assert_close(loss.seen, torch.tensor([2.25, 0.75]).double())


def test_the_function_form_of_ghm_takes_its_state():
    """As the module does in evaluation mode, whose buffer it is given."""
    x, t = batch(several=True)
    loss = losskit.GHMLoss(bins=4, momentum=0.75)
    loss(x, t)
    seen = loss.seen.clone()
    assert seen.any()
    expected = loss.eval()(x, t)
    found = functional.ghm_loss(x, t, bins=4, momentum=0.75, bin_counts=seen)
    torch.testing.assert_close(found, expected, rtol=0, atol=0)
    torch.testing.assert_close(loss.seen, seen)
    assert found != functional.ghm_loss(x, t, bins=4, momentum=0.75)
    with pytest.raises(ValueError, match="bin_counts has 3 numbers, but there are 4 bins"):
        functional.ghm_loss(x, t, bins=4, momentum=0.75, bin_counts=[1.0, 2.0, 3.0])


def test_ghm_without_momentum_is_the_mean_of_the_means_of_bins_over_parts():
    x, t = batch(several=True)
    loss = losskit.GHMLoss()
    sums = loss.totals(x[:3], t[:3]) + loss.totals(x[3:], t[3:])
    torch.testing.assert_close(loss.finish(sums), loss(x, t))


def test_aucm_learns_with_one_optimizer():
    """Descent for the mean values and the scores is ascent for alpha."""
    x, t = batch(several=True)
    loss = losskit.AUCMLoss(alpha=0.3)
    loss(x, t).backward()
    step = 1e-6
    around = [losskit.AUCMLoss(alpha=0.3 + s)(x, t).item() for s in (step, -step)]
    assert -loss.alpha.grad.item() == pytest.approx((around[0] - around[1]) / (2 * step), rel=1e-5)
    p = x.sigmoid()
    assert loss.a.grad.item() == pytest.approx(-2 * p[t == 1].mean().item())
    assert loss.b.grad.item() == pytest.approx(-2 * p[t == 0].mean().item())
    a = torch.tensor(0.5, requires_grad=True)
    value = functional.aucm_loss(x, t, a=a, b=0.25)
    torch.testing.assert_close(value, losskit.AUCMLoss(a=0.5, b=0.25)(x, t))
    value.backward()
    assert a.grad.item() == pytest.approx(2 * (0.5 - p[t == 1].mean().item()))
    assert {name for name, _ in loss.named_parameters()} == {"a", "b", "alpha"}


@pytest.mark.parametrize("label", [0.0, 1.0])
def test_aucm_of_one_answer(label):
    x = torch.randn(6, requires_grad=True)
    value = losskit.AUCMLoss(a=0.4, b=0.4, alpha=0.7)(x, torch.full((6,), label))
    torch.testing.assert_close(value, ((x.sigmoid() - 0.4) ** 2).mean())
    value.backward()
    assert x.grad.isfinite().all()


def test_partial_labels_without_any_left_out_are_cross_entropy():
    x, t = batch()
    every = torch.ones(8, 3, dtype=torch.bool)
    weights = torch.tensor([1.0, 2, 3]).double()
    t[:2] = 255
    found = functional.partial_label_loss(x, t, every, ignore_index=255, class_weight=weights)
    torch.testing.assert_close(found, cross_entropy(x, t, weight=weights, ignore_index=255))
    hot = torch.nn.functional.one_hot(t.clamp_max(2), 3).double()
    torch.testing.assert_close(functional.partial_label_loss(x[2:], hot[2:], every[2:]), cross_entropy(x[2:], t[2:]))


def test_classes_that_were_not_labelled_belong_to_the_background():
    x, t = torch.randn(2, 4, 5, dtype=torch.float64), torch.tensor([[0, 1, 2, 3, 3]] * 2)
    labelled = torch.tensor([[True, True, False, False], [False, True, True, True]])
    p = x.softmax(1)
    background = torch.stack([p[0, [0, 2, 3]].sum(0), p[1, 0]])
    known = torch.tensor([[0, 1, 0, 0, 0], [0, 1, 2, 3, 3]])
    wanted = torch.where(known == 0, background, p.gather(1, known.unsqueeze(1)).squeeze(1)).log().neg()
    loss = losskit.PartialLabelLoss(reduction="none")
    torch.testing.assert_close(loss(x, t, labelled), wanted)
    masked = torch.where(
        torch.arange(4).view(1, 4, 1) == 2, -torch.inf, x
    )  # never predicted, nor true but in the first
    value = loss(masked.requires_grad_(), torch.where(t == 2, 1, t), labelled)
    value.sum().backward()
    assert value.isfinite().all()
    assert masked.grad.isfinite().all() if masked.grad is not None else True


def test_what_was_labelled_is_bool_and_of_every_sample_and_class():
    x, t = batch()
    with pytest.raises(TypeError, match=r"labelled must be bool; got torch.int64. Pass labelled.bool\(\)"):
        losskit.PartialLabelLoss()(x, t, torch.ones(8, 3, dtype=torch.int64))
    with pytest.raises(ValueError, match=r"labelled has shape \(8, 2\), but input \(8, 3\) takes \(8, 3\)"):
        losskit.PartialLabelLoss()(x, t, torch.ones(8, 2, dtype=torch.bool))
    with pytest.raises(TypeError, match="labelled"):
        losskit.PartialLabelLoss()(x, t)


def test_views_of_ignored_samples_count_for_nothing():
    x, t = torch.randn(12, 3, dtype=torch.float64), torch.tensor([0, 1, -100, 2])
    loss = losskit.JSDConsistencyLoss()
    spoilt = x.clone()
    spoilt[2::4] = torch.nan
    spoilt.requires_grad_()
    value = loss(spoilt, t)
    kept = torch.tensor([0, 1, 3])
    torch.testing.assert_close(value, loss(x.view(3, 4, 3)[:, kept].reshape(9, 3), t[kept]))
    value.backward()
    assert (spoilt.grad[2::4] == 0).all()
    weights = torch.tensor([1.0, 3, 5]).double()
    each = losskit.JSDConsistencyLoss(reduction="none")(x, t)[kept]
    weighed = losskit.JSDConsistencyLoss(class_weight=weights)(x, t)
    torch.testing.assert_close(weighed, (each * weights).sum() / weights.sum())
    with pytest.raises(ValueError, match="3 views of each sample"):
        loss(x[:10], t)


def test_equal_views_leave_cross_entropy():
    x, t = batch()
    torch.testing.assert_close(functional.jsd_consistency_loss(torch.cat([x] * 3), t), cross_entropy(x, t))


def test_two_way_loss_without_positives_or_negatives():
    x = torch.randn(4, 3, dtype=torch.float64, requires_grad=True)
    for label in (0.0, 1.0):
        value = losskit.TwoWayLoss()(x, torch.full((4, 3), label))
        assert value == 0
        value.backward()
        assert (x.grad == 0).all()


def test_counts_that_no_training_set_has():
    with pytest.raises(ValueError, match="class_counts must be below num_samples=9"):
        losskit.DistributionBalancedLoss(class_counts=[2.0, 9.0], num_samples=9)
    with pytest.raises(ValueError, match="class_counts must be > 0"):
        losskit.DistributionBalancedLoss(class_counts=[0.0, 3.0], num_samples=9)
    with pytest.raises(ValueError, match="positive and negative go together"):
        losskit.EqualizationLoss(positive=[1.0])


def test_distances_between_classes():
    for wrong in ([1.0, 2.0], [[0.0, 1.0]], [[0.0, -1.0], [1.0, 0.0]], [[0.5, 1.0], [1.0, 0.0]]):
        with pytest.raises(ValueError, match="class_distances takes a number >= 0 per pair of classes"):
            losskit.GeneralizedWassersteinDiceLoss(class_distances=wrong)
    with pytest.raises(ValueError, match="all 0"):
        losskit.GeneralizedWassersteinDiceLoss(class_distances=[[0, 0], [0, 0]])
    loss = losskit.GeneralizedWassersteinDiceLoss(class_distances=[[0, 1], [1, 0]])
    with pytest.raises(ValueError, match=r"class_distances are of 2 classes, but input .* has 3"):
        loss(torch.randn(1, 3, 5), torch.zeros(1, 5, dtype=torch.int64))
