"""Sums of losses: their values, their parts, a shared pass, and errors."""

from __future__ import annotations

import copy
import io
import itertools
import pickle
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import losskit
from losskit import (
    BCEWithLogitsLoss,
    ComboLoss,
    CrossEntropyLoss,
    DiceCELoss,
    DiceLoss,
    FocalLoss,
    GaussianNLLLoss,
    Loss,
    LovaszLoss,
    MSELoss,
    MultiLabelSoftMarginLoss,
    Scheduled,
    WeightedSum,
    ops,
)
from losskit.compose import linear
from losskit.ops.planning import Pass

CE = CrossEntropyLoss
Pair = tuple[Tensor, Tensor]


@pytest.fixture
def binary() -> Pair:
    torch.manual_seed(0)
    return torch.randn(3, 1, 4, 5, dtype=torch.float64), torch.randint(0, 2, (3, 1, 4, 5)).double()


@pytest.fixture
def classes() -> Pair:
    torch.manual_seed(0)
    return torch.randn(3, 4, 5, 6, dtype=torch.float64), torch.randint(0, 4, (3, 5, 6))


def bce(x: Tensor, t: Tensor) -> Tensor:
    return F.binary_cross_entropy_with_logits(x, t)


def focal(x: Tensor, t: Tensor) -> Tensor:
    p = torch.where(t == 1, torch.sigmoid(x), 1 - torch.sigmoid(x))
    return (torch.where(t == 1, 0.25, 0.75) * (1 - p) ** 2 * -p.log()).mean()


def close(found: Tensor, expected: Tensor) -> None:
    torch.testing.assert_close(found, expected, rtol=1e-12, atol=1e-14)


FOCAL = FocalLoss(alpha=0.25)
SUMS: dict[str, tuple[Callable[[Any, Any], Any], tuple[float, float]]] = {
    "a + b": (lambda a, b: a + b, (1, 1)),
    "a + 0.5 * b": (lambda a, b: a + 0.5 * b, (1, 0.5)),
    "a * 2 - b": (lambda a, b: a * 2 - b, (2, -1)),
    "-a / 4 + b": (lambda a, b: -a / 4 + b, (-0.25, 1)),
    "nested": (lambda a, b: 2 * (a + 0.5 * (b - 3 * a)) + b, (-1, 2)),
    "sum()": (lambda a, b: sum([a, b, b]), (1, 2)),
    "numpy": (lambda a, b: np.float64(0.5) * a + b * np.float32(0.25) + np.array(2.0) * a, (2.5, 0.25)),
    "int": (lambda a, b: 3 * a + b, (3, 1)),
    "tensor": (lambda a, b: torch.tensor(0.5) * (a + b) * torch.tensor([4.0]), (2, 2)),
}


@pytest.mark.parametrize("name", SUMS)
def test_a_sum_is_the_sum_of_its_parts(name: str, binary: Pair) -> None:
    build, (a, b) = SUMS[name]
    criterion = build(BCEWithLogitsLoss(), FOCAL)
    assert isinstance(criterion, WeightedSum)
    close(criterion(*binary), a * bce(*binary) + b * focal(*binary))


def test_any_module_or_callable_joins(binary: Pair) -> None:
    x, t = binary

    @losskit.regression_loss
    def squared(input: Tensor, target: Tensor) -> Tensor:
        return (input - target) ** 2

    def penalty(output: Tensor) -> Tensor:
        return output.abs().mean()

    expected = focal(x, t) + bce(x, t)
    close((FOCAL + nn.BCEWithLogitsLoss())(x, t), expected)
    close((nn.BCEWithLogitsLoss() + FOCAL)(x, t), expected)
    close((F.binary_cross_entropy_with_logits + FOCAL)(x, t), expected)
    close((nn.BCEWithLogitsLoss() - FOCAL)(x, t), bce(x, t) - focal(x, t))
    close((FOCAL + 0.1 * (squared + FOCAL))(x, t), 1.1 * focal(x, t) + 0.1 * F.mse_loss(x, t))
    close((FOCAL + penalty)(x, t), focal(x, t) + x.abs().mean())  # a function of the output alone


def test_a_parameter_is_learned_with_the_model(binary: Pair) -> None:
    weight = nn.Parameter(torch.tensor(0.5))
    for criterion in (FOCAL + weight * BCEWithLogitsLoss(), FOCAL + BCEWithLogitsLoss() * weight):
        assert [p is weight for p in criterion.parameters()] == [True]
        weight.grad = None
        loss = criterion(*binary)
        loss.backward()
        assert loss.dtype == torch.float64
        close(loss.detach(), focal(*binary) + 0.5 * bce(*binary))
        assert weight.grad is not None
        torch.testing.assert_close(weight.grad.double(), bce(*binary), rtol=1e-6, atol=0)
    both = weight * (FOCAL + 2 * (weight * BCEWithLogitsLoss()))
    close(both(*binary).detach(), 0.5 * focal(*binary) + 0.5 * bce(*binary))
    assert both.names == ["focal", "bce"]
    assert len(list(both.parameters())) == 1
    close(copy.deepcopy(both)(*binary).detach(), both(*binary).detach())
    assert len(list(copy.deepcopy(both).parameters())) == 1


def test_a_module_gives_the_weight_of_the_moment(binary: Pair) -> None:
    schedule = Scheduled(linear(0.0, 1.0, steps=4))
    for criterion in (FOCAL + schedule * BCEWithLogitsLoss(), FOCAL + BCEWithLogitsLoss() * schedule):
        for step in range(6):
            schedule.set_extra_state(step)
            close(criterion(*binary), focal(*binary) + min(step / 4, 1) * bce(*binary))


def test_float32_weights_keep_the_precision_of_the_loss(binary: Pair) -> None:
    x, t = binary
    assert (torch.tensor(0.5, dtype=torch.float64) * FOCAL)(x.float(), t.float()).dtype == torch.float32
    assert (torch.tensor(0.5) * FOCAL)(x, t).dtype == torch.float64


def test_weight_and_mask_reach_every_part(binary: Pair) -> None:
    x, t = binary
    weight, mask = torch.rand(3, 1, 4, 5, dtype=torch.float64), torch.rand(3, 1, 4, 5) > 0.3
    kept = (weight * mask).expand_as(x)
    element = F.binary_cross_entropy_with_logits(x, t, reduction="none")
    expected = (kept * element).sum() / kept.sum() + 0.5 * (kept * (x - t) ** 2).sum() / kept.sum()
    criterion = BCEWithLogitsLoss() + 0.5 * MSELoss()
    close(criterion(x, t, weight, mask), expected)
    close(criterion(x, t, weight=weight, mask=mask), expected)
    close(criterion(x, t, weight, mask=mask), expected)
    close(criterion.parts(x, t, weight, mask)[0], expected)

    def own(input: Tensor, target: Tensor, weight: Any = None, mask: Any = None) -> Tensor:
        result: Tensor = (input * weight).sum()
        return result

    close((criterion + own)(x, t, weight, mask), expected + (x * weight).sum())


@pytest.mark.parametrize("function", [F.cross_entropy, nn.CrossEntropyLoss(), lambda x, t: x.sum()])
def test_a_part_that_takes_no_weight_per_element_says_so(function: Callable[..., Tensor], classes: Pair) -> None:
    x, t = classes
    with pytest.raises(TypeError, match=r"takes no weight per element.*losskit.loss"):
        (DiceLoss() + function)(x, t, weight=torch.ones(3, 5, 6, dtype=torch.float64))
    with pytest.raises(TypeError, match=r"takes no mask"):
        (DiceLoss() + function)(x, t, mask=torch.ones(3, 5, 6, dtype=torch.bool))


def test_parts_name_each_component(classes: Pair) -> None:
    criterion = DiceLoss() + 0.5 * (CE() + 2 * DiceLoss(pool="batch")) - CE(label_smoothing=0.1)
    x, t = classes
    x.requires_grad_()
    loss, parts = criterion.parts(x, t)
    assert list(parts) == ["dice", "ce", "dice_2", "ce_2"]
    raw = [DiceLoss()(x, t), F.cross_entropy(x, t), DiceLoss(pool="batch")(x, t)]
    raw.append(F.cross_entropy(x, t, label_smoothing=0.1))
    for part, value, weight in zip(parts.values(), raw, (1, 0.5, 1, -1), strict=True):
        close(part.raw, value.detach())
        close(part.weighted, weight * value.detach())
        assert not part.raw.requires_grad
        assert not part.weighted.requires_grad
    close(loss, criterion(x, t))
    (gradient,) = torch.autograd.grad(loss, x)
    (expected,) = torch.autograd.grad(raw[0] + 0.5 * raw[1] + raw[2] - raw[3], x)
    close(gradient, expected)
    alone, named = DiceLoss().parts(x, t)
    close(named["dice"].raw, alone.detach())


@pytest.fixture
def passes(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """How often the logits are read."""
    counted: list[Any] = []
    totals = ops.totals

    def counting(reading: Any, columns: Any, **options: Any) -> Tensor:
        counted.append(columns)
        return totals(reading, columns, **options)

    monkeypatch.setattr(ops, "totals", counting)
    return counted


def test_a_sum_is_one_pass(passes: list[Any], classes: Pair) -> None:
    criterion = DiceLoss() + 0.5 * (CE(class_weight=[1, 2, 3, 4]) + DiceCELoss(pool="batch")) + FocalLoss()
    for call in (criterion, criterion.parts, criterion.totals):
        passes.clear()
        call(*classes)
        assert len(passes) == 1
    assert passes[0].count("tp") == 1  # columns that several parts need are summed once
    passes.clear()
    (DiceLoss(mode="multilabel") + CE())(*classes)
    assert len(passes) == 2  # sigmoid and softmax read the target differently


def test_parts_that_read_alike_share_a_pass_and_the_others_do_not(binary: Pair, classes: Pair) -> None:
    x, indices = classes
    one_hot = F.one_hot(indices, 4).movedim(-1, 1)
    given = [
        binary,
        (binary[0], binary[1].squeeze(1)),
        (binary[0][:, 0, 0, 0], binary[1][:, 0, 0, 0]),
        classes,
        (x, one_hot),
        (x, indices.unsqueeze(1)),
    ]
    options = [{"mode": mode, "ignore_index": i} for mode in (None, "multilabel", "multiclass") for i in (-100, 1)]
    prior = [CE(prior=[1, 2, 3, 4])]
    losses = [FocalLoss(**each) for each in options] + [BCEWithLogitsLoss(), CE(), BCEWithLogitsLoss(from_logits=False)]
    losses.append(MultiLabelSoftMarginLoss())  # which rejects what the others accept
    shared = apart = 0
    for (input, target), first, second in itertools.product(given, losses + prior, losses + prior):
        try:
            known, own = first.parse(input, target), second.parse(input, target)
        except ValueError:
            continue
        groups = Pass([first, second]).inputs([first, second], input, target, None, None)
        assert (len(groups) == 1) is (own.equals(known) and not {first, second} & set(prior))
        shared, apart = shared + (len(groups) == 1), apart + (len(groups) == 2)
        for inputs, members in groups:
            for index in members:
                alone = (known, own)[index]
                assert inputs.output_shape == alone.output_shape
                for a, b in zip(inputs.tensors, alone.tensors, strict=True):
                    assert (a is None and b is None) or torch.equal(a, b)
    assert shared > 50
    assert apart > 50


def test_hooks_of_a_part_run_once(passes: list[Any], classes: Pair) -> None:
    calls: list[float] = []
    dice = DiceLoss()
    dice.register_forward_hook(lambda module, args, output: calls.append(output.item()))
    criterion = dice + CE()
    expected = DiceLoss()(*classes) + F.cross_entropy(*classes)
    passes.clear()
    close(criterion(*classes), expected)
    assert calls == [DiceLoss()(*classes).item()]
    assert len(passes) == 3  # dice alone, cross-entropy, and the line above
    criterion.register_forward_hook(lambda module, args, output: output * 2)
    close(criterion(*classes), 2 * expected)


def test_modules_that_weigh_are_called_once(binary: Pair) -> None:
    class Counting(nn.Module):
        calls = 0

        def forward(self) -> Tensor:
            self.calls += 1
            return torch.tensor(2.0)

    weight = Counting()
    criterion = FOCAL + weight * BCEWithLogitsLoss()
    close(criterion(*binary), focal(*binary) + 2 * bce(*binary))
    assert weight.calls == 1
    criterion.parts(*binary)
    assert weight.calls == 2


def test_parts_of_several_tensors() -> None:
    torch.manual_seed(0)
    x, y, var = torch.randn(5, 3), torch.randn(5, 3), torch.rand(5, 3) + 0.5
    weight = torch.rand(5, 3)
    criterion = GaussianNLLLoss() + 0.5 * MSELoss()
    expected = F.gaussian_nll_loss(x, y, var) + 0.5 * F.mse_loss(x, y)
    torch.testing.assert_close(criterion(x, y, var), expected)
    close(criterion(x, y, var, weight), criterion(x, y, var, weight=weight))
    close(criterion.finish(criterion.totals(x, y, var, weight)).float(), criterion(x, y, var, weight))

    def three(a: Tensor, b: Tensor, c: Tensor) -> Tensor:
        return (a + b + c).sum()

    torch.testing.assert_close((0.5 * MSELoss() + three)(x, y, var), 0.5 * F.mse_loss(x, y) + (x + y + var).sum())


def test_arguments_by_name_reach_the_parts_that_take_them(classes: Pair) -> None:
    class Counted(Loss):
        def forward(  # type: ignore[override]
            self, input: Tensor, target: Tensor, weight: Any = None, mask: Any = None, *, boxes: int = 1
        ) -> Tensor:
            return input.sum() / boxes

    x, t = classes
    criterion = CE() + Counted()
    close(criterion(x, t, boxes=4), F.cross_entropy(x, t) + x.sum() / 4)
    close(criterion.parts(x, t, boxes=4)[0], F.cross_entropy(x, t) + x.sum() / 4)
    with pytest.raises(TypeError, match=r"no part of it, ce, counted, takes box="):
        criterion(x, t, box=4)


def test_normalizer_replaces_the_denominator_of_the_means(classes: Pair) -> None:
    x, t = classes
    total = F.cross_entropy(x, t, reduction="sum")
    batch = DiceLoss(pool="batch")
    criterion = CE() + 0.5 * FocalLoss(gamma=0.0)
    close(criterion(x, t, normalizer=10), 1.5 * total / 10)
    close(criterion.finish(criterion.totals(x, t), normalizer=10), 1.5 * total / 10)
    for no_mean in (batch, CE(reduction="sum")):
        with pytest.raises(TypeError, match=r"normalizer= replaces the denominator of a mean"):
            no_mean(x, t, normalizer=10)


def test_normalizer_reaches_every_part_that_is_a_mean_of_elements(classes: Pair) -> None:
    x, t = classes
    every = F.cross_entropy(x, t, reduction="none").flatten()
    total, hardest = every.sum(), every.topk(9).values.sum()

    @losskit.loss
    def from_logits(input: Tensor, target: Tensor) -> Tensor:
        return F.cross_entropy(input, target, reduction="none")

    def taking(input: Tensor, target: Tensor, normalizer: Any = None) -> Tensor:
        values = F.cross_entropy(input, target, reduction="none")
        return values.mean() if normalizer is None else values.sum() / normalizer

    raw: Any = nn.CrossEntropyLoss(reduction="none")
    wrappers: list[tuple[Any, Tensor]] = [
        (losskit.TopKLoss(CE(), k=0.1), hardest),
        (losskit.TopKLoss(raw, k=9), hardest),
        (losskit.DeepSupervisionLoss(CE()), total),
        (losskit.LearnedWeights(CE(), CE()), 2 * total),
        (0.5 * (CE() + CE()), total),
        (losskit.distributed.sync(CE()), total),
        (from_logits, total),
        (taking, total),
    ]
    for wrapper, numerator in wrappers:
        both = CE() + wrapper
        close(both(x, t, normalizer=7).detach(), (total + numerator) / 7)
        close(sum(part.weighted for part in both.parts(x, t, normalizer=7)[1].values()), (total + numerator) / 7)


def test_normalizer_is_refused_by_the_name_of_the_part(classes: Pair) -> None:
    x, t = classes

    @losskit.loss(batch=True)
    def whole_batch(input: Tensor, target: Tensor) -> Tensor:
        return F.cross_entropy(input, target)

    refusing: dict[str, Any] = {
        "dice": DiceLoss(),
        "lovasz": LovaszLoss(),
        "ce_2": CE(reduction="sum"),
        "mean_focal": losskit.MeanFocalLoss(),
        "CrossEntropyLoss": nn.CrossEntropyLoss(),
        "cross_entropy": F.cross_entropy,
        "whole_batch": whole_batch,
        "top_k_dice": losskit.TopKLoss(DiceLoss(), k=0.5),
        "deep_supervision": losskit.DeepSupervisionLoss(DiceLoss()),
    }
    for name, part in refusing.items():
        said = rf"{name} is no mean of elements.*: .*, ce\(input, target, normalizer=...\) \+ {name}\("
        with pytest.raises(TypeError, match=said):
            (CE() + part)(x, t, normalizer=7)
    with pytest.raises(TypeError, match="dice is no mean of elements"):
        DiceCELoss()(x, t, normalizer=7)


def test_normalizers_of_several_resolutions(classes: Pair) -> None:
    x, t = classes
    outputs = [x, x[..., :2, :3]]
    criterion: Any = losskit.DeepSupervisionLoss(CE(), weights="equal")
    low = criterion.criterion(outputs[1], criterion._resized("target", t, outputs[1]), normalizer=3)
    expected = (CE()(x, t, normalizer=7) + low) / 2
    close(criterion(outputs, t, normalizer=[7, 3]), expected)
    close(criterion.finish(criterion.totals(outputs, t), normalizer=[7, 3]), expected)
    close(criterion([x, x], t, normalizer=7), CE()(x, t, normalizer=7))  # outputs of one size, as of a transformer
    for given, said in ((7, "Pass a list with one for each output"), ([7], "2 outputs, but 1 normalizers")):
        with pytest.raises(ValueError, match=said):
            criterion(outputs, t, normalizer=given)
    with pytest.raises(TypeError, match="dice is no mean of elements"):
        losskit.DeepSupervisionLoss(DiceLoss())(outputs, t, normalizer=[7, 3])


def test_sums_of_a_composite_add(classes: Pair) -> None:
    x, t = classes
    shares = [slice(0, 1), slice(1, 1), slice(1, 3)]
    criterion = DiceCELoss(pool="batch", class_weight=[1, 2, 3, 4]) + 0.5 * MSELoss()
    one_hot = F.one_hot(t, 4).movedim(-1, 1).double()
    sums: Any = sum(criterion.totals(x[s], one_hot[s]) for s in shares)
    close(criterion.finish(sums), criterion(x, one_hot))
    mean = DiceCELoss(class_weight=[1, 2, 3, 4]) + 0.5 * CE()
    counts: Any = sum(mean.counts(t[s], num_classes=4) for s in shares)
    close(sum(mean(x[s], t[s], whole=counts) for s in shares), mean(x, t))
    for criterion in (DiceLoss() + DiceLoss(pool="batch"), ComboLoss(variant="tutorial") + FocalLoss()):
        with pytest.raises(TypeError, match=r"is no mean.*micro_batches"):
            criterion.counts(t, num_classes=4)
    with pytest.raises(TypeError, match=r"LovaszLoss has no sums that add.*ranks the elements of its own batch"):
        (CE() + LovaszLoss(pool="batch")).totals(x, t)

    def penalty(output: Tensor) -> Tensor:
        return output.sum()

    with pytest.raises(TypeError, match=r"penalty has no sums that add"):
        (CE() + penalty).totals(x, t)


def test_a_constant_of_a_part_is_kept(binary: Pair) -> None:
    x, t = binary
    combo = ComboLoss(variant="tutorial", pool="batch")
    weight = nn.Parameter(torch.tensor(2.0, dtype=torch.float64))
    for criterion in (FOCAL + 2 * combo, FOCAL + weight * combo, 2 * (0.5 * FOCAL + combo)):
        close(criterion(x, t).detach(), focal(x, t) + 2 * combo(x, t))


def test_what_is_no_sum() -> None:
    dice, none = DiceLoss(ignore_index=255), CE(reduction="none")
    with pytest.raises(ValueError, match=r"same label; ignore_index is dice 255, ce -100"):
        dice + CE()
    with pytest.raises(ValueError, match=r"same label"):
        (dice + CE(ignore_index=255)) + nn.CrossEntropyLoss()
    with pytest.raises(ValueError, match=r"ce has reduction='none'.*parts"):
        DiceLoss() + none
    with pytest.raises(TypeError, match=r"a loss times a loss"):
        dice * dice
    with pytest.raises(TypeError, match=r"changes no gradient"):
        dice + 1
    with pytest.raises(TypeError, match=r"changes no gradient"):
        torch.tensor(1.0) + dice
    with pytest.raises(TypeError, match=r"losskit.Scheduled"):
        dice * "2"  # type: ignore[operator]
    with pytest.raises(TypeError, match=r"module or a callable"):
        dice + "ce"
    with pytest.raises(ValueError, match=r"one number; got a tensor of shape \(2,\)"):
        torch.ones(2) * dice
    assert dice + MSELoss() is not None  # a loss without labels is compatible with any
    assert "reduction" not in WeightedSum.options


def test_calls_that_fit_no_part(classes: Pair) -> None:
    x, t = classes
    criterion = DiceLoss() + CE()
    ones = torch.ones(3, 5, 6, dtype=torch.float64)
    with pytest.raises(TypeError, match=r"weight was given twice"):
        criterion(x, t, ones, weight=ones)
    with pytest.raises(TypeError, match=r"takes 2 tensors, weight and mask; got 5"):
        criterion(x, t, ones, None, None)
    with pytest.raises(TypeError, match=r"takes \(input, target\); target is missing"):
        criterion(x)
    with pytest.raises(ValueError, match=r"returns one number; got shape \(3, 5, 6\)"):
        (criterion + nn.CrossEntropyLoss(reduction="none"))(x, t)


def test_copies_and_saved_states(classes: Pair) -> None:
    torch.manual_seed(1)
    weight = nn.Parameter(torch.tensor(3.0))

    def build() -> tuple[WeightedSum, Scheduled]:
        step = Scheduled(linear(0.0, 1.0, steps=8))
        return weight * DiceLoss() + step * CE(class_weight=[1.0, 2.0, 3.0, 4.0]), step

    criterion, step = build()
    for _ in range(3):
        step.step()
    expected = criterion(*classes)
    for again in (copy.deepcopy(criterion), pickle.loads(pickle.dumps(criterion))):
        close(again(*classes), expected)
    file = io.BytesIO()
    torch.save(criterion.state_dict(), file)
    with torch.no_grad():
        weight.fill_(0.0)
    other, _ = build()
    other.load_state_dict(torch.load(io.BytesIO(file.getvalue()), weights_only=True))
    close(other(*classes), expected)


def test_compiled(classes: Pair) -> None:
    x, t = classes
    x.requires_grad_()
    weight = nn.Parameter(torch.tensor(0.5))
    step = Scheduled(linear(0.0, 1.0, steps=20))
    criterion = DiceLoss() + weight * FocalLoss() + step * CE() + nn.CrossEntropyLoss()
    compiled = torch.compile(criterion, fullgraph=True, backend="aot_eager")
    for _ in range(12):  # more steps than recompilations are allowed
        step.step()
        found = torch.autograd.grad(compiled(x, t), (x, weight))
        expected = torch.autograd.grad(criterion(x, t), (x, weight))
        torch.testing.assert_close(found, expected)


def test_parts_that_take_other_tensors_do_not_add():
    with pytest.raises(TypeError, match=r"mse takes \(input, target\) and margin_ranking \(input1, input2, target\)"):
        losskit.MSELoss() + losskit.MarginRankingLoss()
    var = torch.ones(3)
    both = losskit.MSELoss() + losskit.GaussianNLLLoss()  # the first two tensors have the same meaning
    x, t = torch.tensor([1.0, 2.0, 3.0]), torch.zeros(3)
    assert both(x, t, var).item() == pytest.approx(14 / 3 + 7 / 3)
