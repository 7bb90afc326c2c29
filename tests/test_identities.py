"""CONTRACT.md 11 to 14: pooling, well-known identities, and the defaults."""

import pytest
import torch
from hypothesis import given as examples
from hypothesis import strategies as st

import losskit
from authorities import formula_of
from cases import CASES, LABELLED, where
from inputs import Shape
from losskit import functional as F
from losskit.core.logits import ClassesLoss
from losskit.core.region import RegionLoss
from losskit.losses.spatial import SpatialLoss

REGIONS = where(lambda case: issubclass(case.loss, RegionLoss))
SCORED = where(lambda case: issubclass(case.loss, (RegionLoss, SpatialLoss)))  # class by class
POOLED = where(lambda case: "pool" in case.loss.options)
BOTH = ["binary", "multilabel", "indices", "soft"]
SEEDS = st.integers(0, 50)


def inputs(kind, seed=0, shape=Shape(2, 3, (6,))):  # noqa: B008 - a named tuple
    case = next(c for c in CASES if c.entry.name == "dice_loss" and c.kind == kind)
    return case.given(shape, seed).tensors, {k: v for k, v in case.options.items() if v is not None}


# 11. Pooling, classes, absent classes


@pytest.mark.parametrize("case", where(lambda c: c in SCORED or c.entry.name == "lovasz_loss"), ids=str)
@examples(seed=SEEDS)
def test_pooled_by_sample_the_batch_does_not_matter(case, seed):
    given = case.given(Shape(4, 3, (5,)), seed)
    each = [case()(*(t[n : n + 1] for t in given.tensors)) for n in range(4)]
    torch.testing.assert_close(case(reduction="sum")(*given.tensors), sum(
        case(reduction="sum")(*(t[n : n + 1] for t in given.tensors)) for n in range(4)
    ))  # fmt: skip
    torch.testing.assert_close(case()(*given.tensors), torch.stack(each).mean())


@pytest.mark.parametrize("case", POOLED, ids=str)
@examples(seed=SEEDS)
def test_pooled_by_batch_the_batch_is_one_sample(case, seed):
    given = case.given(Shape(3, 3, (5,)), seed)
    joined = [torch.cat(list(t), -1).unsqueeze(0) for t in given.tensors]
    torch.testing.assert_close(case(pool="batch")(*given.tensors), case()(*joined))


@pytest.mark.parametrize("case", where(lambda c: c in SCORED and c.has("absent") and c.kind != "binary"), ids=str)
def test_classes_choose_what_is_scored(case):
    given = case.given(Shape(2, 3, (6,)), 3)
    none = case(reduction="none")(*given.tensors)
    torch.testing.assert_close(case(classes=[1])(*given.tensors), none[:, 1].mean())
    torch.testing.assert_close(case(classes=[0, 2])(*given.tensors), none[:, [0, 2]].mean())
    torch.testing.assert_close(case(include_background=False)(*given.tensors), none[:, 1:].mean())
    weighted = (none * torch.tensor([1.0, 2.0, 5.0])).sum() / 16
    torch.testing.assert_close(case(class_weight=[1.0, 2.0, 5.0])(*given.tensors), weighted)


@pytest.mark.parametrize("name", ["dice_ce_loss", "dice_focal_loss"])
def test_classes_touch_no_cross_entropy(name):
    (input, target), _ = inputs("indices")
    _, every = F.__dict__[name].Module(mode=None if "focal" in name else "multiclass").parts(input, target)
    _, chosen = (
        F.__dict__[name].Module(classes=[1], mode=None if "focal" in name else "multiclass").parts(input, target)
    )
    dice, other = list(every)
    assert torch.equal(every[other].raw, chosen[other].raw)
    assert not torch.equal(every[dice].raw, chosen[dice].raw)


@pytest.mark.parametrize(
    "case", where(lambda c: c in REGIONS and c.has("absent") and c.kind in ("binary", "indices")), ids=str
)
@pytest.mark.parametrize("overlap", ["product", "l1"])
def test_an_absent_class(case, overlap):
    for size in (16, 4096):
        scores = torch.linspace(-3, 3, size, dtype=torch.float64)
        if case.kind == "binary":
            input, target, c = scores.view(1, 1, -1), torch.zeros(1, 1, size), 0
        else:
            input, target, c = (
                torch.stack([scores, -scores, scores.sin()]).unsqueeze(0),
                torch.arange(size).view(1, -1) % 2,
                2,
            )
        p = input.sigmoid() if case.kind == "binary" else input.softmax(1)
        options = {"overlap": overlap} if case.has("overlap") else {}
        none = case(reduction="none", **options)(input, target)
        torch.testing.assert_close(none[0, c], p[0, c].mean())  # the mean predicted probability, at any size
        skipped = case(reduction="none", **options, absent="skip")(input, target)
        assert skipped[0, c] == 0
        if case.kind == "indices":
            torch.testing.assert_close(case(absent="skip", **options)(input, target), none[0, :2].mean())
    formula = {"absent": "formula", "classes": [c], **options}
    input, target = input[..., ::512], target[..., ::512]
    wanted = formula_of(case).value(case, formula, (input, target))
    assert case(**formula)(input, target).item() == pytest.approx(float(wanted), rel=1e-12)
    correct = torch.full((1, 1, 8), -1e4)
    assert case.loss()(correct, torch.zeros(1, 1, 8)) == 0


@pytest.mark.parametrize("case", where(lambda c: c in REGIONS and c.kind == "soft" and c.has("overlap")), ids=str)
def test_the_l1_overlap_is_zero_at_the_truth(case):
    (input, _), _ = inputs("soft")
    assert case(overlap="l1")(input, input.softmax(1)).item() == pytest.approx(
        0, abs=1e-6 if "focal" in case.entry.name else 1e-12
    )
    assert case()(input, input.softmax(1)).item() > 0.05


# 12. Identities


@pytest.mark.parametrize("kind", BOTH)
@examples(seed=SEEDS, e=st.sampled_from([0.0, 0.2]))
def test_focal_without_gamma_is_cross_entropy(kind, seed, e):
    tensors, options = inputs(kind, seed)
    plain = F.cross_entropy if kind in ("indices", "soft") else F.binary_cross_entropy_with_logits
    torch.testing.assert_close(
        F.focal_loss(*tensors, gamma=0, label_smoothing=e, **options),
        plain(*tensors, label_smoothing=e),
        rtol=1e-12,
        atol=0,
    )


@pytest.mark.parametrize("kind", BOTH)
@examples(seed=SEEDS, s=st.sampled_from([0.0, 1.0, 3.0]))
def test_tversky_contains_dice_and_jaccard(kind, seed, s):
    tensors, options = inputs(kind, seed)
    torch.testing.assert_close(
        F.tversky_loss(*tensors, alpha=0.5, beta=0.5, smooth=s / 2, **options),
        F.dice_loss(*tensors, smooth=s, **options),
    )
    torch.testing.assert_close(
        F.tversky_loss(*tensors, alpha=1, beta=1, smooth=s, **options), F.jaccard_loss(*tensors, smooth=s, **options)
    )
    torch.testing.assert_close(
        F.focal_tversky_loss(*tensors, alpha=0.3, beta=0.6, gamma=1, **options),
        F.tversky_loss(*tensors, alpha=0.3, beta=0.6, **options),
    )
    dice, options_none = F.dice_loss(*tensors, reduction="none", **options), {**options, "reduction": "none"}
    present = F.dice_loss(*tensors, absent="skip", **options_none) > 0
    torch.testing.assert_close((2 * dice / (1 + dice))[present], F.jaccard_loss(*tensors, **options_none)[present])


@pytest.mark.parametrize(
    "case",
    where(
        lambda c: (
            c.kind == "indices"
            and c.entry.name
            not in ("nll_loss", "multi_margin_loss", "lovasz_loss", "balanced_softmax_loss", "logit_adjusted_loss")
            and not c.composite
            and not c.options  # the number of classes
            and not issubclass(c.loss, ClassesLoss)
        )
    ),
    ids=str,
)
@examples(seed=SEEDS)
def test_two_classes_are_the_sigmoid_of_their_difference(case, seed):
    input, target = case.given(Shape(2, 2, (6,)), seed).tensors
    single = (input[:, 1] - input[:, 0]).unsqueeze(1)
    options = {"classes": [1]} if case in SCORED else {}
    binary = losskit.BCEWithLogitsLoss() if case.entry.name == "cross_entropy" else case()
    torch.testing.assert_close(case(**options)(input, target), binary(single, target.unsqueeze(1).double()))


@pytest.mark.parametrize("case", where(lambda c: c.kind == "binary"), ids=str)
@examples(seed=SEEDS)
def test_binary_is_multi_label_with_one_channel(case, seed):
    input, target = case.given(Shape(2, 1, (6,)), seed).tensors
    options = {"mode": "multilabel"} if "mode" in case.loss.options else {}
    assert torch.equal(case(**options)(input, target), case()(input, target))


@pytest.mark.parametrize("case", where(lambda c: c.kind == "indices" and c.entry.name != "multi_margin_loss"), ids=str)
@examples(seed=SEEDS, weighed=st.booleans())
def test_one_hot_equals_index(case, seed, weighed):
    input, target = case.given(Shape(2, 3, (5,)), seed).tensors
    options = {"class_weight": [0.5, 2.0, 3.0]} if weighed and case.has("class_weight") else {}
    hot = torch.nn.functional.one_hot(target, 3).movedim(-1, 1)
    mode = {"mode": "multiclass"} if "mode" in case.loss.options else {}
    torch.testing.assert_close(case(**options, **mode)(input, hot), case(**options)(input, target))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("case", where(lambda c: c in SCORED and c.kind == "indices" and c.has("mode")), ids=str)
def test_multi_label_by_index_is_one_against_the_rest(case, dtype):
    (input, target), _ = inputs("indices")
    input = input.to(dtype)
    hot = torch.nn.functional.one_hot(target, 3).movedim(-1, 1)
    torch.testing.assert_close(case.loss(mode="multilabel")(input, target), case.loss(mode="multilabel")(input, hot))


def test_regression_identities():
    x, y = torch.randn(20, dtype=torch.float64), torch.randn(20, dtype=torch.float64)
    torch.testing.assert_close(F.smooth_l1_loss(x, y, beta=0.7) * 0.7, F.huber_loss(x, y, delta=0.7))
    torch.testing.assert_close(F.huber_loss(x, y, delta=100.0), F.mse_loss(x, y) / 2)
    torch.testing.assert_close(F.smooth_l1_loss(x, y, beta=0.0), F.l1_loss(x, y))
    torch.testing.assert_close(F.gaussian_nll_loss(x, y, torch.ones(20)), F.mse_loss(x, y) / 2)


# 14. Defaults


DEFAULTS = {
    "dice_loss": {
        "smooth": 0,
        "squared": False,
        "log": False,
        "pool": "sample",
        "overlap": "product",
        "absent": "penalize",
    },
    "jaccard_loss": {"smooth": 0},
    "tversky_loss": {"smooth": 0, "alpha": 0.5, "beta": 0.5},
    "focal_tversky_loss": {"smooth": 0, "gamma": 0.75},
    "focal_loss": {"gamma": 2, "alpha": None, "label_smoothing": 0, "ignore_index": -100},
    "mean_focal_loss": {"gamma": 2, "alpha": 0.8},
    "dice_bce_loss": {"dice_weight": 1, "bce_weight": 1},
    "dice_ce_loss": {"dice_weight": 1, "ce_weight": 1},
    "dice_focal_loss": {"dice_weight": 1, "focal_weight": 1, "gamma": 2},
    "lovasz_loss": {"classes": "present", "pool": "sample"},
    "mask_dice_loss": {"smooth": 0, "eps": 0, "scale": 1},
}


@pytest.mark.parametrize(("name", "defaults"), DEFAULTS.items())
def test_defaults(name, defaults):
    options = getattr(F, name).Module.options
    assert {key: options[key].default for key in defaults} == defaults


def test_defaults_that_every_loss_shares():
    for case in CASES:
        assert case.loss.options["reduction"].default == "mean"
        assert case.loss.options["empty"].default == "zero"
    assert all(case.loss.options["ignore_index"].default == -100 for case in LABELLED)
