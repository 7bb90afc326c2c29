"""The components of sums by name, and sums whose parts have tensors of their own."""

from __future__ import annotations

import copy
import pickle
from collections import OrderedDict
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

import losskit
from losskit import (
    CrossEntropyLoss,
    DeepSupervisionLoss,
    DiceCELoss,
    DiceLoss,
    FocalLoss,
    GaussianNLLLoss,
    L1Loss,
    LearnedWeights,
    MSELoss,
    MultiTaskLoss,
)
from losskit.distributed import micro_batches, sync

CE = CrossEntropyLoss
X = torch.randn(2, 3, 4, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
T = torch.arange(32).reshape(2, 4, 4) % 3
close = torch.testing.assert_close


def sum_of(parts: Any) -> Tensor:
    return sum(part.weighted for part in parts.values())


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])  # served by a plan, and by operators
def test_a_part_is_a_number_and_its_values(dtype: torch.dtype) -> None:
    x = X.to(dtype).requires_grad_()
    loss, parts = (DiceLoss() - 0.5 * CE()).parts(x, T)
    assert isinstance(parts, losskit.Parts)
    assert isinstance(parts["ce"], losskit.Part)
    assert float(parts["ce"]) == parts["ce"].weighted.item() == -0.5 * parts["ce"].raw.item()
    numbers = parts.numbers()
    assert list(numbers) == ["dice", "ce"]
    assert all(n.dim() == 0 and not n.requires_grad for n in numbers.values())
    close(sum(numbers.values()), loss.detach())


def test_parts_have_the_names_that_they_are_given() -> None:
    criterion = DiceLoss() + 0.5 * CE()
    named = criterion.named(dice="overlap", ce="labels")
    assert list(named.parts(X, T)[1]) == ["overlap", "labels"]
    assert list(criterion.parts(X, T)[1]) == ["dice", "ce"]
    close(named(X, T), criterion(X, T))
    assert list(named.named(overlap="d").parts(X, T)[1]) == ["d", "labels"]
    assert list((named + FocalLoss()).parts(X, T)[1]) == ["overlap", "labels", "focal"]
    taken = criterion.named(dice="focal_2") + FocalLoss() + FocalLoss()
    assert list(taken.parts(X, T)[1]) == ["focal_2", "ce", "focal", "focal_3"]
    for again in (copy.deepcopy(named), pickle.loads(pickle.dumps(named))):
        assert list(again.parts(X, T)[1]) == ["overlap", "labels"]
    combined = DiceCELoss().named(dice="d")
    combined.smooth = 1.0  # which builds its parts again
    assert list(combined.parts(X, T)[1]) == ["d", "ce"]
    close(combined(X, T), DiceCELoss(smooth=1.0)(X, T))
    other = DiceCELoss()
    twin = other.named(ce="labels")
    twin.register_forward_hook(lambda module, args, value: value * 2)
    close(other(X, T) * 2, twin(X, T))  # a hook of one is none of the other
    with pytest.raises(TypeError, match=r"no part is called 'dise'; did you mean \"dice\""):
        criterion.named(dise="d")
    with pytest.raises(ValueError, match="different names; got ce, ce"):
        criterion.named(dice="ce")


def test_parts_of_deep_supervision_name_the_output() -> None:
    outputs = [X, X[..., ::2, ::2], X[..., :1, :1]]
    criterion = DeepSupervisionLoss(DiceLoss() + 0.5 * CE())
    loss, parts = criterion.parts(outputs, T)
    assert list(parts) == ["0.dice", "0.ce", "1.dice", "1.ce", "2.dice", "2.ce"]
    close(parts["0.ce"].raw, F.cross_entropy(X, T))
    close(parts["0.ce"].weighted, 0.5 * F.cross_entropy(X, T) / 1.75)
    close(sum_of(parts), loss)
    close(loss, criterion(outputs, T))
    assert list(DeepSupervisionLoss(CE()).parts(outputs, T)[1]) == ["0.ce", "1.ce", "2.ce"]
    both = 2 * DeepSupervisionLoss(DiceLoss()) + 0.1 * criterion
    loss, parts = both.parts(outputs, T)
    assert list(parts) == ["deep_supervision", "deep_supervision_2"]
    close(sum_of(parts), loss)
    for part in parts.values():
        close(sum_of(part.parts), part.weighted)
    assert "deep_supervision_2.1.ce" in parts.numbers()
    close(loss, both(outputs, T))


def test_hooks_of_a_part_with_parts_run() -> None:
    inner = DeepSupervisionLoss(CE())
    inner.register_forward_hook(lambda module, args, value: value * 3)
    loss, parts = (inner + DeepSupervisionLoss(CE())).parts([X], T)
    close(loss, 4 * F.cross_entropy(X, T))
    close(sum_of(parts), loss)


OUTPUTS = {"classes": X, "depth": X[:, 0], "more": torch.zeros(1)}
TARGETS = {"classes": T, "depth": X[:, 1]}


def test_heads_have_their_own_tensors_and_fixed_weights() -> None:
    heads = {"classes": DiceLoss() + CE(), "depth": 0.5 * L1Loss()}
    criterion = MultiTaskLoss(heads=heads)
    expected = DiceLoss()(X, T) + F.cross_entropy(X, T) + 0.5 * F.l1_loss(X[:, 0], X[:, 1])
    close(criterion(OUTPUTS, TARGETS), expected)
    close(criterion([X, X[:, 0]], (T, X[:, 1])), expected)
    loss, parts = criterion.parts(OUTPUTS, TARGETS)
    close(loss, expected)
    assert list(parts.numbers()) == ["classes", "classes.dice", "classes.ce", "depth"]
    close(parts["depth"].raw, F.l1_loss(X[:, 0], X[:, 1]))
    close(parts["depth"].weighted, 0.5 * parts["depth"].raw)
    close(criterion.finish(criterion.totals(OUTPUTS, TARGETS)), expected)
    close(sync(criterion)(OUTPUTS, TARGETS), expected)
    close((2 * criterion)(OUTPUTS, TARGETS), 2 * expected)
    assert repr(criterion) == "MultiTaskLoss(classes=DiceLoss() + CrossEntropyLoss(), depth=0.5 * L1Loss())"


def test_heads_take_weights_masks_and_normalizers_of_their_own() -> None:
    criterion = MultiTaskLoss({"classes": CE(ignore_index=255), "depth": GaussianNLLLoss()})
    var, mask = torch.rand(2, 4, 4, dtype=torch.float64) + 0.5, torch.rand(2, 4, 4) < 0.5
    weight = torch.rand(2, 4, 4, dtype=torch.float64)
    found = criterion(OUTPUTS, TARGETS, {"depth": var}, {"classes": weight}, {"depth": mask}, normalizer={"classes": 7})
    expected = (F.cross_entropy(X, T, reduction="none") * weight).sum() / 7
    expected = expected + F.gaussian_nll_loss(X[:, 0][mask], X[:, 1][mask], var[mask])
    close(found, expected)
    close(MultiTaskLoss({"a": CE(), "b": MSELoss()})([X, X], [T, 0 * X], normalizer=7),
          F.cross_entropy(X, T, reduction="sum") / 7 + X.square().sum() / 7)  # fmt: skip
    with pytest.raises(TypeError, match="dice is no mean of elements"):
        MultiTaskLoss({"a": CE(), "b": DiceLoss()})([X, X], T, normalizer={"b": 7})


def test_one_target_serves_every_head() -> None:
    segmentation = OrderedDict(out=X, aux=2 * X)
    criterion = MultiTaskLoss({"out": CE(), "aux": 0.4 * CE()})
    close(criterion(segmentation, T), F.cross_entropy(X, T) + 0.4 * F.cross_entropy(2 * X, T))


def test_heads_over_micro_batches() -> None:
    criterion = MultiTaskLoss({"classes": DiceLoss(pool="batch"), "depth": 0.5 * L1Loss()})
    w = torch.ones((), dtype=torch.float64, requires_grad=True)

    def model(x: Tensor) -> dict[str, Tensor]:
        return {"classes": w * x, "depth": w * x[:, 0]}

    (expected,) = torch.autograd.grad(criterion(model(X), TARGETS), w)
    for loss in micro_batches(criterion, model, [(X[:1], {n: t[:1] for n, t in TARGETS.items()}),
                                                 (X[1:], {n: t[1:] for n, t in TARGETS.items()})]):  # fmt: skip
        loss.backward()
    close(w.grad, expected)


def test_what_heads_are_given_must_fit() -> None:
    criterion = MultiTaskLoss({"classes": CE(), "depth": L1Loss()})
    with pytest.raises(TypeError, match=r"a dict or a list with a tensor for each head, classes, depth; got Tensor"):
        criterion(X, T)
    with pytest.raises(KeyError, match="without 'depth'; it has classes"):
        criterion({"classes": X}, TARGETS)
    with pytest.raises(ValueError, match="a list of 1 was given to 2 losses"):
        criterion([X], TARGETS)
    for given in ({}, [CE()], CE()):
        with pytest.raises(TypeError, match="heads must be a dict of a loss for each output"):
            MultiTaskLoss(given)  # type: ignore[arg-type]


def test_learned_weights_name_the_parts_of_their_parts() -> None:
    criterion = LearnedWeights(classes=DiceLoss() + CE(), depth=L1Loss())
    _, parts = criterion.parts(OUTPUTS, TARGETS)
    assert list(parts.numbers()) == ["classes", "classes.dice", "classes.ce", "depth"]
    close(sum_of(parts["classes"].parts), parts["classes"].weighted)


def test_heads_compile() -> None:
    criterion = MultiTaskLoss({"classes": CE(), "depth": 0.5 * L1Loss()})
    compiled = torch.compile(criterion, fullgraph=True, backend="aot_eager")
    given = {name: value for name, value in OUTPUTS.items() if name != "more"}
    close(compiled(given, TARGETS), criterion(given, TARGETS))
