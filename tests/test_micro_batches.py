"""Sums of micro-batches, finished by hand and by `micro_batches`, against the whole batch."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from losskit import (
    BCEWithLogitsLoss,
    CrossEntropyLoss,
    DiceCELoss,
    DiceLoss,
    FocalLoss,
    GaussianNLLLoss,
    JaccardLoss,
    LearnedWeights,
    MSELoss,
    Sums,
)
from losskit.distributed import micro_batches

PIECES = [slice(0, 3), slice(3, 3), slice(3, 4), slice(4, 7)]


class Net(nn.Module):
    def __init__(self, channels: int = 4, dropout: float = 0.0) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.layers = nn.Sequential(
            nn.Conv2d(2, 8, 3, padding=1), nn.ReLU(), nn.Dropout(dropout), nn.Conv2d(8, channels, 1)
        ).double()
        self.calls = 0

    def forward(self, x: Tensor) -> Tensor:
        self.calls += 1
        output: Tensor = self.layers(x)
        return output


@pytest.fixture
def batch() -> tuple[Tensor, Tensor]:
    torch.manual_seed(1)
    x, target = torch.randn(7, 2, 5, 6, dtype=torch.float64), torch.randint(0, 4, (7, 5, 6))
    target[0, :3] = 255
    return x, target


def gradients(*modules: nn.Module) -> Tensor:
    """Every gradient in one vector; they start from nothing again."""
    parameters = [p for module in modules for p in module.parameters()]
    found = torch.cat([p.grad.flatten().double() for p in parameters if p.grad is not None])
    for p in parameters:
        p.grad = None
    return found


def accumulate(losses: Any) -> float:
    value = 0.0
    for loss in losses:
        loss.backward()
        value += loss.item()
    return value


MEANS: dict[str, Any] = {
    "ce": lambda: CrossEntropyLoss(ignore_index=255, class_weight=[1, 2, 3, 4], label_smoothing=0.1),
    "ce sum": lambda: CrossEntropyLoss(ignore_index=255, reduction="sum"),
    "focal": lambda: FocalLoss(ignore_index=255, alpha=[1, 2, 3, 4]),
    "dice": lambda: DiceLoss(ignore_index=255, absent="skip", class_weight=[1, 2, 3, 4]),
    "dice + ce": lambda: DiceCELoss(ignore_index=255) + 0.5 * FocalLoss(ignore_index=255),
    "learned class weights": lambda: CrossEntropyLoss(
        ignore_index=255, class_weight=nn.Parameter(torch.tensor([1.0, 2, 3, 4], dtype=torch.float64))
    ),
    "learned weight": lambda: nn.Parameter(torch.tensor(0.5, dtype=torch.float64)) * DiceCELoss(ignore_index=255),
}
RATIOS: dict[str, Any] = {
    "dice batch": lambda: DiceLoss(ignore_index=255, pool="batch"),
    "jaccard batch sum": lambda: JaccardLoss(ignore_index=255, pool="batch", reduction="sum"),
    "both": lambda: DiceCELoss(ignore_index=255, pool="batch") + FocalLoss(ignore_index=255),
    "learned class weights, batch": lambda: DiceLoss(
        ignore_index=255, pool="batch", class_weight=nn.Parameter(torch.tensor([1.0, 2, 3, 4], dtype=torch.float64))
    ),
    "uncertainty": lambda: LearnedWeights(
        CrossEntropyLoss(ignore_index=255), DiceLoss(ignore_index=255, pool="batch"), variant="liebel"
    ).double(),
}


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("name", [*MEANS, *RATIOS])
def test_gradients_add_up_to_the_whole(name: str, weighted: bool, batch: tuple[Tensor, Tensor]) -> None:
    criterion, model = {**MEANS, **RATIOS}[name](), Net()
    extra: tuple[Tensor, ...] = (
        (torch.rand(7, 5, 6, dtype=torch.float64), torch.rand(7, 5, 6) > 0.4) if weighted else ()
    )
    x, *others = (*batch, *extra)
    loss = criterion(model(x), *others)
    loss.backward()
    expected, model.calls = gradients(model, criterion), 0
    value = accumulate(micro_batches(criterion, model, [(x[s], *(t[s] for t in others)) for s in PIECES]))
    assert value == pytest.approx(loss.item(), rel=1e-12)
    torch.testing.assert_close(gradients(model, criterion), expected, rtol=1e-12, atol=1e-15)
    assert model.calls == len(PIECES) * (1 if name in MEANS else 2)  # one forward pass where that is enough


@pytest.mark.parametrize("name", MEANS)
def test_counts_of_the_targets_divide_a_mean(name: str, batch: tuple[Tensor, Tensor]) -> None:
    criterion, model = MEANS[name](), Net()
    x, target = batch
    expected = criterion(model(x), target)
    expected.backward()
    gradient = gradients(model, criterion)
    counts: Any = sum(criterion.counts(target[s], num_classes=4) for s in PIECES)
    value = accumulate(criterion(model(x[s]), target[s], whole=counts) for s in PIECES)
    assert value == pytest.approx(expected.item(), rel=1e-12)
    torch.testing.assert_close(gradients(model, criterion), gradient, rtol=1e-12, atol=1e-15)
    if isinstance(criterion, CrossEntropyLoss) and criterion.reduction == "mean":
        denominator = criterion.conclude(criterion.totals(model(x), target))[1]
        assert denominator is not None
        value = accumulate(criterion(model(x[s]), target[s], normalizer=denominator.detach()) for s in PIECES)
        assert value == pytest.approx(expected.item(), rel=1e-12)


@pytest.mark.parametrize("name", ["dice batch", "both", "ce"])
def test_sums_of_a_first_pass_finish_any_loss(name: str, batch: tuple[Tensor, Tensor]) -> None:
    criterion, model = {**MEANS, **RATIOS}[name](), Net()
    x, target = batch
    expected = criterion(model(x), target)
    expected.backward()
    gradient = gradients(model)
    with torch.no_grad():
        whole: Any = sum(criterion.totals(model(x[s]), target[s]) for s in PIECES)
    assert criterion.finish(whole).item() == pytest.approx(expected.item(), rel=1e-12)
    for s in PIECES:
        loss = criterion(model(x[s]), target[s], whole=whole)
        assert loss.item() == pytest.approx(expected.item(), rel=1e-12)  # its value is the whole's
        loss.backward()
    torch.testing.assert_close(gradients(model), gradient, rtol=1e-12, atol=1e-15)
    with pytest.raises(TypeError, match="normalizer= or whole=, not both"):
        criterion.finish(whole, whole=whole, normalizer=3)


def test_counts_by_hand() -> None:
    target = torch.tensor([[0, 1, 255], [2, 2, 1]])
    weight = torch.tensor([[1.0, 2, 3], [4, 5, 6]], dtype=torch.float64)
    counts = CrossEntropyLoss(ignore_index=255, class_weight=[1, 10, 100]).counts(target, weight, num_classes=3)
    assert counts["denominator"].tolist() == [1, 8, 9]  # per class of the truth; class weights come in the finish
    x = torch.randn(2, 3, 3, dtype=torch.float64)
    share = CrossEntropyLoss(ignore_index=255, class_weight=[1, 10, 100])(x, target, weight, whole=counts)
    log_p = F.log_softmax(x, 1)
    pairs = [(0, 0, 0, 1.0), (0, 1, 1, 2.0), (1, 0, 2, 4.0), (1, 1, 2, 5.0), (1, 2, 1, 6.0)]
    expected = sum(-log_p[n, c, i] * w * 10**c for n, i, c, w in pairs) / (1 + 80 + 900)
    torch.testing.assert_close(share, torch.as_tensor(expected))
    assert MSELoss().counts(torch.zeros(2, 3), mask=target != 255)["denominator"] == 5


def test_other_shapes_of_targets() -> None:
    torch.manual_seed(0)
    x = torch.randn(6, 2, 4, 5, dtype=torch.float64)
    labels = torch.randint(0, 4, (6, 1, 4, 5))
    binary = torch.randint(0, 2, (6, 4, 5)).double()
    real, var = torch.randn(6, 4, 4, 5, dtype=torch.float64), torch.rand(6, 4, 4, 5, dtype=torch.float64) + 0.5
    mask = torch.rand(6, 4, 5) > 0.5
    cases: list[tuple[Any, int, tuple[Any, ...]]] = [
        (CrossEntropyLoss(), 4, (labels, None, mask)),
        (BCEWithLogitsLoss(), 1, (binary, None, mask)),
        (BCEWithLogitsLoss(), 4, (real.sigmoid(),)),
        (MSELoss(), 4, (real,)),
        (GaussianNLLLoss(), 4, (real, var)),
        (GaussianNLLLoss() + MSELoss(), 4, (real, var, var)),
    ]
    for criterion, channels, others in cases:
        model = Net(channels)
        loss = criterion(model(x), *others)
        loss.backward()
        expected = gradients(model)
        pieces = [(x[s], *(None if t is None else t[s] for t in others)) for s in (slice(0, 5), slice(5, 6))]
        assert accumulate(micro_batches(criterion, model, pieces)) == pytest.approx(loss.item(), rel=1e-12)
        torch.testing.assert_close(gradients(model), expected, rtol=1e-12, atol=1e-15)


def test_both_passes_draw_the_same_dropout(batch: tuple[Tensor, Tensor]) -> None:
    x, target = batch
    criterion, model = DiceLoss(ignore_index=255, pool="batch"), Net(dropout=0.5)
    torch.manual_seed(5)
    losses = [loss for loss in micro_batches(criterion, model, [(x[s], target[s]) for s in PIECES])]  # noqa: C416
    after = torch.rand(1)
    torch.manual_seed(5)
    outputs = torch.cat([model(x[s]) for s in PIECES])
    assert after == torch.rand(1)  # the random state is that of one pass
    expected = criterion(outputs, target)
    expected.backward()
    gradient = gradients(model)
    torch.stack(losses).sum().backward()  # type: ignore[no-untyped-call]
    torch.testing.assert_close(gradients(model), gradient, rtol=1e-12, atol=1e-15)


def test_what_does_not_fit() -> None:
    with pytest.raises(ValueError, match="there is no micro-batch"):
        micro_batches(DiceLoss(), nn.Identity(), [])
    with pytest.raises(ValueError, match="only sums of the same loss add"):
        Sums(a=torch.zeros(1)) + Sums(b=torch.zeros(1))
    with pytest.raises(TypeError, match=r"DiceLoss is no mean.*micro_batches does both passes"):
        DiceLoss(pool="batch").counts(torch.zeros(1, 4, dtype=torch.long), num_classes=2)
