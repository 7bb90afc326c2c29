"""Deep supervision, hard-example mining, learned and scheduled weights."""

from __future__ import annotations

import copy
import math
import pickle
from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from monai.losses.dice import DiceCELoss as MonaiDiceCE
from monai.losses.ds_loss import DeepSupervisionLoss as MonaiDeepSupervision
from torch import Tensor, nn

from losskit import (
    BCEWithLogitsLoss,
    CrossEntropyLoss,
    DeepSupervisionLoss,
    DiceCELoss,
    DiceLoss,
    FocalLoss,
    L1Loss,
    LearnedWeights,
    LovaszLoss,
    MeanFocalLoss,
    MSELoss,
    OHEMLoss,
    Scheduled,
    TopKLoss,
)
from losskit.compose import cosine, linear, warmup
from peers import peer

CE = CrossEntropyLoss


def close(found: Tensor, expected: Any) -> None:
    expected = torch.as_tensor(expected, dtype=found.dtype)
    torch.testing.assert_close(found, expected.expand_as(found), rtol=1e-12, atol=1e-14)


def compiles(criterion: nn.Module, *tensors: Any) -> None:
    compiled = torch.compile(criterion, fullgraph=True, backend="aot_eager")
    torch.testing.assert_close(compiled(*tensors), criterion(*tensors))


# Deep supervision.


@pytest.fixture
def pyramid() -> tuple[list[Tensor], Tensor]:
    torch.manual_seed(0)
    outputs = [torch.randn(2, 3, *size, dtype=torch.float64) for size in ((12, 16), (6, 8), (3, 4), (2, 2))]
    return outputs, torch.randint(0, 3, (2, 12, 16))


class Value(nn.Module):
    """Returns the number in the output, so that a sum of levels shows its weights."""

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        return input.mean()


# The weights by nnU-Net's author for five outputs, with the lowest dropped (version 1) and kept (version 2).
NNUNET = {
    True: [0.53333333, 0.26666667, 0.13333333, 0.06666667, 0.0],
    False: [0.51612903, 0.25806452, 0.12903226, 0.06451613, 0.03225806],
}


@pytest.mark.parametrize("drop", [True, False])
def test_weights_halve_as_in_nnunet(drop: bool) -> None:
    target = torch.zeros(1, 16, dtype=torch.long)
    for level, weight in enumerate(NNUNET[drop]):
        outputs = [torch.full((1, 2, 2 ** (4 - i)), float(i == level), dtype=torch.float64) for i in range(5)]
        found = DeepSupervisionLoss(Value(), drop_lowest=drop)(outputs, target)
        assert found.item() == pytest.approx(weight, abs=5e-9)


def test_weights_by_list_and_equal() -> None:
    outputs = [torch.full((1, 2, n), v, dtype=torch.float64) for n, v in ((4, 1.0), (2, 10.0), (1, 100.0))]
    target = torch.zeros(1, 4, dtype=torch.long)
    close(DeepSupervisionLoss(Value(), [5, 3, 2])(outputs, target), 0.5 + 3 + 20)
    close(DeepSupervisionLoss(Value(), weights=[5, 5, 90], drop_lowest=True)(outputs, target), 5.5)
    close(DeepSupervisionLoss(Value(), "equal")(outputs, target), 37.0)
    for weights in ("halve", [5, 3, 2]):
        close(DeepSupervisionLoss(Value(), weights, drop_lowest=True)(outputs[1], target), 10.0)  # as in evaluation
    with pytest.raises(ValueError, match=r"there are 3 outputs, but 2 weights"):
        DeepSupervisionLoss(Value(), [1, 1])(outputs, target)
    with pytest.raises(ValueError, match="weights must not all be 0"):
        DeepSupervisionLoss(Value(), [0, 0])
    with pytest.raises(ValueError, match="weights must be"):
        DeepSupervisionLoss(Value(), [1, -1])


def test_deep_supervision_equals_monai(pyramid: tuple[list[Tensor], Tensor]) -> None:
    outputs, target = pyramid
    weights = [1.0, 0.7, 0.2, 0.1]
    theirs = MonaiDeepSupervision(
        MonaiDiceCE(to_onehot_y=True, softmax=True, smooth_nr=0.0, smooth_dr=0.0, batch=True), weights=weights
    )
    outputs = [x.float() for x in outputs]  # MONAI computes in single precision
    expected = theirs(outputs, target.unsqueeze(1).float()) / sum(weights)
    found = DeepSupervisionLoss(DiceCELoss(pool="batch"), weights)(outputs, target)
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("size", [(12, 16), (6, 8), (5, 7), (3, 1), (1, 16)])
def test_targets_are_resized_to_the_nearest(size: tuple[int, int]) -> None:
    seen: list[Tensor] = []

    def remember(output: Tensor, target: Tensor, weight: Any = None, mask: Any = None) -> Tensor:
        seen.extend([target, weight, mask])
        return output.sum()

    target = torch.arange(2 * 12 * 16).view(2, 12, 16)
    weight, mask = torch.rand(2, 1, 12, 1), torch.rand(2, 12, 16) > 0.5
    DeepSupervisionLoss(remember)([torch.zeros(2, 3, *size)], target, weight, mask)
    nearest = F.interpolate(target.unsqueeze(1).double(), size, mode="nearest-exact")
    torch.testing.assert_close(seen[0], nearest.squeeze(1).long())
    expected = F.interpolate(weight, (size[0], 1), mode="nearest-exact")
    torch.testing.assert_close(seen[1], expected)
    expected = F.interpolate(mask.unsqueeze(1).float(), size, mode="nearest-exact").squeeze(1)
    torch.testing.assert_close(seen[2], expected.bool())


@pytest.mark.parametrize("form", ["indices", "one-hot", "uint8", "volume"])
def test_levels_are_the_criterion_on_resized_targets(form: str) -> None:
    torch.manual_seed(0)
    size = (4, 6, 8) if form == "volume" else (6, 8)
    outputs = [torch.randn(2, 3, *(n // s for n in size), dtype=torch.float64) for s in (1, 2)]
    labels = torch.randint(0, 3, (2, *size))
    labels[0, :2] = 255
    second: Any = (slice(None), *[slice(1, None, 2) for _ in size])  # the centre of two falls on the second
    small = labels[second]
    weight = torch.rand(2, *size, dtype=torch.float64)
    small_weight = weight[second]
    criterion = DiceCELoss(ignore_index=255)
    expected = 2 / 3 * criterion(outputs[0], labels, weight) + 1 / 3 * criterion(outputs[1], small, small_weight)
    given: Tensor = labels
    if form == "one-hot":
        classes = F.one_hot(labels.where(labels != 255, 0), 3).movedim(-1, 1)
        given = torch.where((labels == 255).unsqueeze(1), 255, classes)
    elif form == "uint8":
        given = labels.to(torch.uint8)
    found = DeepSupervisionLoss(criterion)(outputs, given, weight)
    close(found, expected)
    targets = [labels, small]
    close(DeepSupervisionLoss(criterion)(outputs, targets, [weight, small_weight]), expected)


def test_deep_supervision_is_a_loss_like_others(pyramid: tuple[list[Tensor], Tensor]) -> None:
    outputs, target = pyramid
    criterion = DeepSupervisionLoss(DiceLoss(pool="batch") + 0.5 * CE())
    shares = [slice(0, 1), slice(1, 2)]
    sums: Any = sum(criterion.totals([x[s] for x in outputs], target[s]) for s in shares)
    close(criterion.finish(sums), criterion(outputs, target))
    mean = DeepSupervisionLoss(CE())
    close((2 * criterion + mean)(outputs, target), 2 * criterion(outputs, target) + mean(outputs, target))
    close(pickle.loads(pickle.dumps(criterion))(outputs, target), criterion(outputs, target))
    compiles(criterion, outputs, target)
    with pytest.raises(TypeError, match="has no option 'reduction'"):
        DeepSupervisionLoss(MSELoss(), reduction="sum")
    with pytest.raises(TypeError, match=r"ranks the elements of its own batch"):
        DeepSupervisionLoss(LovaszLoss(pool="batch")).totals(outputs, target)


def test_deep_supervision_says_what_does_not_fit(pyramid: tuple[list[Tensor], Tensor]) -> None:
    outputs, target = pyramid
    criterion = DeepSupervisionLoss(CE())
    with pytest.raises(ValueError, match=r"target \(2, 6, 8\) is smaller than output \(2, 3, 12, 16\)"):
        criterion(outputs, target[:, ::2, ::2])
    with pytest.raises(ValueError, match="there are 4 outputs, but 2 targets"):
        criterion(outputs, [target, target])
    with pytest.raises(TypeError, match=r"the highest resolution first, or one tensor"):
        criterion([], target)
    with pytest.raises(ValueError, match="reduction='none'"):
        DeepSupervisionLoss(CE(reduction="none"))


# Hard examples.


def test_hard_examples_by_hand() -> None:
    """Losses above a threshold of exp(-2.5), and always the hardest of each batch or sample."""
    x = torch.tensor([[1.0, 5.0, 2.0], [4.0, 3.0, 0.0]], dtype=torch.float64, requires_grad=True)
    zero, threshold = torch.zeros_like(x), math.exp(-2.5)
    close(OHEMLoss(L1Loss(), threshold)(x, zero), (5 + 4 + 3) / 3)
    close(OHEMLoss(L1Loss(), threshold, 4)(x, zero), (5 + 4 + 3 + 2) / 4)
    close(OHEMLoss(L1Loss(), threshold, 100)(x, zero), 15 / 6)
    close(OHEMLoss(L1Loss(), math.exp(-9))(x, zero), 5)
    close(OHEMLoss(L1Loss(), math.exp(-9), pool="sample")(x, zero), (5 + 4) / 2)
    close(OHEMLoss(L1Loss(), threshold, reduction="sum")(x, zero), 12)
    mask = torch.tensor([[True, False, True], [True, True, True]])
    close(OHEMLoss(L1Loss(), threshold)(x, zero, mask=mask), (4 + 3) / 2)
    assert OHEMLoss(L1Loss())(x, zero, mask=torch.zeros_like(mask)) == 0
    OHEMLoss(L1Loss(), threshold)(x, zero).backward()
    assert x.grad is not None
    close(x.grad, torch.tensor([[0.0, 1 / 3, 0], [1 / 3, 1 / 3, 0]], dtype=torch.float64))
    with pytest.raises(TypeError, match="no option 'k'"):
        OHEMLoss(L1Loss(), k=3)


def test_top_k_by_hand() -> None:
    x = torch.tensor([[1.0, 5.0, 2.0], [4.0, 3.0, 0.0]], dtype=torch.float64, requires_grad=True)
    zero = torch.zeros_like(x)
    close(TopKLoss(L1Loss(), 2)(x, zero), (5 + 4) / 2)
    close(TopKLoss(L1Loss(), 0.5)(x, zero), (5 + 4 + 3) / 3)
    close(TopKLoss(L1Loss(), 0.4)(x, zero), (5 + 4) / 2)  # 2.4 elements are 2
    close(TopKLoss(L1Loss(), 0.01)(x, zero), 5)  # at least one
    close(TopKLoss(L1Loss(), 1.0)(x, zero), 15 / 6)
    close(TopKLoss(L1Loss(), 100)(x, zero), 15 / 6)
    close(TopKLoss(L1Loss(), 1, pool="sample")(x, zero), (5 + 4) / 2)
    close(TopKLoss(L1Loss(), 2, pool="sample")(x, zero), (5 + 2 + 4 + 3) / 4)
    close(TopKLoss(L1Loss(), 2, reduction="sum")(x, zero), 9)
    close(TopKLoss(L1Loss(), 2, reduction="none")(x, zero).sum(0), torch.tensor([4.0, 5, 0]))
    TopKLoss(L1Loss(), 2)(x, zero).backward()
    assert x.grad is not None
    close(x.grad, torch.tensor([[0, 0.5, 0], [0.5, 0, 0]]))


def test_top_k_weighs_as_the_mean_does() -> None:
    x = torch.tensor([[1.0, 5.0, 2.0], [4.0, 3.0, 0.0]], dtype=torch.float64)
    weight = torch.tensor([[9.0, 1.0, 1.0], [1.0, 0.0, 1.0]], dtype=torch.float64)
    # Weighted: 9, 5, 2, 4, none, 0.
    close(TopKLoss(L1Loss(), 2)(x, torch.zeros_like(x), weight), (9 + 5) / (9 + 1))
    close(TopKLoss(L1Loss(), 0.6)(x, torch.zeros_like(x), weight), (9 + 5 + 4) / (9 + 1 + 1))  # 3 of the 5 that count


def test_masked_and_ignored_elements_are_no_candidates() -> None:
    torch.manual_seed(0)
    x, t = torch.randn(2, 4, 5, 6, dtype=torch.float64), torch.randint(0, 4, (2, 5, 6))
    t[:, 1] = 255
    mask = torch.rand(2, 5, 6) > 0.3
    kept = mask & (t != 255)
    element = F.cross_entropy(x.movedim(1, -1)[kept], t[kept], reduction="none")
    x[:, :, 1] = torch.nan
    x.requires_grad_()
    loss = TopKLoss(CE(ignore_index=255), 0.25)(x, t, mask=mask)
    close(loss, element.topk(int(0.25 * kept.sum())).values.mean())
    loss.backward()
    assert x.grad is not None
    assert (x.grad.abs().sum(1) > 0).sum() == int(0.25 * kept.sum())
    nothing = TopKLoss(CE(), 3)(x.detach(), t, mask=torch.zeros_like(mask))
    assert nothing == 0
    assert TopKLoss(CE(), 0.5)(x[:0], t[:0]) == 0


def test_the_share_is_of_what_counts_exactly() -> None:
    x = torch.arange(100, dtype=torch.float64).view(4, 25)
    for k, kept in ((0.29, 29), (0.07, 7), (0.57, 57)):  # 0.29 * 100 is 28.999...
        found = TopKLoss(L1Loss(), k, reduction="none")(x, torch.full_like(x, -1.0))
        assert int((found > 0).sum()) == kept


TOPPED: dict[str, tuple[Any, Callable[[Tensor, Tensor], Tensor]]] = {
    "class weights": (
        CE(class_weight=[1, 2, 3, 4], label_smoothing=0.1),
        lambda x, t: F.cross_entropy(x, t, torch.tensor([1.0, 2, 3, 4]).to(x), label_smoothing=0.1, reduction="none"),
    ),
    "sigmoid": (
        BCEWithLogitsLoss(),
        lambda x, t: F.binary_cross_entropy_with_logits(x, F.one_hot(t, 4).movedim(-1, 1).to(x), reduction="none"),
    ),
    "module": (nn.CrossEntropyLoss(reduction="none"), lambda x, t: F.cross_entropy(x, t, reduction="none")),
}


@pytest.mark.parametrize("name", TOPPED)
def test_top_k_of_every_kind(name: str) -> None:
    torch.manual_seed(0)
    x, t = torch.randn(3, 4, 5, dtype=torch.float64), torch.randint(0, 4, (3, 5))
    criterion, elements = TOPPED[name]
    value = elements(x, t).flatten()
    share = torch.tensor([1.0, 2, 3, 4]).to(x)[t].flatten() if name == "class weights" else torch.ones_like(value)
    hardest = value.argsort(descending=True)[:6]
    target = F.one_hot(t, 4).movedim(-1, 1).double() if name == "sigmoid" else t
    top = TopKLoss(criterion, 6)
    close(top(x, target), value[hardest].sum() / share[hardest].sum())
    compiles(top, x, target)
    close((top + 2 * top)(x, target), 3 * top(x, target))
    if name != "module":
        close(TopKLoss(criterion, 1.0)(x, target), criterion(x, target))


def test_top_k_of_regions_and_images() -> None:
    torch.manual_seed(0)
    x, t = torch.randn(3, 4, 8, dtype=torch.float64), torch.randint(0, 4, (3, 8))
    regions = DiceLoss(reduction="none")(x, t)
    close(TopKLoss(DiceLoss(), 3)(x, t), regions.flatten().topk(3).values.mean())
    close(TopKLoss(DiceLoss(), 1, pool="sample")(x, t), regions.max(1).values.mean())
    images = LovaszLoss(reduction="none")(x, t)
    close(TopKLoss(LovaszLoss(), 2)(x, t), images.topk(2).values.mean())


def test_top_k_says_what_does_not_fit() -> None:
    for criterion in (DiceLoss() + CE(), DiceLoss(pool="batch"), MeanFocalLoss(), DeepSupervisionLoss(CE())):
        with pytest.raises(TypeError, match=r"no mean of elements.*mine the parts"):
            TopKLoss(criterion, 3)
    for k in (0, -1, 1.5, True):
        with pytest.raises((ValueError, TypeError), match="k must be"):
            TopKLoss(CE(), k)
    x, t = torch.randn(3, 4), torch.randint(0, 4, (3,))
    with pytest.raises(ValueError, match=r"returned one number.*reduction='none'"):
        TopKLoss(nn.CrossEntropyLoss(), 3)(x, t)


# Learned weights.


@pytest.mark.parametrize("variant", ["kendall", "liebel"])
def test_learned_weights_by_hand(variant: Any) -> None:
    torch.manual_seed(0)
    x, t = torch.randn(3, 4, 5, dtype=torch.float64), torch.randint(0, 4, (3, 5))
    ce, dice = F.cross_entropy(x, t).item(), DiceLoss()(x, t).item()
    criterion = LearnedWeights(CE(), DiceLoss(), variant=variant).double()
    with torch.no_grad():
        criterion.log_variance.copy_(torch.tensor([0.5, -1.0]))
    s = [0.5, -1.0]
    if variant == "kendall":  # loss / sigma^2 + log sigma
        weighted = [ce * math.exp(-s[0]), dice * math.exp(-s[1])]
        expected = sum(weighted) + math.log(math.exp(s[0] / 2)) + math.log(math.exp(s[1] / 2))
        slope = [-weighted[0] + 0.5, -weighted[1] + 0.5]
    else:  # loss / (2 sigma^2) + log(1 + sigma^2)
        weighted = [ce * math.exp(-s[0]) / 2, dice * math.exp(-s[1]) / 2]
        expected = sum(weighted) + math.log(1 + math.exp(s[0])) + math.log(1 + math.exp(s[1]))
        slope = [-w + math.exp(v) / (1 + math.exp(v)) for w, v in zip(weighted, s, strict=True)]
    loss, parts = criterion.parts(x, t)
    loss.backward()  # type: ignore[no-untyped-call]
    assert loss.item() == pytest.approx(expected, rel=1e-12)
    assert criterion(x, t).item() == loss.item()
    assert criterion.log_variance.grad is not None
    assert criterion.log_variance.grad.tolist() == pytest.approx(slope, rel=1e-12)
    assert [p.weighted.item() for p in parts.values()] == pytest.approx(weighted, rel=1e-12)
    assert list(parts) == ["ce", "dice"]


def test_the_best_weights_are_the_inverse_losses() -> None:
    x, zero = torch.full((4, 2), 3.0), torch.zeros(4, 2)
    criterion = LearnedWeights(MSELoss(), L1Loss())
    optimizer = torch.optim.SGD(criterion.parameters(), lr=0.5)
    for _ in range(200):
        optimizer.zero_grad()
        criterion(x, zero).backward()
        optimizer.step()
    variance = criterion.log_variance.exp().tolist()  # d/ds [e^-s l + s / 2] = 0 at e^s = 2 l
    assert variance == pytest.approx([2 * 9, 2 * 3], rel=1e-4)


def test_each_loss_has_its_own_tensors() -> None:
    torch.manual_seed(0)
    x, t = torch.randn(3, 4, 5), torch.randint(0, 4, (3, 5))
    y, depth, mask = torch.randn(3, 5), torch.randn(3, 5), torch.rand(3, 5) > 0.5
    criterion = LearnedWeights(classes=CE() + DiceLoss(), depth=L1Loss())
    expected = (CE() + DiceLoss())(x, t) + L1Loss()(y, depth, mask=mask)
    outputs, targets = {"classes": x, "depth": y}, {"classes": t, "depth": depth, "more": None}
    torch.testing.assert_close(criterion(outputs, targets, mask={"depth": mask}), expected)
    torch.testing.assert_close(criterion([x, y], [t, depth], mask=[None, mask]), expected)
    loss, parts = criterion.parts(outputs, targets, mask={"depth": mask})
    assert list(parts) == ["classes", "depth"]
    torch.testing.assert_close(loss, expected)
    sums = criterion.totals(outputs, targets, mask={"depth": mask})
    torch.testing.assert_close(criterion.finish(sums).float(), expected)
    compiles(criterion, outputs, targets)
    with pytest.raises(KeyError, match="a dict was given without 'depth'"):
        criterion({"classes": x}, targets)
    with pytest.raises(ValueError, match="a list of 1 was given to 2 losses"):
        criterion([x], [t])


def test_learned_weights_in_the_algebra() -> None:
    torch.manual_seed(0)
    x, t = torch.randn(3, 4, 5), torch.randint(0, 4, (3, 5))
    learned = LearnedWeights(CE(), DiceLoss())
    with torch.no_grad():
        learned.log_variance.fill_(0.7)
    criterion = FocalLoss() + 0.5 * learned
    torch.testing.assert_close(criterion(x, t), FocalLoss()(x, t) + 0.5 * learned(x, t))
    again = copy.deepcopy(criterion)
    again.load_state_dict(pickle.loads(pickle.dumps(criterion)).state_dict())
    torch.testing.assert_close(again(x, t), criterion(x, t))
    compiles(criterion, x, t)
    with pytest.raises(TypeError, match="takes the losses to weigh"):
        LearnedWeights()
    with pytest.raises(TypeError, match="is no mean"):
        learned.counts(t, num_classes=4)


# Schedules.


def test_schedules_by_hand() -> None:
    line, curve = linear(2.0, 4.0, steps=10), cosine(1.0, 0.0, steps=8)
    assert [line(s) for s in (0, 1, 5, 10, 99)] == [2.0, 2.2, 3.0, 4.0, 4.0]
    assert [curve(s) for s in (0, 4, 8, 9)] == pytest.approx([1.0, 0.5, 0.0, 0.0], abs=1e-15)
    assert curve(2) == pytest.approx((1 + math.cos(math.pi / 4)) / 2)
    assert [warmup(4)(s) for s in (0, 1, 4, 9)] == [0.0, 0.25, 1.0, 1.0]
    both = warmup(4, then=linear(3.0, 0.0, steps=3))
    assert [both(s) for s in (0, 2, 4, 5, 7, 8)] == pytest.approx([0.0, 1.5, 3.0, 2.0, 0.0, 0.0])
    for build in (lambda: linear(0, 1, steps=0), lambda: cosine(0, 1, steps=-1), lambda: warmup(0)):
        with pytest.raises(ValueError, match="steps must be a whole number >= 1"):
            build()


def test_scheduled_follows_any_function_of_the_step() -> None:
    weight = Scheduled(lambda step: 0.5 if step < 2 else 3)
    seen = []
    for _ in range(4):
        seen.append(weight().item())
        weight.step()
    assert seen == [0.5, 0.5, 3.0, 3.0]
    assert "step 4" in repr(weight)
    with pytest.raises(TypeError, match="must be a function of the step"):
        Scheduled(0.5)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match=r"schedule\(0\) must return a number"):
        Scheduled(lambda step: None)  # type: ignore[arg-type, return-value]


def test_a_step_may_come_before_the_backward_pass() -> None:
    x = torch.randn(3, 2, requires_grad=True)
    weight = Scheduled(linear(1.0, 0.0, steps=2))
    now = weight()
    loss = now * MSELoss()(x, torch.zeros(3, 2)) + (weight * MSELoss())(x, torch.zeros(3, 2))
    weight.step()
    assert now == 1
    loss.backward()
    assert x.grad is not None
    torch.testing.assert_close(x.grad, 2 * 2 * x.detach() / 6)


def test_the_step_is_saved() -> None:
    weight = Scheduled(cosine(0.0, 1.0, steps=10))
    for _ in range(7):
        weight.step()
    other = Scheduled(cosine(0.0, 1.0, steps=10))
    other.load_state_dict(weight.state_dict())
    again = pickle.loads(pickle.dumps(weight))
    for copied in (other, again, copy.deepcopy(weight)):
        assert copied() == weight()
        copied.step()
        assert copied().item() == pytest.approx(cosine(0.0, 1.0, steps=10)(8))


def test_the_step_is_saved_as_a_tensor(tmp_path) -> None:
    peer("timm")  # which installs safetensors
    from safetensors.torch import load_file, save_file

    criterion, other = (DiceLoss() + Scheduled(linear(0.0, 1.0, steps=10)) * FocalLoss() for _ in range(2))
    for _ in range(3):
        criterion.factors["1"].step()
    with torch.device("meta"):
        state = criterion.state_dict()
    assert all(isinstance(value, Tensor) and not value.is_meta for value in state.values())
    save_file(state, tmp_path / "criterion.safetensors")
    other.load_state_dict(load_file(tmp_path / "criterion.safetensors"))
    assert other.factors["1"]().item() == pytest.approx(0.3)


@pytest.mark.parametrize("step", [0, 3])
def test_a_schedule_made_without_memory_has_its_value_once_it_has_some(step: int) -> None:
    with torch.device("meta"):
        weight = Scheduled(linear(0.5, 1.5, steps=10))
    for _ in range(step):
        weight.step()
    assert weight().is_meta
    assert weight.to_empty(device="cpu")().item() == pytest.approx(0.5 + step / 10)
    assert weight.double()().dtype == torch.float64
    assert weight().item() == 0.5 + step / 10


def test_learned_weights_made_without_memory_are_reset() -> None:
    with torch.device("meta"):
        learned = LearnedWeights(L1Loss(), MSELoss())
    learned.to_empty(device="cpu").reset_parameters()
    assert learned.log_variance.tolist() == [0.0, 0.0]
    assert learned.log_variance.requires_grad


def test_outputs_with_the_lowest_resolution_first_are_refused():
    outputs = [torch.randn(2, 3, size, size) for size in (4, 8)]
    with pytest.raises(ValueError, match=r"highest resolution first; got \(2, 3, 4, 4\) before .*outputs\[::-1\]"):
        DeepSupervisionLoss(CrossEntropyLoss())(outputs, torch.zeros(2, 8, 8, dtype=torch.long))
