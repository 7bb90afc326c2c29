"""CTC against PyTorch and against every alignment written out; its lengths, its domains and its transforms."""

from __future__ import annotations

import itertools
import math
from functools import partial
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

import losskit
from losskit import functional as L
from losskit.ops.ctc import ctc

T, N, C = 9, 4, 5
reductions = pytest.mark.parametrize("reduction", ["mean", "sum", "none"])


def scores(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape or (T, N, C), generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


INPUT_LENGTHS, TARGET_LENGTHS = torch.tensor([9, 8, 7, 6]), torch.tensor([4, 2, 0, 3])
TARGETS = torch.tensor([[1, 1, 2, 3], [4, 2, 9, 9], [-1, -1, -1, -1], [2, 2, 1, 0]])
CLEAN = torch.tensor([[1, 1, 2, 3], [4, 2, 1, 1], [1, 1, 1, 1], [2, 2, 1, 1]])
IN_ONE_ROW = torch.tensor([1, 1, 2, 3, 4, 2, 2, 2, 1])


def brute_force(log_probs: Tensor, target: list[int], blank: int) -> float:
    """Minus the logarithm of the summed probability of every path that reads as the target."""
    steps, classes = log_probs.shape
    total = 0.0
    for path in itertools.product(range(classes), repeat=steps):
        read = [label for label, _ in itertools.groupby(path) if label != blank]
        if read == target:
            total += math.exp(sum(float(log_probs[t, c]) for t, c in enumerate(path)))
    return -math.log(total) if total else math.inf


@pytest.mark.parametrize("blank", [0, 2])
@pytest.mark.parametrize("target", [[1], [1, 1], [1, 3], []], ids=str)
def test_it_sums_over_every_alignment(target: list[int], blank: int) -> None:
    log_probs = scores(4, 1, 4).log_softmax(2)
    padded = torch.tensor([[*target, 1, 1][:2]])
    value = L.ctc_loss(log_probs, padded, [4], [len(target)], blank=blank, reduction="sum")
    assert float(value) == pytest.approx(brute_force(log_probs[:, 0], target, blank), rel=1e-12)


@reductions
def test_value_and_gradient_are_torchs(reduction: str) -> None:
    """Padded and in one row, through the log-softmax that the input comes from; padding may hold anything."""
    lengths = INPUT_LENGTHS, TARGET_LENGTHS
    for ours, theirs in ((TARGETS, CLEAN), (IN_ONE_ROW, IN_ONE_ROW)):
        found = []
        for loss, targets in ((L.ctc_loss, ours), (F.ctc_loss, theirs)):
            logits = scores().requires_grad_()
            value = loss(logits.log_softmax(2), targets, *lengths, reduction=reduction)
            slopes = torch.linspace(1, 2, value.numel()).double().reshape(value.shape)
            found.append((value.detach(), torch.autograd.grad((value * slopes).sum(), logits)[0]))
        torch.testing.assert_close(found[0], found[1])


def test_the_gradient_by_log_probabilities_is_the_derivative() -> None:
    """PyTorch's leaves out what log_softmax takes away again, so its own is none by log-probabilities alone."""
    log_probs = scores().log_softmax(2).requires_grad_()
    ours = partial(L.ctc_loss, targets=TARGETS, input_lengths=INPUT_LENGTHS, target_lengths=TARGET_LENGTHS)
    assert torch.autograd.gradcheck(lambda x: ours(x), (log_probs,))


def test_a_second_derivative_is_refused() -> None:
    log_probs = scores().log_softmax(2).requires_grad_()
    value = L.ctc_loss(log_probs, TARGETS, INPUT_LENGTHS, TARGET_LENGTHS)
    (gradient,) = torch.autograd.grad(value, log_probs, create_graph=True)
    with pytest.raises(NotImplementedError, match="first derivatives only"):
        torch.autograd.grad((gradient**2).sum(), log_probs)


def test_a_sample_without_alignment() -> None:
    """Three steps cannot read four labels: infinite, or nothing with zero_infinity, also in the gradient."""
    lengths = torch.tensor([3, 8, 7, 6]), TARGET_LENGTHS
    log_probs = scores().log_softmax(2).requires_grad_()
    assert L.ctc_loss(log_probs, TARGETS, *lengths).isinf()
    value = L.ctc_loss(log_probs, TARGETS, *lengths, zero_infinity=True)
    torch.testing.assert_close(value, F.ctc_loss(log_probs, CLEAN, *lengths, zero_infinity=True))
    (gradient,) = torch.autograd.grad(value, log_probs)
    assert gradient.isfinite().all()
    assert (gradient[:, 0] == 0).all()
    assert (gradient[:, 3] != 0).any()


def test_a_single_sequence() -> None:
    log_probs = scores(T, C).log_softmax(1)
    arguments = CLEAN[0], torch.tensor(9), torch.tensor(4)
    for reduction in ("mean", "sum", "none"):
        value = L.ctc_loss(log_probs, *arguments, reduction=reduction)
        torch.testing.assert_close(value, F.ctc_loss(log_probs, *arguments, reduction=reduction))


def test_weights_and_masks_are_of_samples() -> None:
    """The mean divides each loss by its labels and then by the weights; a masked sample may hold anything."""
    log_probs, weight = scores().log_softmax(2), torch.tensor([1.0, 2.0, 3.0, 0.5]).double()
    each = F.ctc_loss(log_probs, CLEAN, INPUT_LENGTHS, TARGET_LENGTHS, reduction="none")
    by_label = each / TARGET_LENGTHS.clamp_min(1)
    value = L.ctc_loss(log_probs, TARGETS, INPUT_LENGTHS, TARGET_LENGTHS, weight)
    torch.testing.assert_close(value, (weight * by_label).sum() / weight.sum())

    mask = torch.tensor([True, False, True, False])
    spoilt = log_probs.clone()
    spoilt[:, ~mask] = math.nan
    spoilt.requires_grad_()
    wrong = torch.where(mask.unsqueeze(1), TARGETS, 77)
    value = L.ctc_loss(spoilt, wrong, INPUT_LENGTHS, TARGET_LENGTHS, mask=mask)
    torch.testing.assert_close(value, by_label[mask].mean())
    (gradient,) = torch.autograd.grad(value, spoilt)
    assert (gradient[:, ~mask] == 0).all()
    in_one_row = L.ctc_loss(spoilt, IN_ONE_ROW, INPUT_LENGTHS, TARGET_LENGTHS, mask=mask)
    torch.testing.assert_close(in_one_row, value)


def test_micro_batches_add() -> None:
    criterion, log_probs = losskit.CTCLoss(), scores().log_softmax(2)
    whole = criterion(log_probs, TARGETS, INPUT_LENGTHS, TARGET_LENGTHS)
    parts = slice(0, 1), slice(1, 4)
    first, second = (criterion.totals(log_probs[:, p], TARGETS[p], INPUT_LENGTHS[p], TARGET_LENGTHS[p]) for p in parts)
    torch.testing.assert_close(criterion.finish(first + second), whole)
    counts = criterion.counts(TARGET_LENGTHS)
    shares = [criterion(log_probs[:, p], TARGETS[p], INPUT_LENGTHS[p], TARGET_LENGTHS[p], whole=counts) for p in parts]
    torch.testing.assert_close(shares[0] + shares[1], whole)


def test_it_compiles_vectorises_and_differentiates_as_a_function() -> None:
    torch._dynamo.reset()
    criterion = losskit.CTCLoss()
    rest = TARGETS, INPUT_LENGTHS, TARGET_LENGTHS
    log_probs = scores().log_softmax(2)
    compiled = torch.compile(criterion, fullgraph=True, backend="aot_eager")
    torch.testing.assert_close(compiled(log_probs, *rest), criterion(log_probs, *rest))
    by_function = torch.func.grad(lambda x: criterion(x, *rest))
    x = log_probs.clone().requires_grad_()
    (expected,) = torch.autograd.grad(criterion(x, *rest), x)
    torch.testing.assert_close(by_function(log_probs), expected)
    two = torch.stack([log_probs, scores(seed=1).log_softmax(2)])
    many = torch.func.vmap(by_function)(two)
    torch.testing.assert_close(many, torch.stack([by_function(x) for x in two]))
    with torch.no_grad():
        torch.testing.assert_close(criterion(log_probs, *rest), criterion(x, *rest).detach())


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_is_computed_in_single(dtype: torch.dtype) -> None:
    log_probs = scores().log_softmax(2).to(dtype)
    value = L.ctc_loss(log_probs, TARGETS, INPUT_LENGTHS, TARGET_LENGTHS)
    assert value.dtype == torch.float32
    torch.testing.assert_close(value, F.ctc_loss(log_probs.float(), CLEAN, INPUT_LENGTHS, TARGET_LENGTHS))


def test_nothing_to_read() -> None:
    log_probs = scores(T, 0, C).requires_grad_()
    empty = torch.zeros(0, dtype=torch.long)
    value = L.ctc_loss(log_probs, empty.reshape(0, 3), empty, empty)
    assert value == 0
    assert torch.autograd.grad(value, log_probs)[0].shape == (T, 0, C)


@pytest.mark.parametrize(
    ("message", "changed"),
    [
        ("targets holds 5, but labels are 0 to 4, without the blank 0", {"targets": TARGETS * 0 + 5}),
        ("targets holds 0, but labels are 0 to 4, without the blank 0", {"targets": TARGETS * 0}),
        ("input_lengths holds 10, but a length here is 0 to 9", {"input_lengths": INPUT_LENGTHS + 1}),
        (
            "target_lengths holds 5, but a length here is 0 to 4",
            {"target_lengths": TARGET_LENGTHS + 1, "targets": CLEAN},
        ),
        ("targets holds 8 labels in one row, but target_lengths add up to 9", {"targets": IN_ONE_ROW[:8]}),
        (r"targets holds integer labels, of shape \(4, S\)", {"targets": TARGETS[:2]}),
        (r"targets holds integer labels", {"targets": TARGETS.double()}),
        (r"input_lengths holds one whole number a sample, \(4,\)", {"input_lengths": [9, 9]}),
        (r"log_probs must have shape \(T, N, C\)", {"log_probs": scores(4)}),
        (r"weight has shape \(3,\), but it takes \(4,\)", {"weight": torch.ones(3)}),
    ],
)
def test_what_cannot_be_read_is_an_error_that_names_it(message: str, changed: dict[str, Any]) -> None:
    arguments: dict[str, Any] = {
        "log_probs": scores().log_softmax(2),
        "targets": TARGETS,
        "input_lengths": INPUT_LENGTHS,
        "target_lengths": TARGET_LENGTHS,
        **changed,
    }
    with pytest.raises(ValueError, match=message):
        L.ctc_loss(**arguments)


def test_a_late_verdict_reads_no_memory_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    """A wrong label that cannot raise at once, as on a GPU: the loss is NaN, and what is read is a label."""
    read: list[Tensor] = []

    def watched(log_probs: Tensor, targets: Tensor, *rest: Any) -> Tensor:
        read.append(targets)
        return ctc(log_probs, targets, *rest)

    monkeypatch.setattr("losskit.losses.sequence.ctc", watched)
    monkeypatch.setattr("losskit.ops.values.raise_pending", lambda: None)  # the finding has not arrived
    two = torch.stack([scores(), scores(seed=1)]).log_softmax(3)
    wrong = torch.where(TARGETS == 4, 99, TARGETS)
    lengths = INPUT_LENGTHS, TARGET_LENGTHS

    def loss(x: Tensor, targets: Tensor) -> Tensor:
        return L.ctc_loss(x, targets, *lengths)

    losses = torch.func.vmap(loss)(two, torch.stack([wrong, TARGETS]))
    assert losses.isnan().tolist() == [True, False]
    (batched,) = read
    inside = torch._C._functorch.get_unwrapped(batched)
    assert bool(((inside >= 0) & (inside < C)).all())
    monkeypatch.undo()
    with pytest.raises(ValueError, match="targets holds 99, but labels are 0 to 4"):
        losskit.flush_errors()


def test_the_blank_is_a_class() -> None:
    with pytest.raises(ValueError, match=r"blank=7, but log_probs \(9, 4, 5\) has classes 0 to 4"):
        L.ctc_loss(scores(), TARGETS, INPUT_LENGTHS, TARGET_LENGTHS, blank=7)
    with pytest.raises(ValueError, match="blank must be an integer >= 0"):
        losskit.CTCLoss(blank=-1)
