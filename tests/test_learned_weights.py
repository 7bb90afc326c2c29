"""Learned weights change only by tasks in which an element counts."""

import pytest
import torch

import losskit

X, IGNORED = torch.randn(2, 3, 8, generator=torch.Generator().manual_seed(0)), torch.full((2, 8), -100)
LABELS = IGNORED.clamp(min=0)
ONE, SEVERAL = (X, IGNORED), ({"a": X, "b": X}, {"a": IGNORED, "b": X + 3})
LOSSES = {
    "shared tensors": ([losskit.CrossEntropyLoss(), losskit.DiceLoss()], ONE, [False, False]),
    "a task each": ({"a": losskit.DiceCELoss(), "b": losskit.L1Loss()}, SEVERAL, [False, True]),
    "one pooled over the batch": ({"a": losskit.DiceLoss(pool="batch")}, ONE, [False]),
}
CALLS = {
    "forward": lambda loss, tensors: loss(*tensors),
    "parts": lambda loss, tensors: loss.parts(*tensors)[0],
    "sums": lambda loss, tensors: loss.finish(loss.totals(*tensors)),
    "sync": lambda loss, tensors: losskit.distributed.sync(loss)(*tensors),
}


def with_labels(tensors):
    """The same with labels that count."""
    x, target = tensors
    return x, {**target, "a": LABELS} if isinstance(target, dict) else LABELS


@pytest.mark.parametrize("variant", ["kendall", "liebel"])
@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("kind", LOSSES)
def test_a_task_of_which_nothing_counts_keeps_its_weight(kind, call, variant):
    losses, tensors, moves = LOSSES[kind]
    loss = losskit.LearnedWeights(*losses if isinstance(losses, list) else (), variant=variant,
                                  **losses if isinstance(losses, dict) else {})  # fmt: skip
    (slope,) = torch.autograd.grad(CALLS[call](loss, tensors), loss.log_variance)
    assert (slope != 0).tolist() == moves
    (slope,) = torch.autograd.grad(CALLS[call](loss, with_labels(tensors)), loss.log_variance)
    assert (slope != 0).all()


def test_the_parts_are_named_as_before():
    loss = losskit.LearnedWeights(a=losskit.DiceCELoss(), b=losskit.L1Loss())
    assert list(loss.parts(*SEVERAL)[1]) == ["a", "b"]
